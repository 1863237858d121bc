#include "common/sweep/axis_reach.h"

#include <algorithm>

#include "common/sweep/expression.h"

namespace ranktide {
namespace {

std::set<std::string> keys_that_points_set(const Axis& axis) {
  std::set<std::string> out;
  if (axis.drawn) out.insert(axis.name);
  for (const AxisPoint& point : axis.points)
    for (const auto& [key, value] : point.set) out.insert(key);
  return out;
}

// Whether no cell is left to the setting's default. What is derived is read as it was before, too.
bool is_set_in_every_cell(const Block& block, const std::string& key) {
  const auto sets_it = [&](const AxisPoint& point) { return point.set.contains(key); };
  return block.constants.contains(key) || std::any_of(block.axes.begin(), block.axes.end(), [&](const Axis& axis) {
           if (!axis.when.empty()) return false;
           if (axis.drawn) return axis.name == key;
           return !axis.points.empty() && std::all_of(axis.points.begin(), axis.points.end(), sets_it);
         });
}

SettingValues only(const SettingValues& values, const std::set<std::string>& keys) {
  SettingValues out;
  for (const auto& [key, value] : values)
    if (keys.contains(key)) out.emplace(key, value);
  return out;
}

}  // namespace

void Reach::add(const Reach& other) {
  axes |= other.axes;
  keys.insert(other.keys.begin(), other.keys.end());
}

// Everything grows until nothing does: rules may speak of each other in any order.
AxisReach::AxisReach(const Block& block) : block_(block), axes_(block.axes.size()) {
  for (size_t axis = 0; axis < axes_.size(); ++axis) axes_[axis].axes = AxisSet{1} << axis;
  for (size_t axis = 0; axis < axes_.size(); ++axis)
    for (const auto& key : keys_that_points_set(block.axes[axis])) setters_[key].push_back(axis);
  for (const Setting& setting : settings()) settings_[std::string(setting.key)].keys.emplace(setting.key);
  for (bool grows = true; grows;) {
    grows = false;
    const auto grow = [&](Reach& own, const Reach& more) {
      const Reach before = own;
      own.add(more);
      grows = grows || !(own == before);
    };
    for (size_t axis = 0; axis < axes_.size(); ++axis)
      if (!block.axes[axis].when.empty()) grow(axes_[axis], of_rule(block.axes[axis].when));
    for (auto& [key, reach] : settings_) grow(reach, found_for(key));
  }
}

Reach AxisReach::found_for(const std::string& key) const {
  const Setting& setting = *find_setting(key);
  Reach out;
  if (const auto setters = setters_.find(key); setters != setters_.end())
    for (const size_t axis : setters->second) out.add(axes_[axis]);
  if (const auto rule = block_.derive.find(key); rule != block_.derive.end()) out.add(of_rule(rule->second));
  std::vector<std::string_view> sources{setting.effect.key};
  if (!is_set_in_every_cell(block_, key)) sources.push_back(default_source(setting));
  for (const std::string_view source : sources)
    if (!source.empty()) out.add(settings_.at(std::string(source)));
  return out;
}

// A word that is neither is a text of the other side's.
Reach AxisReach::of_name(const std::string& name) const {
  Reach out;
  for (size_t axis = 0; axis < axes_.size(); ++axis)
    if (block_.axes[axis].name == name) out.add(axes_[axis]);
  if (const auto key = full_key(name)) out.add(settings_.at(*key));
  return out;
}

Reach AxisReach::of_rule(const std::string& text) const {
  Reach out;
  for (const std::string& word : words_of(parse_expression(text))) out.add(of_name(word));
  return out;
}

Reach AxisReach::of_setting(const std::string& key) const {
  return settings_.at(key);
}

Reach AxisReach::of_axis(size_t axis) const {
  return axes_[axis];
}

Block narrowed(const Block& block, const Reach& reach) {
  Block out{.name = block.name,
            .constants = only(block.constants, reach.keys),
            .axes = {},
            .derive = {},
            .exclude = {}};
  for (size_t axis = 0; axis < block.axes.size(); ++axis) {
    if ((reach.axes >> axis & 1) == 0) continue;
    out.axes.push_back(block.axes[axis]);
    for (AxisPoint& point : out.axes.back().points) point.set = only(point.set, reach.keys);
  }
  for (const auto& [key, rule] : block.derive)
    if (reach.keys.contains(key)) out.derive.emplace(key, rule);
  return out;
}

}  // namespace ranktide
