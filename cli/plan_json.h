#pragma once
// A plan as programs read it: `plan --json`, and the lines of a plan file. Decides nothing.

#include "cli/makespan.h"
#include "cli/sweep_plan.h"

namespace ranktide::cli {

Json to_json(const SweepPlan& plan, const SlotsThere& there);

// Returns: a trial's id, label, the settings that vary, what it is predicted to take, and its state.
Json trial_json(const PlannedTrial& planned);

}  // namespace ranktide::cli
