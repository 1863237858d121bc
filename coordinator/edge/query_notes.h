#pragma once
// The lines below a table of results: what the numbers are made of, how sure they are, what is missing. Pure.

#include <string>
#include <vector>

#include "coordinator/edge/query_cells.h"
#include "coordinator/edge/query_rows.h"

namespace ranktide {

// Returns: "learning, code: -loss of python_loss" and the like, one line per evalset that the trials use,
// and a warning where two evalsets look the same in it.
std::vector<std::string> score_notes(const std::vector<const TrialRow*>& trials,
                                     const std::vector<EvalsetRow>& evalsets);

// Returns: how the intervals were made, with the degrees of freedom of each pool, and a warning where the
// spreads of a pool differ (Bartlett, 1 %) in a metric that is shown.
std::vector<std::string> interval_notes(const std::vector<const TrialRow*>& trials,
                                        const std::vector<Metric>& shown, const std::vector<TrialRow>& all);

// Returns: how many trials are in no mean and which, or that none is missing; and what is not bit-exact
// or was computed by different versions of the engine.
// `not_started`: trials beside these that have no row yet.
std::vector<std::string> completeness_notes(const std::vector<const TrialRow*>& trials, int64_t not_started);

}  // namespace ranktide
