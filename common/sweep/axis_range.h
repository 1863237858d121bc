#pragma once
// A range of numbers in YAML -> the values of one key's axis: {min, max, step}, {min, max, count} and {log,
// count}, both ends included; and the open ones, {min, max} and {log}, that a random search draws from. Pure
// functions.

#include <vector>

#include "common/sweep/setting_value.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Returns: whether a map that spells an axis is an open range.
bool is_open_range(const YamlNode& node);

// Returns: where a random search draws from; both ends are values that the setting takes. Throws: SpecError.
DrawnRange read_open_range(const Setting& setting, const YamlNode& node, const ReadingPlace& place);

// Returns: the values of a range with a step or a count, rising. Ends are as they are written; between them
// whole numbers are rounded to whole ones, and others to 6 significant digits. Ends take the setting's units
// (1M, 5%). Throws: SpecError.
std::vector<AxisPoint> read_range(const Setting& setting, const YamlNode& node, const ReadingPlace& place);

// Returns: `n`, where an axis may have so many values. Throws: SpecError at the node.
size_t checked_axis_size(double n, const YamlNode& node, const ReadingPlace& place);

}  // namespace ranktide
