#pragma once
// The value that comes after an axis' last one, by its own spacing (tuning_check.h). Not whether it should be
// tried: that is decided from results. Pure.

#include <optional>

#include "common/sweep/settings.h"
#include "common/sweep/tuning_check.h"

namespace ranktide {

enum class AxisEnd { lowest, highest };

// Returns: the setting's canonical value one step beyond `end`, to the 6 digits that ranges are rounded to;
// nullopt where the setting takes no such value (a rate of 0), or where rounding to a whole number leaves it
// where it was. Requires: `value` is a number, or a length of one unit.
std::optional<Json> value_beyond(const Setting& setting, const AxisSpacing& spacing, const Json& value,
                                 AxisEnd end);

}  // namespace ranktide
