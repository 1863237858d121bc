#include "common/sweep/trial_values.h"

#include "common/sweep/identity.h"
#include "common/sweep/resolve.h"

namespace ranktide {
namespace {

// Absent settings stand as null or "" among the typed ones.
bool says_nothing(const Json& value) {
  return value.is_null() || value == "";
}

// Of a length in steps the typed one keeps the default's share, too.
Json length_told(const Json& written) {
  const char* const unit = written.at("steps").is_null() ? "share" : "steps";
  return {{unit, written.at(unit)}};
}

std::string joined_modules(const Json& modules) {
  std::string out;
  for (const Json& module : modules) out += (out.empty() ? "" : "+") + module.get<std::string>();
  return out;
}

// Returns: what `written`, by the names of fields(), says of a setting; null or "": nothing.
Json told_of(const Setting& setting, const Json& written) {
  const std::string key(setting.key);
  const size_t dot = key.find('.');
  if (dot == std::string::npos) return written.value(key, Json());
  const Json& section = written.at(key.substr(0, dot));
  if (section.is_null()) return {};
  if (key == "train.betas") return {section.at("beta1"), section.at("beta2")};
  if (key == "lora.target") return joined_modules(section.at("target"));
  Json value = section.value(key.substr(dot + 1), Json());
  return setting.type == SettingType::steps_or_share ? length_told(value) : value;
}

// Contents in the places of paths.
struct Contents {
  std::string base;
  std::string tokenizer_sha256;
  std::string data_sha256;
};

std::vector<Contents> contents_in(const Inputs& inputs) {
  std::vector<Contents> out;
  for (const auto& [model_name, model] : inputs.models)
    for (const auto& [data_name, data] : inputs.data)
      out.push_back({model.base.text, model.tokenizer_sha256, data.sha256});
  return out;
}

}  // namespace

SettingValues values_of(const TrialSettings& settings) {
  const Json written = to_json(settings);
  SettingValues told;
  for (const Setting& setting : ranktide::settings()) {
    if (setting.part != SettingPart::training || setting.key == "seed") continue;
    if (Json value = told_of(setting, written); !says_nothing(value))
      told.emplace(setting.key, std::move(value));
  }
  SettingValues out;
  for (const Setting& setting : ranktide::settings())
    if (const auto it = told.find(std::string(setting.key)); it != told.end() && has_effect(setting, told))
      out.insert(*it);
  return out;
}

std::optional<CellPrint> print_in(const Inputs& inputs, const TrialId& id, const TrialSettings& settings) {
  const SettingValues values = values_of(settings);
  TrialIdentity identity = identity_of(values, {});
  if (const auto from = values.find("model.from"); from != values.end())
    identity.settings[from->first] = from->second;  // named by whole id and step since it was resolved
  for (const Contents& contents : contents_in(inputs)) {
    identity.settings["model.path"] = contents.base;
    identity.settings["model.tokenizer"] = contents.tokenizer_sha256;
    identity.settings["data.train"] = contents.data_sha256;
    identity.settings["seed"] = settings.seed;
    if (trial_id(identity) != id) continue;
    identity.settings.erase("seed");
    return print_of(identity.settings);
  }
  return std::nullopt;
}

}  // namespace ranktide
