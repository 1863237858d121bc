#include "coordinator/edge/query_trials.h"

#include "coordinator/edge/store.h"

namespace ranktide {

namespace {

// A single trial's value is shown even where it is in no mean: there is none here.
Value value_of(const Metric& metric, const TrialRow& t) {
  const auto number = [](const auto& optional) -> Value {
    if (!optional) return {};
    return *optional;
  };
  if (metric.name == "learning") return number(t.learning);
  if (metric.name == "gain") return number(t.gain);
  if (metric.name == "retained") return number(t.retained);
  if (metric.name == "forgetting") return number(t.forgetting);
  if (metric.name == "tokens") return number(t.tokens);
  if (metric.name == "seconds") return number(t.seconds);
  if (metric.name == "memory") return number(t.memory_peak_bytes);
  const auto found = t.scores.find(metric.name);
  if (found == t.scores.end()) return {};
  return found->second;
}

Value artifacts_of(const TrialRow& t, const std::filesystem::path& data_folder) {
  const auto folder = artifacts_folder(data_folder, TrialId{t.trial});
  if (!std::filesystem::exists(folder)) return {};
  return folder.string();
}

Value device_of(const TrialRow& t) {
  if (t.device.empty()) return {};
  return t.device;
}

std::string axis_type(const std::vector<const TrialRow*>& trials, const ResultAxis& axis) {
  for (const auto* t : trials)
    if (std::holds_alternative<std::string>(axis_value(axis, *t))) return "text";
  return "number";
}

}  // namespace

Frame trials_frame(const std::vector<const TrialRow*>& trials, const std::vector<ResultAxis>& by,
                   const std::vector<Metric>& metrics, const std::filesystem::path& data_folder) {
  Frame frame;
  frame.columns.push_back({.name = "trial", .type = "text", .unit = "id"});
  for (const auto& axis : by)
    frame.columns.push_back({.name = axis.name, .type = axis_type(trials, axis), .unit = ""});
  frame.columns.push_back({.name = "seed", .type = "integer", .unit = ""});
  frame.columns.push_back({.name = "state", .type = "text", .unit = ""});
  frame.columns.push_back({.name = "step", .type = "integer", .unit = ""});
  for (const auto& m : metrics) {
    frame.columns.push_back({.name = m.name, .type = "number", .unit = m.unit});
    if (has_sampling_error(m)) frame.columns.push_back(sampling_error_column(m));
  }
  frame.columns.push_back({.name = "attempts", .type = "integer", .unit = ""});
  const auto detail = Column::Role::detail;
  frame.columns.push_back({.name = "steps", .type = "integer", .unit = "", .role = detail});
  frame.columns.push_back({.name = "cell", .type = "text", .unit = "id", .role = detail});
  frame.columns.push_back({.name = "message", .type = "text", .unit = "", .role = detail});
  frame.columns.push_back({.name = "artifacts", .type = "text", .unit = "", .role = detail});
  frame.columns.push_back({.name = "device", .type = "text", .unit = "", .role = detail});
  for (const auto* t : trials) {
    std::vector<Value> row{t->trial};
    for (const auto& axis : by) row.push_back(axis_value(axis, *t));
    row.insert(row.end(), {t->seed, t->state, t->step});
    for (const auto& m : metrics) {
      row.push_back(value_of(m, *t));
      if (has_sampling_error(m)) row.push_back(value_or_null(sampling_error(m, *t)));
    }
    row.insert(row.end(),
               {t->attempts, t->steps, t->cell, t->message, artifacts_of(*t, data_folder), device_of(*t)});
    frame.rows.push_back(std::move(row));
  }
  return frame;
}

}  // namespace ranktide
