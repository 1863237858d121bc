#include "common/sweep/set_elsewhere.h"

#include <algorithm>
#include <vector>

namespace ranktide {
namespace {

constexpr std::string_view kBudgetSection = "budget.";

bool is_any_budget(std::string_view key) {
  return key.starts_with(kBudgetSection);
}

// Returns: the keys that would do where the cell has none of them; a budget of any kind does.
std::vector<std::string> missing_in(const SettingValues& set) {
  const bool has_budget =
      std::any_of(set.begin(), set.end(), [](auto& item) { return is_any_budget(item.first); });
  std::vector<std::string> out;
  for (const Setting& setting : settings()) {
    const bool is_missing = is_any_budget(setting.key)
                                ? !has_budget
                                : setting.default_text == "required" && setting.part == SettingPart::training &&
                                      !set.contains(std::string(setting.key));
    if (is_missing && has_effect(setting, set)) out.emplace_back(setting.key);
  }
  return out;
}

// Returns: "when rank > 4", "with regime: code, math"; empty: the axis never sets the key.
std::string where_set(const Axis& axis, const std::string& key) {
  constexpr int kLabelsShownMax = 8;
  std::string labels;
  int shown = 0;
  for (const AxisPoint& point : axis.points)
    if (point.set.contains(key) && ++shown <= kLabelsShownMax)
      labels += (labels.empty() ? "" : ", ") + point.label;
  if (shown > kLabelsShownMax) labels += ", ...";
  const bool is_own = axis.name == key;
  if (is_own ? axis.when.empty() : labels.empty()) return "";
  return is_own ? "when " + axis.when : "with " + axis.name + ": " + labels;
}

}  // namespace

std::string set_elsewhere(const Block& block, const SettingValues& set) {
  std::string out;
  for (const std::string& key : missing_in(set))
    for (const Axis& axis : block.axes)
      if (const std::string where = where_set(axis, key); !where.empty())
        out += (out.empty() ? "" : "; ") + key + " is set only " + where +
               (is_any_budget(key) ? ", in the place of any other budget" : "");
  return out;
}

}  // namespace ranktide
