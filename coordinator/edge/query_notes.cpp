#include "coordinator/edge/query_notes.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "common/vocabulary/readable.h"
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
  if (parts.empty()) return "";
  const std::string list = fmt::format("{}", fmt::join(parts, ", "));
  return parts.size() == 1 ? list : "mean(" + list + ")";
}

// What the two scores of a role are made of.
std::string role_text(const EvalsetRow& evalset, const std::string& role) {
  const std::string tasks = tasks_text(evalset, role);
  const bool is_learn = role == "learn";
  if (tasks.empty()) return is_learn ? "learning and gain: no eval" : "retained and forgetting: no eval";
  if (is_learn) return "learning = " + tasks + " · gain = learning − base's";
  return "retained = " + tasks + " · forgetting = base's retained − trial's";
}

std::string eval_names(const EvalsetRow& evalset) {
  std::vector<std::string> names;
  for (const auto& task : evalset.tasks) names.push_back(task.name);
  return fmt::format("{}", fmt::join(names, ", "));
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

// What differs from another by the base's score alone spreads as that does: a cell has one base.
Metric with_the_same_spread(const Metric& metric) {
  if (metric.name == "gain") return {.name = "learning", .unit = metric.unit};
  if (metric.name == "forgetting") return {.name = "retained", .unit = metric.unit};
  return metric;
}

// Of what the table shows, each spread once.
std::vector<std::string> bartlett_notes(const std::vector<Metric>& shown, const std::vector<TrialRow>& all) {
  std::vector<std::pair<Metric, std::string>> spreads;  // and what they are of
  for (const Metric& metric : shown) {
    if (metric.kind == Metric::Kind::cost) continue;
    const Metric as = with_the_same_spread(metric);
    const auto known =
        std::find_if(spreads.begin(), spreads.end(), [&](auto& s) { return s.first.name == as.name; });
    if (known == spreads.end())
      spreads.emplace_back(as, metric.name);
    else
      known->second += " and " + metric.name;
  }
  std::vector<std::string> notes;
  for (const auto& [metric, names] : spreads)
    for (const auto& [pool, p] : Pools(metric, all).unequal(kBartlettLevel))
      notes.push_back(
          fmt::format("warning: the {} spreads of the {} cells differ (Bartlett p = {:.2g}): read "
                      "{}_ci_own (in csv and json) beside ±",
                      names, pool, p, names.substr(0, names.find(' '))));
  return notes;
}

}  // namespace

std::vector<std::string> score_notes(const std::vector<const TrialRow*>& trials,
                                     const std::vector<EvalsetRow>& evalsets) {
  std::vector<std::string> notes;
  std::map<std::string, std::set<std::string>> called;  // regimes and names -> the evalsets that go by them
  for (const auto& e : evalsets) {
    if (!uses(trials, e)) continue;
    const std::string regimes = regimes_of(e, trials);
    const std::string of = regimes.empty() ? "" : regimes + ": ";
    const auto note = of + role_text(e, "learn") + " · " + role_text(e, "retain");
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
    called[of + eval_names(e)].insert(e.evalset);
  }
  for (const auto& [names, of] : called)
    if (of.size() > 1)
      notes.push_back(
          fmt::format("warning: {} sets of evals go by the same names ({}); they read other data or are asked "
                      "otherwise, so "
                      "that scores compare only within one of them",
                      of.size(), names));
  return notes;
}

std::vector<std::string> interval_notes(const std::vector<const TrialRow*>& trials,
                                        const std::vector<Metric>& shown, const std::vector<TrialRow>& all) {
  if (trials.empty()) return {};
  const Pools pools(Metric{.name = "learning", .unit = "score"}, all);
  std::vector<std::string> freedom;
  for (const auto* t : trials) {
    const auto text = fmt::format("{} {}", pool_name(*t), pools.of(*t).df);
    if (std::find(freedom.begin(), freedom.end(), text) == freedom.end()) freedom.push_back(text);
  }
  std::vector<std::string> notes{
      fmt::format("± = 95 %, Student's t over seeds, s pooled over the cells of a method and its evals (df {})",
                  fmt::join(freedom, ", "))};
  for (auto& warning : bartlett_notes(shown, all)) notes.push_back(std::move(warning));
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
    const std::string state = t->state == "stopped_early" ? "stopped early" : t->state;
    missing[state == "completed" ? what_it_lacks(*t) : state].push_back(t);
  }
  std::vector<std::string> notes;
  const int64_t all = static_cast<int64_t>(trials.size()) + not_started;
  if (all == 0)
    notes.emplace_back("no trial is listed");
  else if (count == 0)
    notes.push_back(all == 1 ? "the one trial is in" : fmt::format("all {} trials are in", all));
  else
    notes.push_back(
        fmt::format("{} of {} {} in no mean:", count, counted(all, "trial"), count == 1 ? "is" : "are"));
  for (const auto& [why, which] : missing)
    notes.back() += fmt::format(" {} {} ({})", which.size(), why, some_ids(which));
  if (not_started > 0) notes.back() += fmt::format(" {} not started", not_started);
  if (!inexact.empty())
    notes.push_back(
        fmt::format("{} ran with another micro-batch, or on two models of processor, and {} not promised "
                    "bit-equal ({})",
                    counted(static_cast<int64_t>(inexact.size()), "trial"),
                    inexact.size() == 1 ? "is" : "are", some_ids(inexact)));
  for (auto& note : numerics_notes(trials)) notes.push_back(std::move(note));
  for (auto& note : device_notes(trials)) notes.push_back(std::move(note));
  return notes;
}

}  // namespace ranktide
