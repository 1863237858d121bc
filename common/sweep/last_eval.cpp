#include "common/sweep/last_eval.h"

#include <algorithm>
#include <set>

#include "common/sweep/setting_check.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr size_t kVariantsMax = 20'000;  // of one block; beyond, an axis stands at its first value

bool has_a_part(const std::string& key) {
  return key.starts_with("eval.") || key.starts_with("budget.");
}

bool has_a_part(const Axis& axis) {
  return std::any_of(axis.points.begin(), axis.points.end(), [](const AxisPoint& point) {
    return std::any_of(point.set.begin(), point.set.end(), [](auto& item) { return has_a_part(item.first); });
  });
}

bool sets_evals(const std::string& key) {
  return key == "eval.learn" || key == "eval.retain";
}

// Of evals only whether there are any: they may be large, and are copied for each variant.
SettingValues laid(SettingValues on, const SettingValues& set) {
  for (const auto& [key, value] : set)
    if (has_a_part(key)) on[key] = sets_evals(key) ? Json(!value.empty()) : value;
  return on;
}

using Variants = std::set<SettingValues>;

Variants crossed_with(const Variants& all, const Axis& axis) {
  Variants out = axis.when.empty() ? Variants{} : all;
  const bool takes_all = all.size() * axis.points.size() <= kVariantsMax;
  for (const SettingValues& set : all)
    for (size_t point = 0; point < (takes_all ? axis.points.size() : 1); ++point)
      out.insert(laid(set, axis.points[point].set));
  return out;
}

// Returns: what cells of the block, before rules exclude any, set of evals and budgets. A budget that is
// derived or drawn is in none.
Variants variants_of(const Block& block) {
  const SettingValues common = laid({}, block.constants);
  Variants crossings{common}, out;
  for (const Axis& axis : block.axes)
    if (has_a_part(axis)) crossings = crossed_with(crossings, axis);
  for (const IncludedCell& cell : block.include) {
    SettingValues set = common;
    for (const AxisPoint& point : cell.points) set = laid(std::move(set), point.set);
    crossings.insert(std::move(set));
  }
  for (SettingValues set : crossings) {
    for (const auto& [key, rule] : block.derive) set.erase(key);
    for (const Axis& axis : block.axes)
      if (axis.drawn) set.erase(axis.name);
    out.insert(std::move(set));
  }
  return out;
}

std::optional<double> budget_in(const SettingValues& set, const std::string& key) {
  const auto found = set.find(key);
  return found == set.end() ? std::nullopt : std::optional(found->second.get<double>());
}

bool may_be_last(const Moment& moment, const SettingValues& set) {
  const auto steps = budget_in(set, "budget.steps"), epochs = budget_in(set, "budget.epochs");
  switch (moment.kind) {
    case Moment::Kind::end:
      return true;
    case Moment::Kind::steps:
      return !steps || moment.amount >= *steps;
    case Moment::Kind::share:
      return steps ? moment.amount * *steps + 0.5 >= *steps : moment.amount >= 1;
    case Moment::Kind::epochs:
      return !epochs || moment.amount >= *epochs;
  }
  RT_CHECK(false);
}

bool has_evals(const SettingValues& set) {
  return std::any_of(set.begin(), set.end(), [](const auto& item) {
    return sets_evals(item.first) && item.second.template get<bool>();
  });
}

// Returns: moments of which none is the last step of some cell; null: there are none such.
Json moments_before_the_last(const Block& block) {
  for (const SettingValues& set : variants_of(block)) {
    const auto at = set.find("eval.at");
    if (at == set.end() || !has_evals(set)) continue;
    const bool has_last = std::any_of(at->second.begin(), at->second.end(), [&](const Json& text) {
      const auto moment = read_moment(text.get<std::string>());
      RT_CHECK(moment);
      return may_be_last(*moment, set);
    });
    if (!has_last) return at->second;
  }
  return {};
}

std::string with_the_end(const Json& moments) {
  std::string out;
  for (const Json& text : moments) out += text.get<std::string>() + ", ";
  return "write   eval.at: [" + out + "end]";
}

}  // namespace

std::optional<std::string> last_eval_refusal(const SweepSpec& spec) {
  if (!spec.tune) return std::nullopt;
  for (const Block& block : spec.blocks) {
    if (!block.exclude.empty()) continue;  // rules may leave out just the cells that have none
    if (const Json moments = moments_before_the_last(block); !moments.is_null())
      return "tune: values are judged by evals at a trial's last step, and block " + block.name +
             " has none there; " + with_the_end(moments);
  }
  return std::nullopt;
}

std::vector<std::string> last_eval_warnings(const SweepSpec& spec) {
  std::vector<std::string> out;
  for (const Block& block : spec.blocks)
    if (const Json moments = moments_before_the_last(block); !moments.is_null())
      out.push_back("block " + block.name +
                    (block.exclude.empty() ? " has" : ", but for cells that its rules leave out, has") +
                    " no eval at a trial's last step, so that its trials are in no mean; " +
                    with_the_end(moments) + " (warning)");
  return out;
}

}  // namespace ranktide
