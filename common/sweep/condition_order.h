#pragma once
// The order in which a block asks the `when` of its axes: a cell is put together axis by axis (block_cells.h),
// so that one which reads what another sets has to come after it, wherever the file has them. Pure functions.

#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Returns: the axes of a circle, in file order, in which the `when` of each hangs on all of them; none where an
// order would do. Requires: the block's rules parse.
std::vector<std::string> condition_circle(const Block& block);

// Puts axes with a `when` behind those that it hangs on, on the places that such axes have: all others stay,
// and so does a block in order. Leaves one with a circle as it is. Requires: the block's rules parse.
void order_conditions(Block& block);

}  // namespace ranktide
