#pragma once
// Named places at the seams of a program where a test can end the process as kill -9 would.
// RANKTIDE_FAILPOINT=<name>:<n> ends it at the n-th passing of that place; unset, passing costs one comparison.
// Thread rule: one thread of a process passes them all.

#include <string_view>

namespace ranktide {

// Names, of the coordinator's turn: before_commit, after_commit, after_send; of a checkpoint's write:
// checkpoint_state_written, checkpoint_manifest_written, checkpoint_renamed; of a trainer's work:
// microbatch_done, eval_forward_done. Returns only if this is not the place and time asked for.
void pass_failpoint(std::string_view name);

// Asks as the variable does, for a test that forks: its child has the parent's memory, with or without it.
void set_failpoint(std::string_view spec);

}  // namespace ranktide
