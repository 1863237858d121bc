#include "common/sweep/resolve.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "common/sweep/identity.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/setting_error.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/content_name.h"

namespace ranktide {
namespace {

bool names_budget(std::string_view key) {
  return key.starts_with("budget.");
}

Step ceil_divide(__int128 a, __int128 b) {
  const __int128 out = (a + b - 1) / b;
  return static_cast<Step>(std::min<__int128>(out, std::numeric_limits<Step>::max()));
}

Step steps_per_epoch(const TrialSettings& settings, const DataInput& data) {
  return ceil_divide(data.rows, settings.train.batch);
}

Step steps_of_epochs(double epochs, Step per_epoch) {
  constexpr double kSlack = 1e-9;  // 1.1 epochs of 10 steps are 11, not 12
  return std::max<Step>(1, static_cast<Step>(std::ceil(epochs * static_cast<double>(per_epoch) - kSlack)));
}

Step step_at(const Moment& moment, const TrialSettings& settings, const DataInput* data, Step steps) {
  switch (moment.kind) {
    case Moment::Kind::end:
      return steps;
    case Moment::Kind::steps:
      return static_cast<Step>(moment.amount);
    case Moment::Kind::share:
      return static_cast<Step>(moment.amount * static_cast<double>(steps) + 0.5);
    case Moment::Kind::epochs:
      if (!data || data->rows == 0) return steps;  // provisional: the place of the moment is not known yet
      return moment.amount == 0 ? 0 : steps_of_epochs(moment.amount, steps_per_epoch(settings, *data));
  }
  return steps;
}

// Values as fields() of TrialSettings name them.
Json as_fields_name(const SettingValues& values) {
  Json out = Json::object();
  for (const auto& [key, value] : values) {
    const size_t dot = key.find('.');
    if (dot == std::string::npos)
      out[key] = value;
    else
      out[key.substr(0, dot)][key.substr(dot + 1)] = value;
  }
  if (values.contains("train.betas")) {
    out["train"]["beta1"] = values.at("train.betas")[0];
    out["train"]["beta2"] = values.at("train.betas")[1];
  }
  if (values.contains("lora.target"))
    out["lora"]["target"] = modules_of(values.at("lora.target").get<std::string>());
  return out;
}

constexpr std::string_view kAnyBudget = "a budget";  // among the keys that are missing

// Throws: SettingError when there are two.
bool sets_a_budget(const SettingValues& set) {
  std::vector<std::string> given;
  for (const auto& [key, value] : set)
    if (names_budget(key)) given.push_back(key);
  if (given.size() > 1)
    throw SettingError(given[0], given[0] + " and " + given[1] + " are both set; a trial has one budget");
  return !given.empty();
}

std::optional<Json> value_or_none(const Setting& setting, const SettingValues& set) {
  if (!has_effect(setting, set)) return std::nullopt;
  if (const auto it = set.find(std::string(setting.key)); it != set.end()) return it->second;
  return default_value(setting, set);
}

// Requires: it has no value.
bool is_required_here(const Setting& setting, const SettingValues& set) {
  return setting.default_text == "required" && has_effect(setting, set);
}

// Whoever writes a file from nothing hears of all that it needs at once.
[[noreturn]] void refuse_missing(const std::vector<std::string>& keys) {
  const bool budget = keys.back() == kAnyBudget;
  if (keys.size() == 1 && budget)
    throw SpecError("a budget is required; write budget.steps, budget.tokens or budget.epochs");
  if (keys.size() == 1) throw SpecError(keys[0] + " is required; nothing sets it");
  std::string list = keys[0];
  for (size_t i = 1; i < keys.size(); ++i) list += (i + 1 == keys.size() ? " and " : ", ") + keys[i];
  throw SpecError(list + (budget ? " (budget.steps, budget.tokens or budget.epochs)" : "") +
                  " are required; nothing sets them");
}

}  // namespace

void check_budget(const SettingValues& set) {
  if (!sets_a_budget(set)) refuse_missing({std::string(kAnyBudget)});
}

std::optional<Json> effective_value(const Setting& setting, const SettingValues& set) {
  auto value = value_or_none(setting, set);
  if (!value && is_required_here(setting, set)) refuse_missing({std::string(setting.key)});
  return value;
}

SettingValues complete(const SettingValues& set) {
  const bool budget = sets_a_budget(set);
  SettingValues out;
  std::vector<std::string> missing;
  for (const auto& setting : settings()) {
    if (setting.part != SettingPart::training || setting.key == "seed") continue;
    if (auto value = value_or_none(setting, set))
      out.emplace(setting.key, *std::move(value));
    else if (is_required_here(setting, set))
      missing.emplace_back(setting.key);
  }
  if (!budget) missing.emplace_back(kAnyBudget);
  if (!missing.empty()) refuse_missing(missing);
  return out;
}

TrialSettings trial_settings(const SettingValues& values) {
  return with_values({}, values);
}

TrialSettings with_values(TrialSettings settings, const SettingValues& values) {
  read_json(as_fields_name(values), settings);
  return settings;
}

TrialInputs inputs_of(const TrialSettings& settings, const Inputs& inputs) {
  const auto model = inputs.models.find(model_key(settings.model));
  if (model == inputs.models.end()) return {};
  const auto data = inputs.data.find(data_key(settings.data, model->second.tokenizer_sha256));
  return {.model = &model->second, .data = data == inputs.data.end() ? nullptr : &data->second};
}

Step steps_of(const TrialSettings& settings, const DataInput* data) {
  if (settings.budget.steps) return *settings.budget.steps;
  if (!data || data->rows <= 0 || data->tokens <= 0) return 0;
  if (settings.budget.epochs) return steps_of_epochs(*settings.budget.epochs, steps_per_epoch(settings, *data));
  RT_CHECK(settings.budget.tokens);
  const __int128 wanted = static_cast<__int128>(*settings.budget.tokens) * data->rows;
  return ceil_divide(wanted, static_cast<__int128>(data->tokens) * settings.train.batch);
}

std::vector<EvalTask> evals_of(const SettingValues& set, const Inputs& inputs) {
  std::vector<EvalTask> out;
  for (const EvalRole role : {EvalRole::learn, EvalRole::retain}) {
    const auto it = set.find("eval." + std::string(text_of(role)));
    if (it == set.end()) continue;
    for (const auto& [name, entry] : it->second.items()) {
      const bool repeated =
          std::any_of(out.begin(), out.end(), [&, name = name](auto& task) { return task.name == name; });
      if (repeated)
        throw SpecError("eval." + std::string(text_of(role)) + "." + name +
                        " has a name that eval.learn has too");
      const EvalSpec spec = with_content(from_json<EvalSpec>(entry), inputs);
      out.push_back({.name = name, .role = role, .spec = spec, .spec_id = eval_spec_id(spec, inputs)});
    }
  }
  return out;
}

std::vector<Step> eval_steps(const SettingValues& set, const TrialSettings& settings, const DataInput* data,
                             Step steps) {
  RT_CHECK(steps > 0);
  const auto it = set.find("eval.at");
  const Json moments = it != set.end() ? it->second : *default_value(*find_setting("eval.at"), set);
  std::vector<Step> out{0};  // the untouched base: gain and forgetting are differences to it
  for (const auto& text : moments) {
    const auto moment = read_moment(text.get<std::string>());
    RT_CHECK(moment);
    out.push_back(std::min(step_at(*moment, settings, data, steps), steps));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

namespace {

// A file named by its content is called by the digits that people compare.
std::string called(const std::string& stem) {
  const std::string digits = is_content_text(stem) ? stem.substr(kContentPrefix.size()) : stem;
  return content_name_of(std::string(kContentPrefix) + digits) ? digits.substr(0, 12) : stem;
}

}  // namespace

std::string regime_label(const DataSettings& data) {
  std::string stems;
  bool all_text = true;
  for (const auto& source : data.train) {
    const std::filesystem::path path(source.path);
    if (!stems.empty()) stems += '+';
    stems += called(path.stem().string());
    all_text = all_text && path.extension() == ".txt";
  }
  const bool is_text = data.format == DataFormat::text || (data.format == DataFormat::automatic && all_text);
  const std::string form = is_text ? "text" : data.format == DataFormat::messages ? "messages" : "prompt";
  return stems + "." + form;
}

}  // namespace ranktide
