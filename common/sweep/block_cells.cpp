#include "common/sweep/block_cells.h"

#include <algorithm>
#include <limits>
#include <set>

#include "common/sweep/identity.h"
#include "common/sweep/overrides.h"
#include "common/sweep/resolve.h"
#include "common/sweep/rule_check.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/setting_error.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

// Two paths may hold equal content, and attn+mlp is all, so these never rule a cell out.
bool has_many_spellings(const std::string& key) {
  return key == "model.path" || key == "model.tokenizer" || key == "data.train" || key == "data.replay" ||
         key == "lora.target" || key == "model.from";
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

// A range of numbers is no factor: what is drawn from it is counted when it is drawn.
size_t own_points(const Axis& axis) {
  return axis.drawn ? 1 : axis.points.size();
}

std::string placed(const std::string& where) {
  return where.empty() ? "" : where + ": ";
}

std::string hash_of_training(const CellSettings& cell) {
  return sha256_hex(canonical_json(Json(complete(cell.set))));
}

// A number where a condition should be, a name without a value: said with the rule that it is about.
Json derived_by(const Expression& rule, const std::string& key, const Block& block, const NameLookup& names) {
  try {
    return evaluate(rule, names);
  } catch (const ExpressionError& e) {
    throw SettingError(key, "derive " + key + " \"" + block.derive.at(key) + "\": " + e.what());
  }
}

bool is_on(const Expression& when, const Axis& axis, const NameLookup& names) {
  try {
    return holds(when, names);
  } catch (const ExpressionError& e) {
    throw SettingError(axis.name, "when of " + axis.name + " \"" + axis.when + "\": " + e.what());
  }
}

bool is_rule_of_file(const Rule& rule) {
  return rule.where != kOnlyRule;
}

}  // namespace

int64_t crossed_cells(const Block& block) {
  int64_t out = 1;
  for (const Axis& axis : block.axes) out *= static_cast<int64_t>(axis.points.size());
  return out;
}

BlockCells::BlockCells(Block block, const std::optional<RandomSearch>& search) : block_(std::move(block)) {
  for (const auto& axis : block_.axes) {
    when_.push_back(axis.when.empty() ? std::nullopt
                                      : std::optional(checked_rule(block_, "when of " + axis.name, axis.when)));
    own_count_ = saturated_product(own_count_, own_points(axis));
  }
  for (const auto& [key, text] : block_.derive) derive_[key] = checked_rule(block_, "derive " + key, text);
  for (const auto& rule : block_.exclude)
    exclude_.push_back(is_rule_of_file(rule) ? checked_rule(block_, "exclude", rule.text)
                                             : named_rule(block_, kOnlyRule, rule.text));
  for (const auto& rule : when_)
    if (rule) add_keys(*rule);
  for (const auto& [key, rule] : derive_) add_keys(rule);
  for (const auto& rule : exclude_) add_keys(rule);
  if (search) {
    draw_.emplace(block_, search->seed);
    drawn_ = drawn(search->cells);
    own_count_ = static_cast<int64_t>(drawn_.size());
  }
  count_ = own_count_ + std::min(static_cast<int64_t>(block_.include.size()),
                                 std::numeric_limits<int64_t>::max() - own_count_);
}

void BlockCells::add_keys(const Expression& rule) {
  for (const auto& word : words_of(rule))
    if (auto key = full_key(word)) keys_[word] = *std::move(key);
}

std::optional<int64_t> BlockCells::drawn_of() const {
  RT_CHECK(draw_);
  return draw_->size();
}

BlockCells::Points BlockCells::crossed_points(int64_t cell) const {
  Points out;
  out.on.resize(block_.axes.size());
  out.is_first.resize(block_.axes.size());
  for (size_t axis = out.on.size(); axis-- > 0;) {
    const auto& points = block_.axes[axis].points;
    const auto radix = static_cast<int64_t>(points.size());
    out.on[axis] = &points[static_cast<size_t>(cell % radix)];
    out.is_first[axis] = cell % radix == 0;
    cell /= radix;
  }
  return out;
}

