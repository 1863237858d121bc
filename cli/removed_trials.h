#pragma once
// submit --cancel-removed: ends what an earlier revision lists and the new one does not. Asked of the
// coordinator before the new revision is submitted, since afterwards nothing lists these trials. One thread.

#include <string>
#include <vector>

#include "cli/command.h"
#include "common/sweep/sweep_spec.h"
#include "coordinator/edge/query_past.h"

namespace ranktide::cli {

// Returns: ids of the trials that only the old spec lists and that wait or run. Pure.
std::vector<std::string> removed_trials(const SweepSpec& old, const SweepSpec& spec,
                                        const std::vector<TrialStanding>& standings);

// Cancels them, unless another sweep wants them. Returns: how many were named.
int64_t cancel_removed(const GlobalOptions& globals, const std::string& sweep,
                       const std::vector<std::string>& trials);

}  // namespace ranktide::cli
