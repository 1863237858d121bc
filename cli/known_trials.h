#pragma once
// Which trials of a grid the past knows, and what becomes of them. The past is far smaller than a large grid:
// its trials are looked for in the grid, not the grid's in it. Pure.

#include <vector>

#include "cli/sweep_plan.h"
#include "common/sweep/cell_census.h"

namespace ranktide::cli {

// Returns: by rising index. Requires: the census tells settings_of_cost() apart. The past is read once, a
// page at a time. A trial that tells settings costs by itself; one that does not has every trial of the grid
// resolved and compared by its id, once.
std::vector<KnownTrial> known_in(const Grid& grid, const CellCensus& census, const Past& past);

}  // namespace ranktide::cli