// A value between two ends is none of an axis' first points: where its `when` is false every draw is the same
// cell, and all but the first are repeats.
BlockCells::Points BlockCells::drawn_points(int64_t draw) const {
  const auto stands = draw_->at(draw);
  Points out;
  out.made.reserve(stands.size());
  for (size_t axis = 0; axis < stands.size(); ++axis) {
    const Axis& given = block_.axes[axis];
    if (given.drawn) out.made.push_back(drawn_point(given, stands[axis].value));
    out.on.push_back(given.drawn ? &out.made.back() : &given.points[stands[axis].point]);
    out.is_first.push_back(given.drawn || stands[axis].point == 0);
  }
  return out;
}

BlockCells::Points BlockCells::points_of(int64_t cell) const {
  return draw_ ? drawn_points(drawn_[static_cast<size_t>(cell)]) : crossed_points(cell);
}

// A cell that is drawn again under another number is the same training and is passed over, as one is that
// does not exist or that a rule drops.
std::vector<int64_t> BlockCells::drawn(int64_t wanted) const {
  const int64_t end = draw_->size().value_or(std::numeric_limits<int64_t>::max());
  std::vector<int64_t> out;
  std::set<std::string> seen;
  try {
    for (int64_t draw = 0, misses = 0; draw < end && std::ssize(out) < wanted; ++draw) {
      const auto cell = settings_at(drawn_points(draw));
      const bool is_new = cell && !excluded_by(*cell) && seen.insert(hash_of_training(*cell)).second;
      if (is_new)
        out.push_back(draw);
      else if (++misses == kMissesMax)
        break;
    }
  } catch (const ExpressionError& e) {
    throw SpecError("block " + block_.name + ": " + e.what());
  } catch (const SpecError& e) {
    throw SpecError("block " + block_.name + ": " + e.what());
  }
  return out;
}

Json BlockCells::value_of(const std::string& key, CellSettings& cell,
                          std::vector<std::string>& deriving) const {
  const auto rule = derive_.find(key);
  const Setting& setting = *find_setting(key);
  // Derived again it might be another value than the cell has: the defaults that it reads may hang on others.
  if (std::find(cell.derived.begin(), cell.derived.end(), &setting) != cell.derived.end())
    return cell.set.at(key);
  if (rule == derive_.end()) {
    if (const auto it = cell.set.find(key); it != cell.set.end()) return it->second;
    return has_effect(setting, cell.set) ? default_value(setting, cell.set).value_or(nullptr) : nullptr;
  }
  if (std::find(deriving.begin(), deriving.end(), key) != deriving.end())
    throw SettingError(key, "derive " + key + " needs its own value; break the circle");
  deriving.push_back(key);
  const NameLookup names = [&](const std::string& name) { return lookup(name, cell, deriving); };
  const Json value = derived_value(setting, derived_by(rule->second, key, block_, names));
  deriving.pop_back();
  return value;
}

std::optional<Json> BlockCells::lookup(const std::string& name, CellSettings& cell,
                                       std::vector<std::string>& deriving) const {
  const auto key = keys_.find(name);
  return named(name, key == keys_.end() ? nullptr : &key->second, cell, deriving);
}

std::optional<Json> BlockCells::meaning(const std::string& word, const CellSettings& cell) const {
  CellSettings seen = cell;
  std::vector<std::string> deriving;
  const auto key = full_key(word);
  return named(word, key ? &*key : nullptr, seen, deriving);
}

std::optional<Json> BlockCells::named(const std::string& name, const std::string* key, CellSettings& cell,
                                      std::vector<std::string>& deriving) const {
  if (const auto label = cell.labels.find(name); label != cell.labels.end() && !find_setting(name))
    return label->second;
  const bool absent_axis =
      std::any_of(block_.axes.begin(), block_.axes.end(), [&](auto& a) { return a.name == name; });
  if (!key) return absent_axis ? std::optional<Json>(nullptr) : std::nullopt;
  return expression_value(value_of(*key, cell, deriving));
}

