#include "coordinator/edge/query_cells.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "common/vocabulary/check.h"
#include "coordinator/edge/query.h"

namespace ranktide {

namespace {

constexpr size_t kStartShown = 18;     // `trial:` and as many digits of its id as people see
constexpr size_t kValuesNamedMax = 6;  // of one axis, in a message
// Of what stands in an expression as it is.
constexpr const char* kWordLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._";

std::string method_of(const TrialRow& trial) {
  return trial.settings.value("method", "");
}

// Returns: the trial and step that it starts from; empty: the base.
std::string start_of(const TrialRow& trial) {
  return trial.settings.value("model.from", "");
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

// An axis that a row would average over.
struct PooledAxis {
  std::string name;
  std::vector<Value> values;  // of the rows that would, in the order of their trials
};

std::vector<PooledAxis> pooled_axes(const std::vector<Group>& groups) {
  std::vector<PooledAxis> out;
  std::set<std::pair<std::string, Value>> seen;
  for (const auto& g : groups)
    for (const auto& axis : varying_axes(g.trials)) {
      auto at = std::find_if(out.begin(), out.end(), [&](const PooledAxis& p) { return p.name == axis.name; });
      if (at == out.end()) at = out.insert(out.end(), PooledAxis{.name = axis.name, .values = {}});
      for (const auto* t : g.trials)
        if (const Value value = axis_value(axis, *t); seen.emplace(axis.name, value).second)
          at->values.push_back(value);
    }
  return out;
}

// "rank (4, 32)"
std::string pooled_text(const PooledAxis& axis) {
  std::vector<std::string> values;
  for (const auto& value : axis.values)
    if (values.size() < kValuesNamedMax) values.push_back(value_text(value));
  if (axis.values.size() > values.size()) values.emplace_back("…");
  return axis.name + " (" + joined(values) + ")";
}

// The rule that nothing is pooled unsaid.
void refuse_pooling(const std::vector<Group>& groups) {
  const auto axes = pooled_axes(groups);
  if (axes.empty()) return;
  const PooledAxis& first = axes.front();
  std::vector<std::string> texts;
  for (const auto& axis : axes) texts.push_back(pooled_text(axis));
  const std::string value = value_text(first.values.back());
  const bool is_word = value.find_first_not_of(kWordLetters) == std::string::npos;
  const bool is_one = axes.size() == 1;
  throw QueryError(fmt::format(
      "this would average over {0}, which {1}: add {2} to --by, fix {2} with --where (such as --where "
      "'{3} = {4}'), or show the best alone with --select (such as --select {3}=best:learning)",
      fmt::join(texts, " and "), is_one ? "varies" : "vary", is_one ? "it" : "them", first.name,
      is_word ? value : "VALUE"));
}

const char* why_in_no_mean(const TrialRow& trial) {
  if (trial.state == "stopped_early") return "stopped early";
  if (trial.state == "diverged" || trial.state == "failed" || trial.state == "cancelled")
    return trial.state.c_str();
  return trial.state == "completed" ? what_it_lacks(trial) : "not finished";
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

const char* what_it_lacks(const TrialRow& trial) {
  return trial.evals_declared > 0 ? "without all evals" : "without evals, as the sweep has none";
}

bool has_sampling_error(const Metric& metric) {
  return metric.kind == Metric::Kind::eval || metric.name == "learning" || metric.name == "retained";
}

std::optional<double> sampling_error(const Metric& metric, const TrialRow& trial) {
  if (!trial.is_complete) return std::nullopt;
  if (metric.name == "learning") return trial.learning_error;
  if (metric.name == "retained") return trial.retained_error;
  const auto found = trial.errors.find(metric.name);
  return found == trial.errors.end() ? std::nullopt : std::optional(found->second);
}

std::optional<double> sampling_error(const Metric& metric, const std::vector<const TrialRow*>& trials) {
  double sum = 0;
  int64_t n = 0;
  for (const auto* t : trials) {
    if (!t->is_complete) continue;
    const auto error = sampling_error(metric, *t);
    if (!error) return std::nullopt;
    sum += *error;
    ++n;
  }
  return n > 0 ? std::optional(sum / static_cast<double>(n)) : std::nullopt;
}

std::vector<Column> columns_of(const Metric& metric) {
  std::vector<Column> out{{.name = metric.name, .type = "number", .unit = metric.unit}};
  if (metric.kind == Metric::Kind::cost) return out;
  out.push_back(
      {.name = metric.name + "_ci", .type = "number", .unit = metric.unit, .role = Column::Role::half_width});
  out.push_back(
      {.name = metric.name + "_ci_own", .type = "number", .unit = metric.unit, .role = Column::Role::detail});
  if (has_sampling_error(metric)) out.push_back(sampling_error_column(metric));
  return out;
}

Column sampling_error_column(const Metric& metric) {
  return {.name = metric.name + "_stderr",
          .type = "number",
          .unit = metric.unit,
          .role = metric.kind == Metric::Kind::eval ? Column::Role::plain : Column::Role::detail};
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
  return {trial.sweep, method_of(trial), trial.evalset, start_of(trial)};
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
  const std::string start = start_of(trial);
  const std::string kind = method_of(trial) + (start.empty() ? "" : " from " + start.substr(0, kStartShown));
  if (regime == trial.labels.end() || regime->second.empty()) return kind;
  return kind + " (" + regime->second + ")";
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
    std::vector<std::string> of_reason;
    for (const auto& [reason, n] : reasons) of_reason.push_back(std::to_string(n) + " " + reason);
    parts.push_back(std::to_string(group.complete()) + " of " + std::to_string(group.trials.size()) + ", " +
                    joined(of_reason));
  }
  if (group.complete() == 1 && df)
    parts.push_back(*df > 0 ? "± from the other cells' spread" : "± n/a: one seed, nothing to pool");
  if (silent > 0) parts.push_back(std::to_string(silent) + " learnt nothing (learn loss above the base's)");
  return joined(parts);
}

}  // namespace ranktide
