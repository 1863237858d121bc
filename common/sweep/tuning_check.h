#pragma once
// Whether what a sweep says of tuning can be done: every tuned name varies somewhere, and an axis that may grow
// has one spacing. Not which value is best: that is decided from results. Pure functions.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

inline constexpr int kTuneExtendMax = 10;

// The distance between neighbours of a regular numeric axis, in rising order.
struct AxisSpacing {
  bool log = false;
  double step = 0;  // a difference, or where `log` a ratio
};

// Returns: the spacing of a plain key's axis; nullopt when its values are no numbers, fewer than three (two
// have both a difference and a ratio), or not evenly spaced to within the 6 digits that ranges are rounded to.
std::optional<AxisSpacing> spacing_of(const Axis& axis);

// Returns: the value of a numeric point (a length is its steps); nullopt for any other.
std::optional<double> number_of(const Axis& axis, const AxisPoint& point);

// Returns: the keys, and all that the block, or a default where the block says nothing, derives from them.
std::set<std::string> with_derived(std::set<std::string> keys, const Block& block);

// Returns: whether tuning may add to the sweep. It may not to a part of a grid that somebody chose.
bool may_be_extended(const SweepSpec& spec);

// Returns: why spec.tune cannot be carried out; nullopt when it can, also when there is none.
std::optional<std::string> tune_refusal(const SweepSpec& spec);

}  // namespace ranktide
