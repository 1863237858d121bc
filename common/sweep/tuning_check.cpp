#include "common/sweep/tuning_check.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/sweep/expression.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/settings.h"
#include "common/sweep/suggest.h"

namespace ranktide {
namespace {

// Values are rounded to 6 significant digits, so neighbours may be off by one part in 200,000 of themselves.
constexpr double kRounding = 1e-5;

bool is_even(const std::vector<double>& sorted, const AxisSpacing& spacing) {
  for (size_t i = 1; i < sorted.size(); ++i) {
    const double next = spacing.log ? sorted[i - 1] * spacing.step : sorted[i - 1] + spacing.step;
    const double slack = kRounding * std::max(std::abs(sorted[i]), std::abs(sorted[i - 1]));
    if (std::abs(next - sorted[i]) > slack) return false;
  }
  return true;
}

std::optional<std::string> extension_refusal(const Axis& axis, const Block& block) {
  if (axis.points.size() < 2 && !axis.drawn) return std::nullopt;  // pinned here
  const auto drawn = std::find_if(block.axes.begin(), block.axes.end(),
                                  [&](const Axis& other) { return other.name != axis.name && other.drawn; });
  if (drawn != block.axes.end())
    return "tune: " + axis.name + " cannot be extended in block " + block.name + ", where the values of " +
           drawn->name + " are drawn from a range; give that a count or a step";
  if (spacing_of(axis)) return std::nullopt;
  return "tune: " + axis.name + " cannot be extended in block " + block.name +
         ", for that needs three numbers or more at one distance: {min, max, step}, {min, max, count}, {log: "
         "[..], "
         "count: 5}, or a list such as [1e-5, 1e-4, 1e-3]";
}

std::optional<std::string> axis_refusal(const SweepSpec& spec, const std::string& name) {
  bool varies = false;
  std::vector<std::string_view> names;
  for (const auto& block : spec.blocks)
    for (const auto& axis : block.axes) {
      names.push_back(axis.name);
      if (axis.name != name) continue;
      varies = varies || axis.points.size() > 1 || axis.drawn;
      if (spec.tune->extend == 0) continue;
      if (auto wrong = extension_refusal(axis, block)) return wrong;
    }
  if (varies) return std::nullopt;
  return "tune: " + name + " has no second value in any block, so there is none to choose" +
         nearest_remedy(name, names);
}

void add_evals_of(const SettingValues& set, std::set<std::string>& names) {
  for (const char* key : {"eval.learn", "eval.retain"})
    if (const auto it = set.find(key); it != set.end() && it->second.is_object())
      for (const auto& [name, eval] : it->second.items()) names.insert(name);
}

// Results have no other metric, and one that nobody finds would leave every axis as it is.
std::optional<std::string> metric_refusal(const SweepSpec& spec) {
  std::set<std::string> names{"learning", "gain", "retained", "forgetting"};
  for (const auto& block : spec.blocks) {
    add_evals_of(block.constants, names);
    for (const auto& axis : block.axes)
      for (const auto& point : axis.points) add_evals_of(point.set, names);
  }
  if (spec.tune->by.empty() || names.contains(spec.tune->by)) return std::nullopt;
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return "tune: by " + spec.tune->by + " is neither a metric nor an eval of the sweep; there are: " + text;
}

// Whether the block says what the key is, in some cell at least.
bool says_itself(const Block& block, const std::string& key) {
  if (block.constants.contains(key) || block.derive.contains(key)) return true;
  return std::any_of(block.axes.begin(), block.axes.end(), [&](const Axis& axis) {
    return (axis.drawn && axis.name == key) ||
           std::any_of(axis.points.begin(), axis.points.end(),
                       [&](const AxisPoint& point) { return point.set.contains(key); });
  });
}

}  // namespace

std::optional<double> number_of(const Axis& axis, const AxisPoint& point) {
  const auto it = point.set.find(axis.name);
  if (it == point.set.end()) return std::nullopt;
  if (it->second.is_number()) return it->second.get<double>();
  const bool is_length = it->second.is_object() && it->second.size() == 1 && it->second.begin()->is_number();
  return is_length ? std::optional(it->second.begin()->get<double>()) : std::nullopt;
}

std::optional<AxisSpacing> spacing_of(const Axis& axis) {
  std::vector<double> values;
  std::set<std::string> units;  // a share is not so many steps after the last one
  for (const auto& point : axis.points) {
    const auto value = number_of(axis, point);
    if (!value) return std::nullopt;
    values.push_back(*value);
    const Json& json = point.set.at(axis.name);
    units.insert(json.is_object() ? json.begin().key() : "");
  }
  std::sort(values.begin(), values.end());
  if (values.size() < 3 || units.size() != 1) return std::nullopt;
  const AxisSpacing linear{.log = false, .step = (values.back() - values.front()) / double(values.size() - 1)};
  if (linear.step > 0 && is_even(values, linear)) return linear;
  if (values.front() <= 0) return std::nullopt;
  const AxisSpacing ratio{.log = true,
                          .step = std::pow(values.back() / values.front(), 1.0 / double(values.size() - 1))};
  return ratio.step > 1 && is_even(values, ratio) ? std::optional(ratio) : std::nullopt;
}

std::set<std::string> with_derived(std::set<std::string> keys, const Block& block) {
  const bool has_own_alpha = says_itself(block, "lora.alpha");  // else it is twice the rank
  for (size_t before = 0; before != keys.size();) {
    before = keys.size();
    if (keys.contains("lora.rank") && !has_own_alpha) keys.insert("lora.alpha");
    for (const auto& [key, text] : block.derive)
      for (const std::string& word : words_of(parse_expression(text)))
        if (keys.contains(full_key(word).value_or(word))) keys.insert(key);
  }
  return keys;
}

bool may_be_extended(const SweepSpec& spec) {
  return spec.tune && spec.tune->extend > 0 && (!spec.taken || spec.taken_unites.value_or(false));
}

std::optional<std::string> tune_refusal(const SweepSpec& spec) {
  if (!spec.tune) return std::nullopt;
  if (spec.tune->axes.empty()) return "tune names no axis; write tune: [train.lr]";
  if (spec.tune->extend < 0 || spec.tune->extend > kTuneExtendMax)
    return "tune: extend takes 0 to 10 steps, got " + std::to_string(spec.tune->extend);
  if (!spec.tune->by.empty() && !is_name(spec.tune->by)) return name_refusal("tune: by", spec.tune->by);
  if (auto wrong = metric_refusal(spec)) return wrong;
  const std::set<std::string> distinct(spec.tune->axes.begin(), spec.tune->axes.end());
  if (distinct.size() != spec.tune->axes.size()) return "tune names an axis twice";
  for (const auto& name : spec.tune->axes)
    if (auto wrong = axis_refusal(spec, name)) return wrong;
  return std::nullopt;
}

}  // namespace ranktide
