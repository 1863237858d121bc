#include "coordinator/edge/query_notes.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "coordinator/edge/query_base.h"

namespace ranktide {

namespace {

constexpr double kBartlettLevel = 0.01;
constexpr size_t kNamedTrialsMax = 5;

// The labels of the regimes that are evaluated with this evalset.
std::string regimes_of(const EvalsetRow& evalset, const std::vector<const TrialRow*>& trials) {
  std::set<std::string> regimes;
  for (const auto* t : trials)
    if (t->evalset == evalset.evalset && t->sweep == evalset.sweep && t->labels.contains("regime"))
      regimes.insert(t->labels.at("regime"));
  return fmt::format("{}", fmt::join(regimes, ", "));
}

// "-loss of a, acc of b": with its sign, for scores are higher when better.
std::string tasks_text(const EvalsetRow& evalset, const std::string& role) {
  std::vector<std::string> parts;
  for (const auto& task : evalset.tasks) {
    if (task.role != role) continue;
    const std::string metric =
        task.metric.empty() ? "" : (task.metric == "loss" ? "−loss of " : task.metric + " of ");
    parts.push_back(metric + task.name);
  }
  if (parts.empty()) return "nothing";
  const std::string list = fmt::format("{}", fmt::join(parts, ", "));
  return parts.size() == 1 ? list : "mean(" + list + ")";
}

bool uses(const std::vector<const TrialRow*>& trials, const EvalsetRow& evalset) {
  return std::any_of(trials.begin(), trials.end(),
                     [&](const TrialRow* t) { return is_measured_against(*t, evalset); });
}

std::string some_ids(const std::vector<const TrialRow*>& trials) {
  std::vector<std::string> ids;
  for (const auto* t : trials)
    if (ids.size() < kNamedTrialsMax) ids.push_back(t->trial.substr(0, 12));
  if (trials.size() > kNamedTrialsMax) ids.push_back("…");
  return fmt::format("{}", fmt::join(ids, " "));
}

std::vector<std::string> bartlett_notes(const std::vector<TrialRow>& all) {
  std::vector<std::string> notes;
  for (const char* name : {"learning", "retained"}) {
    const Pools pools(Metric{.name = name, .unit = "score"}, all);
    for (const auto& [pool, p] : pools.unequal(kBartlettLevel))
      notes.push_back(
          fmt::format("warning: the {} spreads of the {} cells differ (Bartlett p = {:.2g}): read "
                      "learning_ci_own and its like beside ±",
                      name, pool, p));
  }
  return notes;
}

}  // namespace

std::vector<std::string> score_notes(const std::vector<const TrialRow*>& trials,
                                     const std::vector<EvalsetRow>& evalsets) {
  std::vector<std::string> notes;
  std::set<std::string> said;
  for (const auto& e : evalsets) {
    if (!uses(trials, e)) continue;
    const std::string regimes = regimes_of(e, trials);
    const std::string of = regimes.empty() ? "" : regimes + ": ";
    const auto note = fmt::format(
        "{}learning = {} · gain = learning − base's · retained = {} · forgetting = base's retained − trial's",
        of, tasks_text(e, "learn"), tasks_text(e, "retain"));
    if (said.insert(note).second) notes.push_back(note);
  }
  return notes;
}

std::vector<std::string> interval_notes(const std::vector<const TrialRow*>& trials,
                                        const std::vector<TrialRow>& all) {
  const Pools pools(Metric{.name = "learning", .unit = "score"}, all);
  std::vector<std::string> freedom;
  for (const auto* t : trials) {
    const auto text = fmt::format("{} {}", pool_name(*t), pools.of(*t).df);
    if (std::find(freedom.begin(), freedom.end(), text) == freedom.end()) freedom.push_back(text);
  }
  std::vector<std::string> notes{
      fmt::format("± = 95 %, Student's t over seeds, s pooled over the cells of a method and its evals (df {})",
                  fmt::join(freedom, ", "))};
  for (auto& warning : bartlett_notes(all)) notes.push_back(std::move(warning));
  return notes;
}

// A newer engine adds up in another order, or rounds elsewhere: its results beside older ones are comparable,
// and not bit-equal.
std::vector<std::string> numerics_notes(const std::vector<const TrialRow*>& trials) {
  std::map<int64_t, std::vector<const TrialRow*>> by_version;
  for (const auto* t : trials)
    if (t->state == "completed" || t->state == "diverged") by_version[t->numerics.value_or(0)].push_back(t);
  if (by_version.size() < 2) return {};
  std::vector<std::string> parts;
  for (const auto& [version, which] : by_version) {
    const std::string name = version == 0 ? "one that nobody noted" : fmt::format("version {}", version);
    parts.push_back(fmt::format("{} by {} ({})", which.size(), name, some_ids(which)));
  }
  return {fmt::format("trials were trained by different versions of the engine's arithmetic: {}",
                      fmt::join(parts, ", "))};
}

// So do another instruction set and another kind of device.
std::vector<std::string> device_notes(const std::vector<const TrialRow*>& trials) {
  std::map<std::string, std::vector<const TrialRow*>> by_device;
  for (const auto* t : trials)
    if (!t->device.empty()) by_device[t->device].push_back(t);
  if (by_device.size() < 2) return {};
  std::vector<std::string> parts;
  for (const auto& [device, which] : by_device)
    parts.push_back(fmt::format("{} by {} ({})", which.size(), device, some_ids(which)));
  return {fmt::format("trials were trained on different devices: {}", fmt::join(parts, ", "))};
}

std::vector<std::string> completeness_notes(const std::vector<const TrialRow*>& trials, int64_t not_started) {
  std::map<std::string, std::vector<const TrialRow*>> missing;
  std::vector<const TrialRow*> inexact;
  int64_t count = not_started;
  for (const auto* t : trials) {
    if (!t->is_exact) inexact.push_back(t);
    if (t->is_complete) continue;
    ++count;
    missing[t->state == "completed" ? "without all evals" : t->state].push_back(t);
  }
  std::vector<std::string> notes;
  if (count == 0)
    notes.push_back(fmt::format("all {} trials are in", trials.size()));
  else
    notes.push_back(fmt::format("{} of {} trials are in no mean:", count,
                                static_cast<int64_t>(trials.size()) + not_started));
  for (const auto& [why, which] : missing)
    notes.back() += fmt::format(" {} {} ({})", which.size(), why, some_ids(which));
  if (not_started > 0) notes.back() += fmt::format(" {} not started", not_started);
  if (!inexact.empty())
    notes.push_back(fmt::format("{} trials ran with a smaller micro-batch and are not promised bit-equal ({})",
                                inexact.size(), some_ids(inexact)));
  for (auto& note : numerics_notes(trials)) notes.push_back(std::move(note));
  for (auto& note : device_notes(trials)) notes.push_back(std::move(note));
  return notes;
}

}  // namespace ranktide
