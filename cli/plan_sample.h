#pragma once
// Which trials of a plan are worked out for what they cost, and how far the others, which cost as one of those
// does, may be from it. A part of sweep_plan.cpp. Pure functions; any thread.

#include "cli/sweep_plan.h"

namespace ranktide::cli {

// Fills in kinds, samples and are_steps_exact, and each group's blocks, costs_as and steps: one sample of each
// kind, or, of more than kCostedMax kinds, of each stretch of them. Requires: the plan's spec and groups, and
// the grid of that spec.
void resolve_samples(SweepPlan& plan, const Grid& grid);

// Makes what a trial of `costed` steps takes that of one of `steps`: training takes as long as it has steps.
void stretch_to(TrialCost& cost, Step steps, Step costed);

// Returns: two standard deviations of what the groups add up to about what it would be if each kind were worked
// out, as a share of it: from how those differ that were worked out one after the other. What differs is what a
// step takes, or, where steps are sampled too, a trial. 0 where each kind was, or where there is no cost.
double spread_of_samples(const SweepPlan& plan);

}  // namespace ranktide::cli
