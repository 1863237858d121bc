#pragma once
// What `run.stop_early` of a sweep file says of its trials: which of them are compared, by which eval, at which
// steps. Not the decision, which is the coordinator's (coordinator/core/race.h). Pure functions; any thread.
//
// Asynchronous successive halving in its stopping form (Li et al. 2018, arXiv 1810.05934, algorithm 2): rungs
// stand at `first`, `first` * eta, ... of the budget. Compared are values of tuned axes alone: without `tune`
// it would be the cells of the study themselves that are cut, and what is left would say nothing of them.

#include <optional>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"
#include "common/sweep/sweep_trial.h"

namespace ranktide {

// Returns: the steps of the rungs of a run of `steps` steps, rising, each below `steps`. Shares of one budget:
// the n-th rung of equal budgets stands at the same share of them.
std::vector<Step> rungs_of(const EarlyStop& policy, Step steps);

// Returns: how the trial is judged on its way; nullopt where it is not: it has no such eval, or no rung.
std::optional<Race> race_of(const RunPolicy& run, const SweepTrial& trial);

// Returns: why spec.run.stop_early cannot be carried out; nullopt when it can, also when there is none.
std::optional<std::string> early_stop_refusal(const SweepSpec& spec);

}  // namespace ranktide
