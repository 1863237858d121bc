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

// Returns: how many points set the key and no longer do.
size_t erase_key(Axis& axis, const std::string& key) {
  size_t erased = axis.drawn && axis.name == key ? 1 : 0;
  for (auto& point : axis.points) erased += point.set.erase(key);
  return erased;
}

// `own`: the axis that keeps the key, since it is about to be replaced where it stands; empty: none.
void stop_varying(Block& block, const std::string& key, const std::string& own = "") {
  block.derive.erase(key);
  std::erase_if(block.axes,
                [&](Axis& axis) { return axis.name != own && erase_key(axis, key) > 0 && sets_nothing(axis); });
}

void clear_budgets(Block& block) {
  for (const char* key : {"budget.steps", "budget.tokens", "budget.epochs"}) {
    block.constants.erase(key);
    stop_varying(block, key);
  }
}

bool sets_a_budget(const AxisPoint& point) {
  return std::any_of(point.set.begin(), point.set.end(), [](auto& item) { return is_budget(item.first); });
}

// Returns: the level's one axis of labels of which some bring a budget and others none; nullptr where a budget
// comes from anywhere else, too.
const Axis* budget_of_some_labels(const Level& level) {
  const Axis* out = nullptr;
  for (const auto& [key, at] : level.constants)
    if (is_budget(key)) return nullptr;
  for (const auto& [key, rule] : level.derive)
    if (is_budget(key)) return nullptr;
  for (const Axis& axis : level.axes) {
    if (axis.drawn && is_budget(axis.name)) return nullptr;
    const auto with = std::count_if(axis.points.begin(), axis.points.end(), sets_a_budget);
    if (with == 0) continue;
    if (out || !axis.when.empty() || with == std::ssize(axis.points)) return nullptr;
    out = &axis;
  }
  return out;
}

SettingValues constant_budgets(const Block& block) {
  SettingValues out;
  for (const auto& [key, value] : block.constants)
    if (is_budget(key)) out.emplace(key, value);
  return out;
}

void put_axis(Block& block, const Axis& axis) {
  const auto it =
      std::find_if(block.axes.begin(), block.axes.end(), [&](auto& a) { return a.name == axis.name; });
  if (it == block.axes.end())
    block.axes.push_back(axis);
  else
    *it = axis;
}

// Whether another key decides over this one, and that key is the same in every cell.
bool is_ruled_by_a_constant(const Setting& setting, const Block& block) {
  const std::string ruler(setting.effect.key);
  if (ruler.empty() || block.derive.contains(ruler)) return false;
  return std::none_of(block.axes.begin(), block.axes.end(), [&](const Axis& axis) {
    if (find_setting(axis.name)) return axis.name == ruler;  // it sets no other key; it may have 10,000 points
    return std::any_of(axis.points.begin(), axis.points.end(),
                       [&](auto& point) { return point.set.contains(ruler); });
  });
}

// A label that brings no budget keeps the constant from below, which the budgets of its neighbours replace.
void keep_budget_of_other_labels(Block& block, const std::string& name, const SettingValues& below) {
  for (Axis& axis : block.axes)
    if (axis.name == name)
      for (AxisPoint& point : axis.points)
        if (!sets_a_budget(point)) point.set.insert(below.begin(), below.end());
}

}  // namespace

void lay_over(Block& block, const Level& level) {
  const auto keys = keys_set_by(level);
  const SettingValues budget_below = constant_budgets(block);
  if (std::any_of(keys.begin(), keys.end(), is_budget)) clear_budgets(block);
  std::set<std::string> replaced;
  for (const auto& axis : level.axes) replaced.insert(axis.name);
  for (const auto& key : keys) stop_varying(block, key, replaced.contains(key) ? key : "");
  for (const auto& [key, value] : level.constants) block.constants[key] = value;
  for (const auto& axis : level.axes) put_axis(block, axis);
  if (const Axis* axis = budget_of_some_labels(level))
    keep_budget_of_other_labels(block, axis->name, budget_below);
  for (const auto& [key, rule] : level.derive) block.derive[key] = rule;
  block.exclude.insert(block.exclude.end(), level.exclude.begin(), level.exclude.end());
}

void pin(Block& block, const std::string& name, const std::vector<std::string>& labels) {
  for (auto& axis : block.axes) {
    if (axis.name != name) continue;
    std::erase_if(axis.points, [&](const AxisPoint& point) {
      return std::find(labels.begin(), labels.end(), point.label) == labels.end();
    });
  }
}

bool has_method(const Block& block) {
  const auto brings_it = [](const Axis& axis) {
    return std::any_of(axis.points.begin(), axis.points.end(),
                       [](const AxisPoint& point) { return point.set.contains("method"); });
  };
  return block.constants.contains("method") || block.derive.contains("method") ||
         std::any_of(block.axes.begin(), block.axes.end(), brings_it);
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
