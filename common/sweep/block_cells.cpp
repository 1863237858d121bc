#include "common/sweep/block_cells.h"

#include <algorithm>
#include <limits>

#include "common/sweep/rule_check.h"
#include "common/sweep/setting_check.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

// Two paths may hold equal content, so these never rule a cell out.
bool is_compared_by_content(const std::string& key) {
  return key == "model.path" || key == "model.tokenizer" || key == "data.train" || key == "data.replay";
}

int64_t saturated_product(int64_t a, size_t b) {
  const auto product = static_cast<__int128>(a) * static_cast<__int128>(b);
  return static_cast<int64_t>(std::min<__int128>(product, std::numeric_limits<int64_t>::max()));
}

// Returns: a value as expressions see it: a length is its number, whatever its unit.
Json expression_value(const Json& value) {
  if (value.is_object() && value.size() == 1 && value.contains("steps")) return value["steps"];
  if (value.is_object() && value.size() == 1 && value.contains("share")) return value["share"];
  return value;
}

}  // namespace

BlockCells::BlockCells(Block block) : block_(std::move(block)) {
  for (const auto& axis : block_.axes) {
    when_.push_back(axis.when.empty() ? std::nullopt
                                      : std::optional(checked_rule(block_, "when of " + axis.name, axis.when)));
    count_ = saturated_product(count_, axis.points.size());
  }
  for (const auto& [key, text] : block_.derive) derive_[key] = checked_rule(block_, "derive " + key, text);
  for (const auto& rule : block_.exclude) exclude_.push_back(checked_rule(block_, "exclude", rule.text));
}

std::vector<size_t> BlockCells::coordinates(int64_t cell) const {
  std::vector<size_t> out(block_.axes.size());
  for (size_t axis = out.size(); axis-- > 0;) {
    const auto radix = static_cast<int64_t>(block_.axes[axis].points.size());
    out[axis] = static_cast<size_t>(cell % radix);
    cell /= radix;
  }
  return out;
}

Json BlockCells::value_of(const std::string& key, CellSettings& cell,
                          std::vector<std::string>& deriving) const {
  const auto rule = derive_.find(key);
  if (rule == derive_.end()) {
    if (const auto it = cell.set.find(key); it != cell.set.end()) return it->second;
    const Setting& setting = *find_setting(key);
    return has_effect(setting, cell.set) ? default_value(setting, cell.set).value_or(nullptr) : nullptr;
  }
  if (std::find(deriving.begin(), deriving.end(), key) != deriving.end())
    throw SpecError("derive " + key + " needs its own value; break the circle");
  deriving.push_back(key);
  const NameLookup names = [&](const std::string& name) { return lookup(name, cell, deriving); };
  const Json value = derived_value(*find_setting(key), evaluate(rule->second, names));
  deriving.pop_back();
  return value;
}

std::optional<Json> BlockCells::lookup(const std::string& name, CellSettings& cell,
                                       std::vector<std::string>& deriving) const {
  if (const auto label = cell.labels.find(name); label != cell.labels.end() && !find_setting(name))
    return label->second;
  const bool absent_axis =
      std::any_of(block_.axes.begin(), block_.axes.end(), [&](auto& a) { return a.name == name; });
  const auto key = full_key(name);
  if (!key) return absent_axis ? std::optional<Json>(nullptr) : std::nullopt;
  return expression_value(value_of(*key, cell, deriving));
}

std::optional<CellSettings> BlockCells::at(int64_t cell) const {
  RT_CHECK(cell >= 0);
  RT_CHECK(cell < count_);
  const auto place = coordinates(cell);
  CellSettings out{.set = block_.constants, .labels = {}};
  const auto take = [&](size_t axis) {
    const AxisPoint& point = block_.axes[axis].points[place[axis]];
    for (const auto& [key, value] : point.set) out.set[key] = value;
    out.labels[block_.axes[axis].name] = point.label;
  };
  std::vector<std::string> deriving;
  const NameLookup names = [&](const std::string& name) { return lookup(name, out, deriving); };
  for (size_t axis = 0; axis < place.size(); ++axis)
    if (!when_[axis]) take(axis);
  for (size_t axis = 0; axis < place.size(); ++axis) {  // a `when` may speak of the axes that have none
    if (!when_[axis]) continue;
    if (holds(*when_[axis], names))
      take(axis);
    else if (place[axis] != 0)
      return std::nullopt;
  }
  SettingValues derived;
  for (const auto& [key, rule] : derive_)
    if (has_effect(*find_setting(key), out.set)) derived[key] = value_of(key, out, deriving);
  for (auto& [key, value] : derived) out.set[key] = std::move(value);
  return out;
}

std::optional<size_t> BlockCells::excluded_by(const CellSettings& cell) const {
  if (exclude_.empty()) return std::nullopt;
  CellSettings seen = cell;
  std::vector<std::string> deriving;
  const NameLookup names = [&](const std::string& name) { return lookup(name, seen, deriving); };
  for (size_t rule = 0; rule < exclude_.size(); ++rule) {
    try {
      if (holds(exclude_[rule], names)) return rule;
    } catch (const ExpressionError& e) {
      const Rule& text = block_.exclude[rule];
      throw SpecError((text.where.empty() ? "" : text.where + ": ") + "exclude rule \"" + text.text +
                      "\": " + e.what());
    }
  }
  return std::nullopt;
}

bool BlockCells::may_give(const AxisPoint& point, const SettingValues& target) const {
  return std::all_of(point.set.begin(), point.set.end(), [&](const auto& item) {
    const auto wanted = target.find(item.first);
    return wanted == target.end() || wanted->second == item.second || derive_.contains(item.first) ||
           is_compared_by_content(item.first);
  });
}

// Returns: per axis the points that the target may stand at. A point whose keys have no effect in the target
// fits.
std::vector<std::vector<size_t>> BlockCells::candidates(const SettingValues& target) const {
  std::vector<std::vector<size_t>> out(block_.axes.size());
  for (size_t axis = 0; axis < out.size(); ++axis) {
    const auto& points = block_.axes[axis].points;
    for (size_t i = 0; i < points.size(); ++i) {
      const bool may_be_off = i == 0 && when_[axis].has_value();
      if (may_be_off || may_give(points[i], target)) out[axis].push_back(i);
    }
  }
  return out;
}

std::optional<int64_t> BlockCells::first_equal(const SettingValues& target, int64_t below,
                                               const Matches& matches) const {
  const auto choices = candidates(target);
  if (std::any_of(choices.begin(), choices.end(), [](auto& list) { return list.empty(); })) return std::nullopt;
  std::vector<size_t> at_choice(choices.size(), 0);
  for (;;) {
    int64_t number = 0;
    for (size_t axis = 0; axis < choices.size(); ++axis)
      number = number * static_cast<int64_t>(block_.axes[axis].points.size()) +
               static_cast<int64_t>(choices[axis][at_choice[axis]]);
    if (number >= below) return std::nullopt;  // candidates come in rising order
    const auto cell = at(number);
    if (cell && matches(*cell) && !excluded_by(*cell)) return number;
    size_t axis = choices.size();
    while (axis > 0 && ++at_choice[axis - 1] == choices[axis - 1].size()) at_choice[--axis] = 0;
    if (axis == 0) return std::nullopt;
  }
}

}  // namespace ranktide
