#include "common/sweep/trial_values.h"

#include <set>
#include <tuple>

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
  const Json section = written.value(key.substr(0, dot), Json());
  if (section.is_null()) return {};
  if (key == "train.betas") return {section.at("beta1"), section.at("beta2")};
  if (key == "lora.target") return joined_modules(section.at("target"));
  Json value = section.value(key.substr(dot + 1), Json());
  return setting.type == SettingType::steps_or_share ? length_told(value) : value;
}

constexpr size_t kKnownPrintsMax = 1 << 16;  // then they are forgotten: a past may have any number of rates

constexpr const char* kBase = "model.path";
constexpr const char* kTokenizer = "model.tokenizer";
constexpr const char* kData = "data.train";

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

CellPrints::CellPrints(const Inputs& inputs) {
  std::set<std::tuple<std::string, std::string, std::string>> seen;
  for (const auto& [model_name, model] : inputs.models)
    for (const auto& [data_name, data] : inputs.data) {
      if (!seen.emplace(model.base.text, model.tokenizer_sha256, data.sha256).second) continue;
      Contents own{model.base.text, model.tokenizer_sha256, data.sha256, print_of(kBase, model.base.text)};
      own.print += print_of(kTokenizer, model.tokenizer_sha256);
      own.print += print_of(kData, data.sha256);
      contents_.push_back(std::move(own));
    }
}

const CellPrint& CellPrints::known_print(const std::string& key, const Json& value) {
  if (known_.size() > kKnownPrintsMax) known_.clear();
  const auto [known, is_new] = known_.try_emplace(key + "\n" + canonical_json(value));
  if (is_new) known->second = print_of(key, value);
  return known->second;
}

std::optional<CellPrint> CellPrints::find(const TrialId& id, const TrialSettings& settings,
                                          const Lists& lists) {
  const SettingValues values = values_of(settings);
  TrialIdentity identity = identity_of(values, {});
  if (const auto from = values.find("model.from"); from != values.end())
    identity.settings[from->first] = from->second;  // named by whole id and step since it was resolved
  for (const char* key : {kBase, kTokenizer, kData}) identity.settings.erase(key);
  CellPrint common;
  for (const auto& [key, value] : identity.settings.items()) common += known_print(key, value);
  for (const Contents& contents : contents_) {
    CellPrint print = common;
    print += contents.print;
    if (!lists(print)) continue;
    TrialIdentity whole = identity;
    whole.settings[kBase] = contents.base;
    whole.settings[kTokenizer] = contents.tokenizer_sha256;
    whole.settings[kData] = contents.data_sha256;
    whole.settings["seed"] = settings.seed;
    if (trial_id(whole) == id) return print;
  }
  return std::nullopt;
}

}  // namespace ranktide
