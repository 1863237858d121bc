#include "coordinator/edge/query_axes.h"

#include <fmt/format.h>
#include <map>
#include <set>

#include "common/sweep/expression.h"
#include "common/sweep/settings.h"
#include "coordinator/edge/query.h"

namespace ranktide {

namespace {

Value value_of(const Json& json) {
  if (json.is_boolean()) return Value(std::string(json.get<bool>() ? "true" : "false"));
  if (json.is_number_integer()) return Value(json.get<int64_t>());
  if (json.is_number()) return Value(json.get<double>());
  if (json.is_string()) return Value(json.get<std::string>());
  return {};
}

// Whether the setting's value is not what the file says: a path becomes absolute, a trial's id becomes whole.
bool is_resolved(const std::string& key) {
  const Setting* setting = find_setting(key);
  if (!setting) return false;
  return setting->type == SettingType::folder || setting->type == SettingType::sources ||
         setting->type == SettingType::replay || setting->type == SettingType::source;
}

// Without those of axes over one setting, whose values say the same and have a size; but people ask for paths
// as they wrote them.
std::set<std::string> label_names(const std::vector<const TrialRow*>& trials) {
  std::set<std::string> names;
  for (const auto* t : trials)
    for (const auto& [name, label] : t->labels) names.insert(name);
  for (const auto* t : trials)
    std::erase_if(names,
                  [&](const std::string& name) { return t->settings.contains(name) && !is_resolved(name); });
  return names;
}

std::set<std::string> setting_keys(const std::vector<const TrialRow*>& trials) {
  std::set<std::string> keys;
  for (const auto* t : trials)
    for (const auto& [key, value] : t->settings.items()) keys.insert(key);
  return keys;
}

std::vector<const TrialRow*> pointers(const std::vector<TrialRow>& trials) {
  std::vector<const TrialRow*> out;
  for (const auto& t : trials) out.push_back(&t);
  return out;
}

// The last part of a key, where that is enough to find it again.
std::string short_name(const std::string& key) {
  const std::string last = key.substr(key.rfind('.') + 1);
  return full_key(last) == key ? last : key;
}

// Every axis there is, those that people name first: a varying list is explained by its first entries.
std::vector<ResultAxis> all_axes(const std::vector<const TrialRow*>& trials) {
  std::vector<ResultAxis> axes{{.name = "sweep", .kind = ResultAxis::Kind::column, .key = "sweep"}};
  for (const auto& name : label_names(trials))
    axes.push_back({.name = name, .kind = ResultAxis::Kind::label, .key = name});
  auto keys = setting_keys(trials);
  keys.erase("seed");
  for (const char* key : {"method", "lora.rank", "lora.target", "train.lr"})
    if (keys.erase(key) > 0) axes.push_back({.name = short_name(key), .key = key});
  for (const auto& key : keys) axes.push_back({.name = short_name(key), .key = key});
  return axes;
}

std::string names_text(const std::vector<ResultAxis>& axes) {
  std::string text;
  for (const auto& a : axes) text += (text.empty() ? "" : ", ") + a.name;
  return text;
}

Json json_of_axis(const ResultAxis& axis, const TrialRow& trial) {
  const Value value = axis_value(axis, trial);
  if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  return nullptr;
}

std::optional<ResultAxis> listed_axis(const std::string& name, const std::vector<const TrialRow*>& trials) {
  if (name == "sweep" || name == "block")
    return ResultAxis{.name = name, .kind = ResultAxis::Kind::column, .key = name};
  const auto labels = label_names(trials);
  const auto key = full_key(name);
  if (labels.contains(name)) return ResultAxis{.name = name, .kind = ResultAxis::Kind::label, .key = name};
  if (key && labels.contains(*key))
    return ResultAxis{.name = name, .kind = ResultAxis::Kind::label, .key = *key};
  if (key && find_setting(*key)) return ResultAxis{.name = name, .key = *key};
  if (setting_keys(trials).contains(name)) return ResultAxis{.name = name, .key = name};
  return std::nullopt;
}

std::optional<ResultAxis> lookup_axis(const std::string& name, const SweepRows& rows) {
  if (auto axis = listed_axis(name, pointers(rows.trials))) return axis;
  if (!rows.axes.contains(name)) return std::nullopt;
  return ResultAxis{.name = name, .kind = ResultAxis::Kind::label, .key = name};
}

// A word that is neither an axis nor a value beside one would make every comparison false, and the answer
// empty.
void refuse_unknown(const Expression& expression, const std::map<std::string, std::optional<ResultAxis>>& axes,
                    const SweepRows& rows) {
  if (rows.trials.empty()) return;  // nobody knows the labels that settings give yet
  std::set<std::string> known{"true", "false"};
  for (const auto& comparison : text_comparisons(expression))
    if (const auto axis = axes.find(comparison.name); axis != axes.end() && axis->second)
      known.insert(comparison.value->text);
  for (const auto& word : words_of(expression))
    if (!axes.at(word) && !known.contains(word)) find_axis(word, rows);  // says which there are
}

// Trials in parts that agree in every axis seen so far.
class Partition {
 public:
  explicit Partition(const std::vector<const TrialRow*>& trials) : trials_(trials), part_(trials.size(), 0) {}

