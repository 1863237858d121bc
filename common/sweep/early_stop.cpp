#include "common/sweep/early_stop.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/sweep/expression.h"
#include "common/sweep/identity.h"
#include "common/sweep/suggest.h"
#include "common/sweep/tuning_check.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

constexpr const char* kEvalRoles[] = {"eval.learn", "eval.retain"};

bool is_tuned(const SweepSpec& spec, const std::string& axis) {
  return std::find(spec.tune->axes.begin(), spec.tune->axes.end(), axis) != spec.tune->axes.end();
}

// ---- the eval that values are compared by

void add_evals(const SettingValues& set, std::set<std::string>& names) {
  for (const char* key : kEvalRoles)
    if (const auto it = set.find(key); it != set.end() && it->second.is_object())
      for (const auto& [name, eval] : it->second.items()) names.insert(name);
}

std::set<std::string> eval_names(const SweepSpec& spec) {
  std::set<std::string> out;
  for (const Block& block : spec.blocks) {
    add_evals(block.constants, out);
    for (const Axis& axis : block.axes)
      for (const AxisPoint& point : axis.points) add_evals(point.set, out);
    for (const IncludedCell& cell : block.include)
      for (const AxisPoint& point : cell.points) add_evals(point.set, out);
  }
  return out;
}

bool has_eval(const SettingValues& set, const std::string& key, const std::string& name) {
  const auto found = set.find(key);
  return found != set.end() && found->second.is_object() && found->second.contains(name);
}

// Whether every cell has the eval in this role, whatever axis brings the role's evals to it.
bool is_in_every_cell(const Block& block, const std::string& key, const std::string& name) {
  const bool in_constants = has_eval(block.constants, key, name);
  const auto brings = [&](const AxisPoint& point) {
    return point.set.contains(key) ? has_eval(point.set, key, name) : in_constants;
  };
  const bool is_brought = std::any_of(block.axes.begin(), block.axes.end(), [&](const Axis& axis) {
    const bool sets_it = std::any_of(axis.points.begin(), axis.points.end(),
                                     [&](const AxisPoint& point) { return point.set.contains(key); });
    return sets_it && (axis.when.empty() || in_constants) &&
           std::all_of(axis.points.begin(), axis.points.end(), brings);
  });
  const bool is_always_a_constant = std::none_of(block.axes.begin(), block.axes.end(), [&](const Axis& axis) {
    return std::any_of(axis.points.begin(), axis.points.end(),
                       [&](const AxisPoint& point) { return point.set.contains(key); });
  });
  if (!is_brought && !(is_always_a_constant && in_constants)) return false;
  return std::all_of(block.include.begin(), block.include.end(), [&](const IncludedCell& cell) {
    const auto setting = std::find_if(cell.points.begin(), cell.points.end(),
                                      [&](const AxisPoint& point) { return point.set.contains(key); });
    return setting == cell.points.end() ? in_constants : has_eval(setting->set, key, name);
  });
}

const Block* block_without(const SweepSpec& spec, const std::string& eval) {
  for (const Block& block : spec.blocks)
    if (!is_in_every_cell(block, "eval.learn", eval) && !is_in_every_cell(block, "eval.retain", eval))
      return &block;
  return nullptr;
}

std::string refusal_of_name(const std::string& by, const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  const std::string there = names.empty() ? "the sweep has none" : "there are: " + text;
  if (by.empty())
    return "run.stop_early.by names the eval that values are compared by; write it, or leave stop_early out; " +
           there;
  const std::vector<std::string_view> near(names.begin(), names.end());
  return "run.stop_early.by " + by + " is no eval of the sweep" + nearest_remedy(by, near) + "; " + there;
}

// ---- what tuned axes may not change

// Returns: the words that differ between the values of tuned axes: the axes, what their points set, and what
// the block derives from those.
std::set<std::string> tuned_words(const SweepSpec& spec, const Block& block) {
  std::set<std::string> out(spec.tune->axes.begin(), spec.tune->axes.end());
  for (const Axis& axis : block.axes)
    if (is_tuned(spec, axis.name))
      for (const AxisPoint& point : axis.points)
        for (const auto& [key, value] : point.set) out.insert(key);
  return with_derived(std::move(out), block);
}

std::optional<std::string> tuned_budget_refusal(const SweepSpec& spec) {
  for (const Block& block : spec.blocks)
    for (const std::string& word : tuned_words(spec, block))
      if (word.starts_with("budget."))
        return "run.stop_early: " + word +
               " differs between the values of a tuned axis, and whoever trains longer would win; do not tune "
               "budgets, or leave stop_early out";
  return std::nullopt;
}

