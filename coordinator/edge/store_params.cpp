#include "coordinator/edge/store_params.h"

#include <algorithm>
#include <set>

namespace ranktide {

namespace {

// The shortest decimal text that reads back equal.
std::string number_text(double value) {
  return Json(value).dump();
}

std::string steps_or_share_text(const StepsOrShare& s) {
  if (s.steps) return std::to_string(*s.steps);
  return number_text(s.share.value_or(0) * 100) + "%";
}

std::string sources_text(const std::vector<DataSource>& sources) {
  std::string text;
  for (const auto& s : sources) {
    if (!text.empty()) text += " + ";
    text += s.path;
    if (s.weight != 1) text += " x" + number_text(s.weight);
  }
  return text;
}

void add_lora(Json& out, const LoraSettings& lora) {
  out["lora.rank"] = lora.rank;
  out["lora.alpha"] = lora.alpha;
  out["lora.target"] = target_text(lora.target);
  out["lora.dropout"] = lora.dropout;
  out["lora.scaling"] = text_of(lora.scaling);
}

void add_train(Json& out, const TrainSettings& train) {
  out["train.optimizer"] = text_of(train.optimizer);
  out["train.lr"] = train.lr;
  out["train.betas"] = "[" + number_text(train.beta1) + ", " + number_text(train.beta2) + "]";
  out["train.eps"] = train.eps;
  out["train.weight_decay"] = train.weight_decay;
  if (train.weight_decay != 0) out["train.decay_rule"] = text_of(train.decay_rule);
  out["train.clip"] = train.clip;
  out["train.attention_dropout"] = train.attention_dropout;
  out["train.schedule"] = text_of(train.schedule);
  out["train.warmup"] = steps_or_share_text(train.warmup);
  if (train.schedule == Schedule::wsd) out["train.cooldown"] = steps_or_share_text(train.cooldown);
  if (train.schedule != Schedule::constant) out["train.final_lr"] = train.final_lr;
  out["train.batch"] = train.batch;
}

void add_data(Json& out, const DataSettings& data) {
  out["data.train"] = sources_text(data.train);
  out["data.format"] = text_of(data.format);
  out["data.template"] = data.form;
  out["data.mask_prompt"] = data.mask_prompt;
  out["data.max_tokens"] = data.max_tokens;
  out["data.packing"] = data.packing;
  for (const auto& [role, name] : data.fields) out["data.fields." + role] = name;
  if (data.replay) out["data.replay"] = data.replay->path + " x" + number_text(data.replay->share);
}

}  // namespace

std::string target_text(const std::vector<std::string>& modules) {
  static const std::set<std::string> kAttention{"k_proj", "o_proj", "q_proj", "v_proj"};
  static const std::set<std::string> kMlp{"down_proj", "gate_proj", "up_proj"};
  const std::set<std::string> given(modules.begin(), modules.end());
  if (given == kAttention) return "attn";
  if (given == kMlp) return "mlp";
  if (given.size() == kAttention.size() + kMlp.size()) return "all";
  std::string text;
  for (const auto& m : given) text += (text.empty() ? "" : "+") + m;
  return text;
}

Json flat_settings(const TrialSettings& settings) {
  Json out = Json::object();
  out["model.path"] = settings.model.path;
  if (!settings.model.tokenizer.empty()) out["model.tokenizer"] = settings.model.tokenizer;
  out["model.dtype"] = text_of(settings.model.dtype);
  if (!settings.model.from.empty()) out["model.from"] = settings.model.from;
  out["method"] = text_of(settings.method);
  if (settings.lora) add_lora(out, *settings.lora);
  add_train(out, settings.train);
  add_data(out, settings.data);
  if (settings.budget.steps) out["budget.steps"] = *settings.budget.steps;
  if (settings.budget.tokens) out["budget.tokens"] = *settings.budget.tokens;
  if (settings.budget.epochs) out["budget.epochs"] = *settings.budget.epochs;
  out["seed"] = settings.seed;
  if (settings.engine) out["engine.numerics"] = settings.engine->numerics;
  return out;
}

}  // namespace ranktide
