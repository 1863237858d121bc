#include "common/sweep/sweep_level.h"

#include <algorithm>
#include <set>

namespace ranktide {
namespace {

bool is_budget(const std::string& key) {
  return key.starts_with("budget.");
}

std::set<std::string> keys_set_by(const Level& level) {
  std::set<std::string> out;
  for (const auto& [key, value] : level.constants) out.insert(key);
  for (const auto& [key, rule] : level.derive) out.insert(key);
  for (const auto& axis : level.axes) {
    if (axis.drawn) out.insert(axis.name);
    for (const auto& point : axis.points)
      for (const auto& [key, value] : point.set) out.insert(key);
  }
  return out;
}

bool sets_nothing(const Axis& axis) {
  return std::all_of(axis.points.begin(), axis.points.end(), [](auto& point) { return point.set.empty(); });
}

void stop_varying(Block& block, const std::string& key) {
  block.derive.erase(key);
  std::erase_if(block.axes, [&](Axis& axis) {
    size_t erased = axis.drawn && axis.name == key ? 1 : 0;
    for (auto& point : axis.points) erased += point.set.erase(key);
    return erased > 0 && sets_nothing(axis);
  });
}

void clear_budgets(Block& block) {
  for (const char* key : {"budget.steps", "budget.tokens", "budget.epochs"}) {
    block.constants.erase(key);
    stop_varying(block, key);
  }
}

void put_axis(Block& block, const Axis& axis) {
  const auto it =
      std::find_if(block.axes.begin(), block.axes.end(), [&](auto& a) { return a.name == axis.name; });
  if (it == block.axes.end())
    block.axes.push_back(axis);
  else
    *it = axis;
}

void pin(Block& block, const std::string& name, const std::vector<std::string>& labels) {
  for (auto& axis : block.axes) {
    if (axis.name != name) continue;
    std::erase_if(axis.points, [&](const AxisPoint& point) {
      return std::find(labels.begin(), labels.end(), point.label) == labels.end();
    });
  }
}

// Whether another key decides over this one, and that key is the same in every cell.
bool is_ruled_by_a_constant(const Setting& setting, const Block& block) {
  const std::string ruler(setting.effect.key);
  if (ruler.empty() || block.derive.contains(ruler)) return false;
  return std::none_of(block.axes.begin(), block.axes.end(), [&](const Axis& axis) {
    return (axis.drawn && axis.name == ruler) ||
           std::any_of(axis.points.begin(), axis.points.end(),
                       [&](auto& point) { return point.set.contains(ruler); });
  });
}

}  // namespace

void lay_over(Block& block, const Level& level) {
  const auto keys = keys_set_by(level);
  if (std::any_of(keys.begin(), keys.end(), is_budget)) clear_budgets(block);
  for (const auto& [name, labels] : level.pins) pin(block, name, labels);
  std::set<std::string> replaced;
  for (const auto& axis : level.axes) replaced.insert(axis.name);
  for (const auto& key : keys)
    if (!replaced.contains(key)) stop_varying(block, key);  // an axis of the same name keeps its place below
  for (const auto& [key, value] : level.constants) block.constants[key] = value;
  for (const auto& axis : level.axes) {
    if (axis.drawn) block.derive.erase(axis.name);
    for (const auto& point : axis.points)
      for (const auto& [key, value] : point.set) block.derive.erase(key);
    for (auto& below : block.axes)
      if (below.name != axis.name)
        for (auto& point : below.points) point.set.erase(axis.name);
    put_axis(block, axis);
  }
  for (const auto& [key, rule] : level.derive) block.derive[key] = rule;
  block.exclude.insert(block.exclude.end(), level.exclude.begin(), level.exclude.end());
}

bool may_have_effect(const Setting& setting, const Block& block) {
  return !is_ruled_by_a_constant(setting, block) || has_effect(setting, block.constants);
}

std::string effect_ruled_out_by(const Setting& setting, const Block& block) {
  const std::string ruler(setting.effect.key);
  const auto it = block.constants.find(ruler);
  const Json value = it != block.constants.end()
                         ? it->second
                         : default_value(*find_setting(ruler), block.constants).value_or(nullptr);
  return ruler + ": " +
         (value.is_string()                 ? value.get<std::string>()
          : value.is_number() && value == 0 ? "0"
                                            : value.dump());
}

}  // namespace ranktide
