#pragma once
// What `run.stop_early` of a sweep file says of its trials: which of them are judged on their way, by which
// eval, at which steps, and among whom. Not the verdict, which is the coordinator's (coordinator/core/race.h).
// Pure functions; any thread.
//
// Asynchronous successive halving in its stopping form (Li et al. 2018, arXiv 1810.05934). Compared are values
// of tuned axes alone: without `tune` it would be the cells of the study themselves that are cut, and what is
// left would say nothing of them. A value has one fate over all its seeds, so that luck chooses none of them:
// its trial of the sweep's first seed scouts for the others.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"
#include "common/sweep/sweep_trial.h"

namespace ranktide {

// Returns: the rungs of a run of `steps` steps: `first` x eta^k of it, each at least at step 1 and below the
// last, none at the step of the one before.
std::vector<Rung> rungs_of(const EarlyStop& policy, Step steps);

// Returns: a name of the cells that stand where this one does on every axis of the block but the tuned ones.
// Requires: spec.tune.
std::string contest_of(const SweepSpec& spec, const Block& block,
                       const std::map<std::string, std::string>& labels);

// Returns: how the trial is judged, in these contests; nullopt where it is not: another seed than the first, or
// a budget without a rung.
std::optional<Race> race_of(const SweepSpec& spec, const SweepTrial& trial, std::vector<std::string> contests);

// Returns: a name of what verdicts of this sweep hang on; those of another policy say nothing here. Empty: it
// stops nothing early.
std::string early_stop_policy(const SweepSpec& spec);

// Returns: why spec.run.stop_early cannot be carried out; nullopt when it can, also when there is none.
std::optional<std::string> early_stop_refusal(const SweepSpec& spec);

}  // namespace ranktide