// What the eval is at a point, in this role: the point's own, or the one that the whole block has.
void add_definition(const Block& block, const AxisPoint& point, const std::string& by,
                    std::set<std::string>& out) {
  for (const char* key : kEvalRoles) {
    const SettingValues& set = point.set.contains(key) ? point.set : block.constants;
    if (has_eval(set, key, by)) out.insert(set.at(key).at(by).dump());
  }
}

std::set<std::string> definitions_of(const SweepSpec& spec, const Block& block, size_t axis) {
  std::set<std::string> out;
  const std::string& by = spec.run.stop_early->by;
  for (const AxisPoint& point : block.axes[axis].points) add_definition(block, point, by, out);
  for (const IncludedCell& cell : block.include)
    if (axis < cell.points.size()) add_definition(block, cell.points[axis], by, out);
  return out;
}

bool sets_evals(const Block& block, size_t axis) {
  const auto sets = [](const AxisPoint& point) {
    return point.set.contains(kEvalRoles[0]) || point.set.contains(kEvalRoles[1]);
  };
  const auto& points = block.axes[axis].points;
  return std::any_of(points.begin(), points.end(), sets) ||
         std::any_of(block.include.begin(), block.include.end(), [&](const IncludedCell& cell) {
           return axis < cell.points.size() && sets(cell.points[axis]);
         });
}

std::optional<std::string> tuned_eval_refusal(const SweepSpec& spec) {
  for (const Block& block : spec.blocks)
    for (size_t axis = 0; axis < block.axes.size(); ++axis)
      if (is_tuned(spec, block.axes[axis].name) && sets_evals(block, axis) &&
          definitions_of(spec, block, axis).size() > 1)
        return "run.stop_early.by " + spec.run.stop_early->by + " is another eval for each value of " +
               block.axes[axis].name +
               ", which is tuned, so that values could not be compared by it; take one that is the same for "
               "all";
  return std::nullopt;
}

}  // namespace

std::vector<Rung> rungs_of(const EarlyStop& policy, Step steps) {
  std::vector<Rung> out;
  double share = policy.first;
  for (int k = 0; share < 1; ++k, share *= policy.eta) {
    const Step at = std::llround(share * static_cast<double>(steps));
    if (at >= steps) break;
    if (at > (out.empty() ? 0 : out.back().at)) out.push_back({.k = k, .at = at});
  }
  return out;
}

std::string contest_of(const SweepSpec& spec, const Block& block,
                       const std::map<std::string, std::string>& labels) {
  RT_CHECK(spec.tune);
  Json body{{"block", block.name}, {"at", Json::object()}};
  for (const Axis& axis : block.axes)
    if (const auto label = labels.find(axis.name); label != labels.end() && !is_tuned(spec, axis.name))
      body["at"][axis.name] = label->second;
  return sha256_hex("ranktide contest 1\n" + canonical_json(body));
}

std::optional<Race> race_of(const SweepSpec& spec, const SweepTrial& trial, std::vector<std::string> contests) {
  if (!spec.run.stop_early || trial.settings.seed != spec.seeds.front()) return std::nullopt;
  const auto task = std::find_if(trial.evals.begin(), trial.evals.end(),
                                 [&](const EvalTask& each) { return each.name == spec.run.stop_early->by; });
  if (task == trial.evals.end()) return std::nullopt;
  for (std::string& contest : contests)  // values that two evals of one name tell of are never compared
    contest = sha256_hex(contest + "\n" + task->spec_id);
  Race out{
      .contests = std::move(contests), .task = *task, .rungs = rungs_of(*spec.run.stop_early, trial.steps)};
  return out.rungs.empty() ? std::nullopt : std::optional(std::move(out));
}

std::string early_stop_policy(const SweepSpec& spec) {
  if (!spec.run.stop_early || !spec.tune) return "";
  const Json body{{"stop_early", to_json(*spec.run.stop_early)}, {"tune", spec.tune->axes}};
  return sha256_hex("ranktide stop_early 1\n" + canonical_json(body));
}

std::optional<std::string> early_stop_refusal(const SweepSpec& spec) {
  if (!spec.run.stop_early) return std::nullopt;
  if (!spec.tune)
    return "run.stop_early compares the values of tuned axes, and nothing is tuned; write tune: [train.lr], or "
           "leave stop_early out: without tune it would stop the cells that the sweep is to compare";
  const std::string& by = spec.run.stop_early->by;
  const std::set<std::string> names = eval_names(spec);
  if (!names.contains(by)) return refusal_of_name(by, names);
  if (const Block* block = block_without(spec, by))
    return "run.stop_early.by " + by + " is not wanted of every trial of block " + block->name +
           "; take an eval that all of them have";
  if (auto wrong = tuned_budget_refusal(spec)) return wrong;
  return tuned_eval_refusal(spec);
}

}  // namespace ranktide