std::optional<CellSettings> BlockCells::at(int64_t cell) const {
  RT_CHECK(cell >= 0);
  RT_CHECK(cell < count_);
  if (cell >= own_count_) return included(cell);
  return settings_at(points_of(cell));
}

std::optional<CellSettings> BlockCells::underived_at(int64_t cell) const {
  RT_CHECK(cell >= 0);
  RT_CHECK(cell < own_count_);
  return underived_at(points_of(cell));
}

CellSettings BlockCells::included(int64_t cell) const {
  const IncludedCell& entry = block_.include[static_cast<size_t>(cell - own_count_)];
  Points points;
  for (const AxisPoint& point : entry.points) points.on.push_back(&point);
  points.is_first.resize(points.on.size(), true);
  CellSettings out = *settings_at(points);
  for (size_t axis = 0; axis < entry.points.size(); ++axis) {
    const std::string& name = block_.axes[axis].name;
    const bool counts = out.labels.contains(name);
    if (counts == !is_unnamed(entry.points[axis])) continue;
    throw SpecError(placed(entry.where) + "include: " + name +
                    (counts ? " has to be named, for it has a value here"
                            : " has no value here (when " + block_.axes[axis].when + "); leave it out"));
  }
  out.is_included = true;
  return out;
}

std::optional<CellSettings> BlockCells::settings_at(const Points& points) const {
  auto out = underived_at(points);
  if (out) derive(*out);
  return out;
}

std::optional<CellSettings> BlockCells::underived_at(const Points& points) const {
  CellSettings out{.set = block_.constants, .labels = {}};
  const auto take = [&](size_t axis) {
    for (const auto& [key, value] : points.on[axis]->set) out.set[key] = value;
    out.labels[block_.axes[axis].name] = points.on[axis]->label;
  };
  std::vector<std::string> deriving;
  const NameLookup names = [&](const std::string& name) { return lookup(name, out, deriving); };
  for (size_t axis = 0; axis < points.on.size(); ++axis)
    if (!when_[axis]) take(axis);
  for (size_t axis = 0; axis < points.on.size(); ++axis) {  // a `when` may speak of the axes that have none
    if (!when_[axis]) continue;
    if (is_on(*when_[axis], block_.axes[axis], names))
      take(axis);
    else if (!points.is_first[axis])
      return std::nullopt;
  }
  return out;
}

void BlockCells::derive(CellSettings& cell) const {
  std::vector<std::string> deriving;
  SettingValues derived;
  for (const auto& [key, rule] : derive_)
    if (has_effect(*find_setting(key), cell.set)) derived[key] = value_of(key, cell, deriving);
  for (auto& [key, value] : derived) {
    cell.derived.push_back(find_setting(key));
    cell.set[key] = std::move(value);
  }
}

std::optional<size_t> BlockCells::excluded_by(const CellSettings& cell) const {
  if (exclude_.empty()) return std::nullopt;
  CellSettings seen = cell;
  std::vector<std::string> deriving;
  const NameLookup names = [&](const std::string& name) { return lookup(name, seen, deriving); };
  for (size_t rule = 0; rule < exclude_.size(); ++rule) {
    if (cell.is_included && is_rule_of_file(block_.exclude[rule])) continue;
    try {
      if (holds(exclude_[rule], names)) return rule;
    } catch (const ExpressionError& e) {
      const Rule& text = block_.exclude[rule];
      throw SpecError(placed(text.where) + "exclude rule \"" + text.text + "\": " + e.what());
    }
  }
  return std::nullopt;
}

bool BlockCells::may_give(const AxisPoint& point, const SettingValues& target) const {
  return std::all_of(point.set.begin(), point.set.end(), [&](const auto& item) {
    const auto wanted = target.find(item.first);
    return wanted == target.end() || wanted->second == item.second || derive_.contains(item.first) ||
           has_many_spellings(item.first);
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
  RT_CHECK(!draw_);
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