  // Returns: whether the axis split a part.
  bool refine(const ResultAxis& axis) {
    std::map<std::pair<size_t, Value>, size_t> finer;
    for (size_t i = 0; i < trials_.size(); ++i)
      part_[i] = finer.try_emplace({part_[i], axis_value(axis, *trials_[i])}, finer.size()).first->second;
    const bool is_finer = finer.size() > parts_;
    parts_ = finer.size();
    return is_finer;
  }

 private:
  const std::vector<const TrialRow*>& trials_;
  std::vector<size_t> part_;
  size_t parts_ = 1;
};

}  // namespace

ResultAxis find_axis(const std::string& name, const SweepRows& rows) {
  if (auto axis = lookup_axis(name, rows)) return *axis;
  auto known = all_axes(pointers(rows.trials));
  for (const std::string& axis : rows.axes)
    if (is_to_come(axis, rows)) known.push_back({.name = axis, .key = axis});
  throw QueryError("unknown axis \"" + name + "\"; there are: block, " + names_text(known));
}

bool is_to_come(const std::string& name, const SweepRows& rows) {
  return rows.axes.contains(name) && !listed_axis(name, pointers(rows.trials));
}

Value axis_value(const ResultAxis& axis, const TrialRow& trial) {
  switch (axis.kind) {
    case ResultAxis::Kind::column:
      return axis.key == "sweep" ? trial.sweep : trial.block;
    case ResultAxis::Kind::label: {
      const auto found = trial.labels.find(axis.key);
      if (found != trial.labels.end()) return found->second;
      if (!is_resolved(axis.key)) return {};
      break;  // of a sweep that has no axis over it
    }
    case ResultAxis::Kind::setting:
      break;
  }
  const auto found = trial.settings.find(axis.key);
  if (found == trial.settings.end()) return {};
  return value_of(*found);
}

std::string value_text(const Value& value) {
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  if (const auto* i = std::get_if<int64_t>(&value)) return std::to_string(*i);
  if (const auto* d = std::get_if<double>(&value)) return fmt::format("{:.6g}", *d);
  return "none";
}

std::vector<ResultAxis> varying_axes(const std::vector<const TrialRow*>& trials,
                                     const std::vector<ResultAxis>& known) {
  Partition partition(trials);
  for (const auto& axis : known) partition.refine(axis);
  std::vector<ResultAxis> varying;
  for (const auto& axis : all_axes(trials))
    if (partition.refine(axis)) varying.push_back(axis);
  return varying;
}

std::vector<const TrialRow*> filter_trials(const SweepRows& rows, const std::string& where) {
  if (where.find_first_not_of(" \t") == std::string::npos) return pointers(rows.trials);
  std::vector<const TrialRow*> passed;
  try {
    const Expression expression = parse_expression(where);
    std::map<std::string, std::optional<ResultAxis>>
        axes;  // a word that is no axis may be a value: the evaluator decides
    for (const auto& word : words_of(expression)) axes[word] = lookup_axis(word, rows);
    refuse_unknown(expression, axes, rows);
    for (const auto& t : rows.trials) {
      const auto lookup = [&](const std::string& name) -> std::optional<Json> {
        const auto& axis = axes.at(name);
        return axis ? std::optional(json_of_axis(*axis, t)) : std::nullopt;
      };
      if (holds(expression, lookup)) passed.push_back(&t);
    }
  } catch (const ExpressionError& error) {
    throw QueryError("--where: " + std::string(error.what()));
  }
  return passed;
}

}  // namespace ranktide
