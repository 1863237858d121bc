#pragma once
// A plan as people read it. Prints nothing and decides nothing.

#include <string>

#include "cli/makespan.h"
#include "cli/sweep_plan.h"

namespace ranktide::cli {

// Returns: a line per block and one for each rule that removed cells of it, the sum, what is to be said of it,
// and, where something is left to train, the estimate for the slots that are there: time, disk, memory,
// sharing. Hours of a block only where the device was measured.
std::string plan_text(const SweepPlan& plan, const SlotsThere& there);

// Returns: the expression of --only where the rule is one, else the rule's text.
std::string shown_rule(const Rule& rule);

}  // namespace ranktide::cli
