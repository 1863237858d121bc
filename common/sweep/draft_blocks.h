#pragma once
// The levels of a sweep file -> its blocks: laid over each other, keys without effect refused where a block
// writes them and dropped where a common level does, `include` placed last. Errors point into the file. Pure.

#include <vector>

#include "common/sweep/overrides.h"
#include "common/sweep/sweep_draft.h"

namespace ranktide {

// Returns: the blocks that nothing is wrong with, in file order. An axis of which `changes` say the labels has
// all of them. Requires: place.errors is set, and the file's top is whole.
std::vector<Block> built_blocks(const SweepDraft& draft, const std::vector<OverrideChange>& changes,
                                const ReadingPlace& place);

// Drops what has no effect in a block, and puts conditional axes in the order in which they are asked.
// Requires: overrides are applied.
void finish_blocks(SweepSpec& spec);

// Places the cells of `include`, now that the axes of every block are known. Requires: the blocks are finished.
void add_included_cells(const SweepDraft& draft, SweepSpec& spec, const ReadingPlace& place);

}  // namespace ranktide
