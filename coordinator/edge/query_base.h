#pragma once
// The untouched base's own row in a table of results: what every gain and every forgetting is measured from.
// Pure.

#include <vector>

#include "coordinator/edge/query_cells.h"

namespace ranktide {

bool is_measured_against(const TrialRow& trial, const EvalsetRow& evalset);

// Returns: a row in the order of the cells' columns. It stands at gain 0 and forgetting 0, has neither n nor
// intervals (one set of weights, measured once), and of the axes only what all its trials share.
std::vector<Value> base_row(const EvalsetRow& evalset, const std::vector<const TrialRow*>& trials,
                            const std::vector<ResultAxis>& by, const std::vector<Metric>& metrics);

}  // namespace ranktide
