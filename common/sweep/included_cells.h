#pragma once
// `include`: cells beside those that the axes of a block give. An entry names, axis by axis, the values that it
// stands for, in the words of the file; whether it fits a block, and which cells it gives there, is decided
// here, when the block's axes are known. Not YAML (include_yaml.h). Pure functions.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/spec_error.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

struct IncludeEntry {
  // What the entry names -> the points that it may have, which are crossed. Under a full key the points set it;
  // under the name of rows or a zip they are labels that set nothing yet.
  std::map<std::string, std::vector<AxisPoint>> choices;
  Place at;
  std::string where;  // file:line:column
};

// Returns: why the entry is none of the block's: an axis that it leaves out, a name that is no axis, a label
// that the axis has not got; nullopt when it fits. An axis of one point need not be named, nor
// one with a `when`, which has no value where that is false.
std::optional<std::string> misfit(const IncludeEntry& entry, const Block& block);

// Returns: the entry's cells. Requires: it fits the block.
std::vector<IncludedCell> cells_of(const IncludeEntry& entry, const Block& block);

}  // namespace ranktide
