#include "common/sweep/condition_order.h"

#include <algorithm>

#include "common/sweep/axis_reach.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

AxisSet bit(size_t axis) {
  return AxisSet{1} << axis;
}

struct AskedAxes {
  std::vector<size_t> axes;    // those with a `when`, in order
  std::vector<AxisSet> needs;  // beside Block::axes: what its `when` hangs on
};

// A block of more axes than are allowed is refused for that.
AskedAxes asked_axes_of(const Block& block) {
  AskedAxes out{.axes = {}, .needs = std::vector<AxisSet>(block.axes.size(), 0)};
  for (size_t axis = 0; axis < block.axes.size(); ++axis)
    if (!block.axes[axis].when.empty()) out.axes.push_back(axis);
  if (block.axes.size() > kAxesMax) out.axes.clear();
  if (out.axes.empty()) return out;
  const AxisReach reach(block);
  for (const size_t axis : out.axes) out.needs[axis] = reach.of_rule(block.axes[axis].when).axes;
  return out;
}

// Reaches are whole: who is in a circle reaches all of it, itself too.
std::vector<size_t> circle_in(const AskedAxes& asked) {
  const auto& needs = asked.needs;
  std::vector<size_t> out;
  for (const size_t axis : asked.axes) {
    if ((needs[axis] & bit(axis)) == 0) continue;
    const size_t first = out.empty() ? axis : out.front();
    if ((needs[first] & bit(axis)) && (needs[axis] & bit(first))) out.push_back(axis);
  }
  return out;
}

}  // namespace

std::vector<std::string> condition_circle(const Block& block) {
  std::vector<std::string> out;
  for (const size_t axis : circle_in(asked_axes_of(block))) out.push_back(block.axes[axis].name);
  return out;
}

void order_conditions(Block& block) {
  const AskedAxes asked = asked_axes_of(block);
  if (asked.axes.size() < 2 || !circle_in(asked).empty()) return;
  AxisSet waiting = 0;
  for (const size_t axis : asked.axes) waiting |= bit(axis);
  std::vector<Axis> ordered;
  while (waiting != 0) {
    const auto next = std::find_if(asked.axes.begin(), asked.axes.end(), [&](size_t axis) {
      return (waiting & bit(axis)) && (asked.needs[axis] & waiting) == 0;
    });
    RT_CHECK(next != asked.axes.end());
    ordered.push_back(block.axes[*next]);
    waiting &= ~bit(*next);
  }
  for (size_t i = 0; i < ordered.size(); ++i) block.axes[asked.axes[i]] = std::move(ordered[i]);
}

}  // namespace ranktide
