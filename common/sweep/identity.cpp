#include "common/sweep/identity.h"

#include "common/sweep/eval_tasks.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/warm_start.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

constexpr const char* kWith = " with ";  // between a model's path and another tokenizer's, in model_key

void write_canonical(const Json& value, std::string& out) {
  if (value.is_object()) {
    char separator = '{';
    for (const auto& [key, item] : value.items()) {  // nlohmann's object is a sorted map
      out += separator;
      out += Json(key).dump() + ":";
      write_canonical(item, out);
      separator = ',';
    }
    out += value.empty() ? "{}" : "}";
  } else if (value.is_array()) {
    char separator = '[';
    for (const auto& item : value) {
      out += separator;
      write_canonical(item, out);
      separator = ',';
    }
    out += value.empty() ? "[]" : "]";
  } else if (value.is_number_float()) {
    out += short_number(value.get<double>());
  } else {
    out += value.is_number_unsigned()  ? std::to_string(value.get<uint64_t>())
           : value.is_number_integer() ? std::to_string(value.get<int64_t>())
                                       : value.dump();
  }
}

std::string head_of(const char* kind) {
  return std::string("ranktide ") + kind + " 1\n";
}

std::string hash_of(const char* kind, const Json& body) {
  return sha256_hex(head_of(kind) + canonical_json(body));
}

std::string with_comma(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() ? a + b : a + "," + b;
}

std::string with_seed(const IdentityText& text, uint64_t seed) {
  return "{" + with_comma(with_comma(text.before, "\"seed\":" + std::to_string(seed)), text.after) + "}";
}

// Stands for content that was not read, so that a plan can count cells before its inputs exist.
std::string unread(const std::string& path) {
  return "unread:" + path;
}

template <class T>
T section(const SettingValues& values, std::string_view prefix) {
  Json out = Json::object();
  for (auto it = values.lower_bound(std::string(prefix)); it != values.end() && it->first.starts_with(prefix);
       ++it)
    out[it->first.substr(prefix.size())] = it->second;
  return from_json<T>(out);
}

// The whole id takes the place of a prefix, and a step that of none.
void name_source(const std::string& from, const Inputs& inputs, TrialIdentity& out) {
  const auto source = inputs.sources.find(from);
  const bool is_known = source != inputs.sources.end();
  out.settings[kSourceKey] = is_known ? source_text(source->second.trial, source->second.step) : unread(from);
  out.provisional = out.provisional || !is_known;
}

// Contents take the place of paths.
void name_contents(const SettingValues& values, const Inputs& inputs, TrialIdentity& out) {
  const auto named = section<ModelSettings>(values, "model.");
  const auto model = inputs.models.find(model_key(named));
  const bool model_known = model != inputs.models.end();
  const std::string tokenizer = model_known ? model->second.tokenizer_sha256
                                            : unread(named.tokenizer.empty() ? named.path : named.tokenizer);
  out.settings["model.path"] = model_known ? model->second.base.text : unread(named.path);
  out.settings["model.tokenizer"] = tokenizer;

  const auto read = section<DataSettings>(values, "data.");
  const std::string key = data_key(read, tokenizer);
  const auto data = inputs.data.find(key);
  const bool data_known = data != inputs.data.end();
  out.settings["data.train"] = data_known ? data->second.sha256 : unread(key);
  if (read.replay) out.settings["data.replay"] = Json{{"share", read.replay->share}};
  out.provisional = !model_known || !data_known;
  if (!named.from.empty()) name_source(named.from, inputs, out);
}

}  // namespace

std::string canonical_json(const Json& value) {
  std::string out;
  write_canonical(value, out);
  return out;
}

Json identity_value(const std::string& key, const Json& value) {
  return key == "lora.target" ? Json(modules_of(value.get<std::string>())) : value;
}

