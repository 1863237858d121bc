#pragma once
// Which trials of a plan are worked out for what they cost, and how far the others, which cost as one of those
// does, may be from it. A part of sweep_plan.cpp. Pure functions; any thread.

#include "cli/sweep_plan.h"
#include "common/sweep/cell_census.h"

namespace ranktide::cli {

// Fills in groups, but for what they cost, samples, kinds, worked_out and are_lengths_exact. Requires: the
// plan's spec, known and costed_max; the grid of that spec, and its census, which tells settings_of_cost()
// first.
void group_up(SweepPlan& plan, const Grid& grid, const CellCensus& census);

// Returns: two standard deviations of what the groups add up to about what it would be if each kind were worked
// out, as a share of it: from how those differ that were worked out one after the other. What differs is what a
// step takes, or, where lengths are sampled too, a trial. 0 where each kind was, or where there is no cost.
double spread_of_samples(const SweepPlan& plan);

}  // namespace ranktide::cli
