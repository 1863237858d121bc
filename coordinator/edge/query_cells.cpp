#include "coordinator/edge/query_cells.h"

#include <algorithm>
#include <set>

#include "common/vocabulary/check.h"
#include "coordinator/edge/query.h"

namespace ranktide {

namespace {

std::string method_of(const TrialRow& trial) {
  return trial.settings.value("method", "");
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& p : parts) text += (text.empty() ? "" : ", ") + p;
  return text;
}

// Where a value stands in its column: absent, then numbers by size, then texts by first appearance.
class ReadingOrder {
 public:
  void see(size_t column, const Value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) seen_.try_emplace({column, *text}, seen_.size());
  }
  std::tuple<int, double, size_t> of(size_t column, const Value& value) const {
    if (const auto* i = std::get_if<int64_t>(&value)) return {1, static_cast<double>(*i), 0};
    if (const auto* d = std::get_if<double>(&value)) return {1, *d, 0};
    if (const auto* text = std::get_if<std::string>(&value)) return {2, 0, seen_.at({column, *text})};
    return {0, 0, 0};
  }

 private:
  std::map<std::pair<size_t, std::string>, size_t> seen_;
};

void sort_groups(std::vector<Group>& groups) {
  ReadingOrder order;
  for (const auto& g : groups)
    for (size_t c = 0; c < g.by.size(); ++c) order.see(c, g.by[c]);
  std::stable_sort(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
    for (size_t c = 0; c < a.by.size(); ++c) {
      const auto left = order.of(c, a.by[c]);
      const auto right = order.of(c, b.by[c]);
      if (left != right) return left < right;
    }
    return false;
  });
}

// The rule that nothing is pooled unsaid.
void refuse_pooling(const std::vector<Group>& groups) {
  std::set<std::string> names;
  std::vector<std::string> in_order;
  for (const auto& g : groups)
    for (const auto& axis : varying_axes(g.trials))
      if (names.insert(axis.name).second) in_order.push_back(axis.name);
  if (in_order.empty()) return;
  throw QueryError("this would average over " + joined(in_order) +
                   ", which vary: add them to --by, fix them with --where (such as --where '" +
                   in_order.front() + " = VALUE'), or show the best alone with --select (such as --select " +
                   in_order.front() + "=best:learning)");
}

const char* why_in_no_mean(const TrialRow& trial) {
  if (trial.state == "diverged" || trial.state == "failed" || trial.state == "cancelled")
    return trial.state.c_str();
  return trial.state == "completed" ? "without all evals" : "not finished";
}

}  // namespace

Metric find_metric(const std::string& name, const std::vector<EvalsetRow>& evalsets) {
  if (name == "learning" || name == "gain" || name == "retained" || name == "forgetting")
    return {.name = name, .unit = "score", .kind = Metric::Kind::score};
  if (name == "tokens") return {.name = name, .unit = "tokens", .kind = Metric::Kind::cost};
  if (name == "seconds") return {.name = name, .unit = "s", .kind = Metric::Kind::cost};
  if (name == "memory") return {.name = name, .unit = "bytes", .kind = Metric::Kind::cost};
  std::set<std::string> evals;
  for (const auto& e : evalsets)
    for (const auto& task : e.tasks) evals.insert(task.name);
  if (evals.contains(name)) return {.name = name, .unit = "score", .kind = Metric::Kind::eval};
  throw QueryError("unknown metric \"" + name +
                   "\"; there are: learning, gain, retained, forgetting, tokens, seconds, memory" +
                   (evals.empty() ? "" : ", " + joined({evals.begin(), evals.end()})));
}

std::optional<double> metric_value(const Metric& metric, const TrialRow& trial) {
  if (metric.kind == Metric::Kind::cost) {
    if (trial.state != "completed") return std::nullopt;
    if (metric.name == "tokens") return trial.tokens;
    if (metric.name == "memory") return trial.memory_peak_bytes;
    return trial.seconds;
  }
  if (!trial.is_complete) return std::nullopt;
  if (metric.name == "learning") return trial.learning;
  if (metric.name == "gain") return trial.gain;
  if (metric.name == "retained") return trial.retained;
  if (metric.name == "forgetting") return trial.forgetting;
  const auto found = trial.scores.find(metric.name);
  return found == trial.scores.end() ? std::nullopt : std::optional(found->second);
}

int64_t Group::complete() const {
  return std::count_if(trials.begin(), trials.end(), [](const TrialRow* t) { return t->is_complete; });
}

std::vector<Group> group_trials(const std::vector<const TrialRow*>& trials, const std::vector<ResultAxis>& by) {
  std::vector<Group> groups;
  std::map<std::vector<Value>, size_t> index;
  for (const auto* t : trials) {
    std::vector<Value> key;
    for (const auto& axis : by) key.push_back(axis_value(axis, *t));
    const auto [it, is_new] = index.try_emplace(key, groups.size());
    if (is_new) groups.push_back({.by = key, .trials = {}});
    groups[it->second].trials.push_back(t);
  }
  refuse_pooling(groups);
  sort_groups(groups);
  return groups;
}

Pools::Key Pools::key_of(const TrialRow& trial) {
  return {trial.sweep, method_of(trial), trial.evalset};
}

Pools::Pools(const Metric& metric, const std::vector<TrialRow>& all) {
  std::map<std::pair<Key, std::string>, std::vector<const TrialRow*>> cells;
  for (const auto& t : all) {
    cells[{key_of(t), t.cell}].push_back(&t);
    pools_[key_of(t)].name = pool_name(t);
  }
  for (const auto& [key, trials] : cells) {
    Pool& pool = pools_.at(key.first);
    pool.cells.push_back(spread_of(replicates(metric, trials)));
    pool.pooled.add(pool.cells.back());
  }
}

const Pooled& Pools::of(const TrialRow& trial) const {
  return pools_.at(key_of(trial)).pooled;
}

std::vector<std::pair<std::string, double>> Pools::unequal(double below) const {
  std::vector<std::pair<std::string, double>> found;
  for (const auto& [key, pool] : pools_)
    if (const auto p = bartlett(pool.cells); p && *p < below) found.emplace_back(pool.name, *p);
  return found;
}

std::vector<double> replicates(const Metric& metric, const std::vector<const TrialRow*>& trials) {
  std::vector<double> values;
  for (const auto* t : trials)
    if (const auto value = metric_value(metric, *t)) values.push_back(*value);
  return values;
}

std::string pool_name(const TrialRow& trial) {
  const auto regime = trial.labels.find("regime");
  if (regime == trial.labels.end() || regime->second.empty()) return method_of(trial);
  return method_of(trial) + " (" + regime->second + ")";
}

std::string group_note(const Group& group, std::optional<int64_t> df) {
  std::map<std::string, int> reasons;
  int silent = 0;
  for (const auto* t : group.trials) {
    if (!t->is_complete) ++reasons[why_in_no_mean(*t)];
    silent += t->is_complete && t->is_silent;
  }
  std::vector<std::string> parts;
  if (!reasons.empty()) {
    std::vector<std::string> counted;
    for (const auto& [reason, n] : reasons) counted.push_back(std::to_string(n) + " " + reason);
    parts.push_back(std::to_string(group.complete()) + " of " + std::to_string(group.trials.size()) + ": " +
                    joined(counted));
  }
  if (group.complete() == 1 && df)
    parts.push_back(*df > 0 ? "± from the other cells' spread" : "± n/a: one seed, nothing to pool");
  if (silent > 0) parts.push_back(std::to_string(silent) + " learnt nothing (learn loss above the base's)");
  return joined(parts);
}

}  // namespace ranktide
