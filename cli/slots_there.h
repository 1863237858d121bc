#pragma once
// The slots that a plan speaks of: those of the workers that the asked coordinator has, else what this machine
// would make for `run`.

#include "cli/command.h"
#include "cli/makespan.h"

namespace ranktide::cli {

// Throws: CommandError when a coordinator is meant and does not answer.
SlotsThere slots_there(const GlobalOptions& globals, const SweepPlan& plan);

// Returns: as `run` makes them here for trials of that size. Threads: of a slot.
SlotsThere slots_here(const SweepPlan& plan, int threads);

}  // namespace ranktide::cli
