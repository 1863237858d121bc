#pragma once
// One item of an `include` list in YAML -> IncludeEntry. Knows no block: whether the entry fits one is
// included_cells.h's.

#include "common/sweep/included_cells.h"
#include "common/sweep/setting_value.h"

namespace ranktide {

inline constexpr size_t kIncludedCellsMax = 10'000;  // of one entry

// Throws: SpecError at the node, also for an expression, which picks among cells and makes none.
IncludeEntry read_include_entry(const YamlNode& node, const ReadingPlace& place);

}  // namespace ranktide
