#include "coordinator/edge/query_base.h"

#include <algorithm>
#include <cmath>

namespace ranktide {

namespace {

bool belongs_to_base(const ResultAxis& axis) {
  if (axis.kind == ResultAxis::Kind::column) return axis.key == "sweep";
  return axis.kind == ResultAxis::Kind::label || axis.key.starts_with("model.") ||
         axis.key.starts_with("data.");
}

// What the base has in common with every trial that is measured against it, "base" where the method stands.
Value base_axis_value(const ResultAxis& axis, const std::vector<const TrialRow*>& trials) {
  if (axis.key == "method") return Value("base");
  if (!belongs_to_base(axis)) return {};
  const Value first = axis_value(axis, *trials.front());
  const bool is_common = std::all_of(trials.begin(), trials.end(),
                                     [&](const TrialRow* t) { return axis_value(axis, *t) == first; });
  if (!is_common) return {};
  return first;
}

// The mean base score over the tasks of a role; nullopt while one is missing.
std::optional<double> base_mean(const EvalsetRow& evalset, const std::string& role) {
  double sum = 0;
  int n = 0;
  for (const auto& task : evalset.tasks) {
    if (task.role != role) continue;
    if (!task.base_score) return std::nullopt;
    sum += *task.base_score;
    ++n;
  }
  return n > 0 ? std::optional(sum / n) : std::nullopt;
}

std::optional<double> base_value(const Metric& metric, const EvalsetRow& evalset) {
  const bool of_learning = metric.name == "learning" || metric.name == "gain";
  if (metric.kind == Metric::Kind::score) {
    const auto score = base_mean(evalset, of_learning ? "learn" : "retain");
    if (!score || metric.name == "learning" || metric.name == "retained") return score;
    return 0.0;  // gain and forgetting are measured from here
  }
  for (const auto& task : evalset.tasks)
    if (task.name == metric.name) return task.base_score;
  return std::nullopt;
}

// Of a mean over several evals: they have no items in common.
std::optional<double> base_error(const Metric& metric, const EvalsetRow& evalset) {
  const std::string role = metric.name == "learning" ? "learn" : metric.name == "retained" ? "retain" : "";
  double squares = 0;
  int n = 0;
  for (const auto& task : evalset.tasks) {
    if (metric.kind == Metric::Kind::eval ? task.name != metric.name : task.role != role) continue;
    if (!task.base_error) return std::nullopt;
    squares += *task.base_error * *task.base_error;
    ++n;
  }
  return n > 0 ? std::optional(std::sqrt(squares) / n) : std::nullopt;
}

std::vector<const TrialRow*> trials_of(const EvalsetRow& evalset, const std::vector<const TrialRow*>& trials) {
  std::vector<const TrialRow*> found;
  for (const auto* t : trials)
    if (is_measured_against(*t, evalset)) found.push_back(t);
  return found;
}

}  // namespace

bool is_measured_against(const TrialRow& trial, const EvalsetRow& evalset) {
  return trial.sweep == evalset.sweep && trial.evalset == evalset.evalset && trial.base == evalset.base;
}

std::vector<Value> base_row(const EvalsetRow& evalset, const std::vector<const TrialRow*>& trials,
                            const std::vector<ResultAxis>& by, const std::vector<Metric>& metrics) {
  std::vector<Value> row;
  for (const auto& axis : by) row.push_back(base_axis_value(axis, trials_of(evalset, trials)));
  row.emplace_back();
  for (const auto& m : metrics) {
    row.push_back(value_or_null(base_value(m, evalset)));
    row.resize(row.size() + columns_of(m).size() - 1);
    if (has_sampling_error(m)) row.back() = value_or_null(base_error(m, evalset));
  }
  row.resize(row.size() + 2);
  row.emplace_back("untouched base");
  return row;
}

}  // namespace ranktide
