#pragma once
// From a frame of results to the pictures of a report: one panel per regime, names, colours, the front. Pure.

#include <string>
#include <vector>

#include "coordinator/edge/query_frame.h"
#include "coordinator/edge/report_chart.h"

namespace ranktide {

// Requires: a frame of cells with the default metrics (query.h). Cells without a mean are in no panel; the
// table and the list of what is missing have them.
std::vector<Chart> panels_of(const Frame& frame);

}  // namespace ranktide
