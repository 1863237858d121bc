#pragma once
// The query's other shape: one row per trial, nothing averaged. Pure but for looking whether artifacts are
// there.

#include <filesystem>
#include <vector>

#include "coordinator/edge/query_cells.h"
#include "coordinator/edge/query_frame.h"

namespace ranktide {

// One row per trial in the sweep's order: id, `by` axes, seed, state, step, metrics, attempts, artifacts
// folder.
Frame trials_frame(const std::vector<const TrialRow*>& trials, const std::vector<ResultAxis>& by,
                   const std::vector<Metric>& metrics, const std::filesystem::path& data_folder);

}  // namespace ranktide
