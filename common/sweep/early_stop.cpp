#include "common/sweep/early_stop.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/sweep/suggest.h"

namespace ranktide {
namespace {

std::set<std::string> evals_of(const SweepSpec& spec) {
  std::set<std::string> out;
  const auto add = [&](const SettingValues& set) {
    for (const char* key : {"eval.learn", "eval.retain"})
      if (const auto it = set.find(key); it != set.end() && it->second.is_object())
        for (const auto& [name, eval] : it->second.items()) out.insert(name);
  };
  for (const Block& block : spec.blocks) {
    add(block.constants);
    for (const Axis& axis : block.axes)
      for (const AxisPoint& point : axis.points) add(point.set);
    for (const IncludedCell& cell : block.include)
      for (const AxisPoint& point : cell.points) add(point.set);
  }
  return out;
}

}  // namespace

std::vector<Step> rungs_of(const EarlyStop& policy, Step steps) {
  std::vector<Step> out;
  for (double share = policy.first; share < 1; share *= policy.eta) {
    const Step at = std::max<Step>(1, std::llround(share * static_cast<double>(steps)));
    if (at >= steps) break;
    if (out.empty() || at > out.back()) out.push_back(at);
  }
  return out;
}

std::optional<Race> race_of(const RunPolicy& run, const SweepTrial& trial) {
  if (!run.stop_early) return std::nullopt;
  const auto task = std::find_if(trial.evals.begin(), trial.evals.end(),
                                 [&](const EvalTask& each) { return each.name == run.stop_early->by; });
  if (task == trial.evals.end()) return std::nullopt;
  Race out{.task = *task, .rungs = rungs_of(*run.stop_early, trial.steps)};
  return out.rungs.empty() ? std::nullopt : std::optional(std::move(out));
}

std::optional<std::string> early_stop_refusal(const SweepSpec& spec) {
  if (!spec.run.stop_early) return std::nullopt;
  const EarlyStop& policy = *spec.run.stop_early;
  if (!spec.tune)
    return "run.stop_early compares the values of tuned axes, and nothing is tuned; write tune: [train.lr], or "
           "leave stop_early out: without tune it would stop the cells that the sweep is to compare";
  const std::set<std::string> names = evals_of(spec);
  if (names.contains(policy.by)) return std::nullopt;
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  const std::string there = names.empty() ? "the sweep has none" : "there are: " + text;
  if (policy.by.empty()) return "run.stop_early.by names the eval that trials are compared by; " + there;
  const std::vector<std::string_view> near(names.begin(), names.end());
  return "run.stop_early.by " + policy.by + " is no eval of the sweep" + nearest_remedy(policy.by, near) +
         "; " + there;
}

}  // namespace ranktide
