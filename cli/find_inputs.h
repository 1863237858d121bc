#pragma once
// `ranktide find-inputs`: the process that a worker starts beside each trainer (worker/daemon/input_process.h).
// Not a command for people: no help names it.

#include <string_view>

namespace ranktide::cli {

inline constexpr std::string_view kFindInputs = "find-inputs";

// Returns: the exit code. Requires: argv[1] is kFindInputs.
int find_inputs(int argc, char** argv);

}  // namespace ranktide::cli
