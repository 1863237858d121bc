#pragma once
// `ranktide find-inputs`: the process that a worker starts beside each trainer (worker/daemon/input_process.h).
// Not a command for people: no help names it.

namespace ranktide::cli {

// Returns: whether this is such a process.
bool is_workers_own(int argc, char** argv);
// Returns: the exit code. Requires: is_workers_own().
int serve_worker(int argc, char** argv);

}  // namespace ranktide::cli