TrialIdentity identity_of(const SettingValues& values, const Inputs& inputs) {
  TrialIdentity out{.settings = Json(values)};
  if (const auto target = values.find("lora.target"); target != values.end())
    out.settings["lora.target"] = identity_value(target->first, target->second);
  if (values.contains("model.path")) name_contents(values, inputs, out);
  return out;
}

TrialId trial_id(const TrialIdentity& identity) {
  return TrialId{hash_of("trial", identity.settings)};
}

CellId cell_id(const TrialIdentity& identity) {
  Json settings = identity.settings;
  settings.erase("seed");
  return CellId{hash_of("cell", settings)};
}

StageId stage_id(const TrialIdentity& identity, Step from, Step to) {
  return StageId{hash_of("stage", {{"settings", identity.settings}, {"from", from}, {"to", to}})};
}

TrialId trial_id(const IdentityText& text, uint64_t seed) {
  return TrialId{sha256_hex(head_of("trial") + with_seed(text, seed))};
}

CellId cell_id(const IdentityText& text) {
  return CellId{sha256_hex(head_of("cell") + "{" + with_comma(text.before, text.after) + "}")};
}

StageId stage_id(const IdentityText& text, uint64_t seed, Step from, Step to) {
  return StageId{sha256_hex(head_of("stage") + "{\"from\":" + std::to_string(from) +
                            ",\"settings\":" + with_seed(text, seed) + ",\"to\":" + std::to_string(to) + "}")};
}

std::string eval_spec_id(const EvalSpec& spec, const std::string& read_as) {
  Json body = to_json(spec);
  if (!read_as.empty()) body["read_as"] = read_as;
  body.erase("data");
  if (spec.data_sha256.empty()) body["data_sha256"] = unread(spec.data);
  if (!spec.limit) body.erase("limit");
  // A plain loss has no examples, only a choice is normalised, only answers are drawn.
  if (spec.kind == EvalKind::loss) body.erase("shots");
  if (spec.kind != EvalKind::choice) body.erase("norm");
  if (!is_generated(spec.kind))
    for (const char* key : {"samples", "temperature", "top_p"}) body.erase(key);
  return hash_of("eval spec", body);
}

EvalSpec with_content(EvalSpec spec, const Inputs& inputs) {
  if (const auto file = inputs.files.find(spec.data); file != inputs.files.end())
    spec.data_sha256 = file->second;
  return spec;
}

std::string eval_spec_id(const EvalSpec& spec, const Inputs& inputs) {
  const auto read_as = inputs.read_as.find(spec.data);
  return eval_spec_id(spec, read_as == inputs.read_as.end() ? "" : read_as->second);
}

EvalId eval_id(const BaseId& base, const std::string& spec_id) {
  return EvalId{hash_of("eval", {{"base", base.text}, {"spec", spec_id}})};
}

EvalId eval_id(const StageId& stage, Step at, const std::string& spec_id) {
  return EvalId{hash_of("eval", {{"stage", stage.text}, {"step", at}, {"spec", spec_id}})};
}

BaseId base_read_by(const BaseId& base, const std::string& tokenizer_sha256) {
  return BaseId{hash_of("base", {{"base", base.text}, {"tokenizer", tokenizer_sha256}})};
}

BaseId base_computed_by(const BaseId& base, const EngineSettings& engine) {
  return BaseId{hash_of("base", {{"base", base.text}, {"engine", to_json(engine)}})};
}

std::string model_key(const ModelSettings& model) {
  return model.tokenizer.empty() ? model.path : model.path + kWith + model.tokenizer;
}

std::string tokenizer_path(const std::string& key, const std::string& model_path) {
  if (key == model_path) return model_path;
  const std::string beginning = model_path + kWith;
  return key.starts_with(beginning) ? key.substr(beginning.size()) : "";
}

std::string data_key(const DataSettings& data, const std::string& tokenizer_sha256) {
  return sha256_hex("ranktide data 1\n" + tokenizer_sha256 + "\n" + canonical_json(to_json(data)));
}

}  // namespace ranktide
