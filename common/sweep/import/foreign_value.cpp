#include "common/sweep/import/foreign_value.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <vector>

#include "common/sweep/import/flow_text.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/settings.h"
#include "common/sweep/suggest.h"
#include "common/vocabulary/hub_name.h"

namespace ranktide {
namespace {

using Words = std::map<std::string_view, std::string_view>;

// Beside those that did-you-mean knows.
const Words& more_words() {
  static const Words words{{"rank", "lora.rank"},
                           {"lora_rank", "lora.rank"},
                           {"alpha", "lora.alpha"},
                           {"peft_use_rslora", "lora.scaling"},
                           {"optimizer", "train.optimizer"},
                           {"optimizer_name", "train.optimizer"},
                           {"weight_decay", "train.weight_decay"},
                           {"wd", "train.weight_decay"},
                           {"betas", "train.betas"},
                           {"eps", "train.eps"},
                           {"warmup", "train.warmup"},
                           {"warmup_fraction", "train.warmup"},
                           {"grad_clip", "train.clip"},
                           {"gradient_clip_val", "train.clip"},
                           {"schedule", "train.schedule"},
                           {"cosine_min_lr_ratio", "train.final_lr"},
                           {"batch", "train.batch"},
                           {"train_batch_size", "train.batch"},
                           {"global_batch_size", "train.batch"},
                           {"epochs", "budget.epochs"},
                           {"max_epochs", "budget.epochs"},
                           {"n_epochs", "budget.epochs"},
                           {"steps", "budget.steps"},
                           {"train_steps", "budget.steps"},
                           {"total_steps", "budget.steps"},
                           {"model", "model.path"},
                           {"model_name", "model.path"},
                           {"model_id", "model.path"},
                           {"pretrained_model_name_or_path", "model.path"},
                           {"tokenizer", "model.tokenizer"},
                           {"tokenizer_name", "model.tokenizer"},
                           {"torch_dtype", "model.dtype"},
                           {"dtype", "model.dtype"},
                           {"precision", "model.dtype"},
                           {"mixed_precision", "model.dtype"},
                           {"bf16", "model.dtype"},
                           {"fp32", "model.dtype"},
                           {"peft_type", "method"},
                           {"train_data", "data.train"},
                           {"data_path", "data.train"},
                           {"dataset_name", "data.train"},
                           {"max_seq_len", "data.max_tokens"},
                           {"seq_len", "data.max_tokens"},
                           {"seq_length", "data.max_tokens"},
                           {"block_size", "data.max_tokens"},
                           {"packing", "data.packing"}};
  return words;
}

// Words that name no setting of their own: what they say is in the part before.
bool says_nothing(const std::string& word) {
  return word == "name" || word == "type" || word == "_target_" || word == "id" || word == "value";
}

struct Reason {
  std::string_view beginning;
  std::string_view why;
};

constexpr Reason kReasons[] = {
    {"load_in_", "the base is kept in bf16 or fp32"},
    {"bnb_", "the base is kept in bf16 or fp32"},
    {"gptq", "the base is kept in bf16 or fp32"},
    {"quant", "the base is kept in bf16 or fp32"},
    {"fp16", "products are in bf16 or fp32 (model.dtype)"},
    {"wandb", "results are asked of ranktide (query, report)"},
    {"mlflow", "results are asked of ranktide (query, report)"},
    {"comet", "results are asked of ranktide (query, report)"},
    {"report_to", "results are asked of ranktide (query, report)"},
    {"use_wandb", "results are asked of ranktide (query, report)"},
    {"logging_", "every step is kept"},
    {"log_", "every step is kept"},
    {"save_", "checkpoints follow run.checkpoint_every, what is left run.keep"},
    {"saves_per_epoch", "checkpoints follow run.checkpoint_every, what is left run.keep"},
    {"eval_batch_size", "evals choose their own"},
    {"per_device_eval_batch_size", "evals choose their own"},
    {"eval", "name what is measured under eval.learn and eval.retain, and when under eval.at"},
    {"val_set_size", "cut the rows off into a file of their own and name it under eval.learn"},
    {"test_datasets", "name files under eval.learn and eval.retain"},
    {"early_stopping", "trials run to the end of their budget"},
    {"output_dir", "results lie in ranktide's data folder"},
    {"hub_", "nothing is uploaded; `ranktide fetch` copies what a trial left"},
    {"push_to_hub", "nothing is uploaded; `ranktide fetch` copies what a trial left"},
    {"dataset_prepared_path", "tokenized data is cached by content"},
    {"dataset_processes", "data is read by the client that submits"},
    {"dataloader_", "data is read by the client that submits"},
    {"num_workers", "data is read by the client that submits"},
    {"shuffle", "order follows the seed"},
    {"gradient_checkpointing", "memory is planned by the trainer and changes no result"},
    {"flash_attention", "attention is the trainer's own"},
    {"flash_attn", "attention is the trainer's own"},
    {"xformers", "attention is the trainer's own"},
    {"sdp_attention", "attention is the trainer's own"},
    {"eager_attention", "attention is the trainer's own"},
    {"attn_implementation", "attention is the trainer's own"},
    {"s2_attention", "attention is the trainer's own"},
    {"torch_compile", "the trainer is compiled already"},
    {"liger", "the trainer has kernels of its own"},
    {"unsloth", "the trainer has kernels of its own"},
    {"plugins", "the trainer has no plugins"},
    {"deepspeed", "a trial runs on one device"},
    {"fsdp", "a trial runs on one device"},
    {"ddp", "a trial runs on one device"},
    {"local_rank", "a trial runs on one device"},
    {"devices", "say how many slots there are where workers start"},
    {"num_gpus", "say how many slots there are where workers start"},
    {"accelerator", "run.needs.gpus: 1 asks for a GPU"},
    {"special_tokens", "the tokenizer is taken as its folder has it"},
    {"tokens", "the tokenizer is taken as its folder has it"},
    {"tokenizer_", "the tokenizer is taken as its folder has it"},
    {"model_type", "config.json in the model's folder says it"},
    {"is_llama_derived", "config.json in the model's folder says it"},
    {"trust_remote_code", "no code of a model's folder is run"},
    {"lora_modules_to_save", "embeddings and head are frozen beside an adapter"},
    {"modules_to_save", "embeddings and head are frozen beside an adapter"},
    {"lora_model_dir", "trials start from the base"},
    {"resume_from_checkpoint", "what was interrupted goes on by itself"},
    {"pad_to_sequence_len", "rows are packed or padded as data.packing says"},
    {"neftune", "no noise is added"},
    {"rl", "only supervised finetuning is built"},
    {"dpo", "only supervised finetuning is built"},
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// torch.optim.AdamW -> adamw
std::string last_of(const std::string& text) {
  const size_t dot = text.rfind('.');
  return lower(dot == std::string::npos ? text : text.substr(dot + 1));
}

Translation optimizer(const std::string& text) {
  const std::string word = last_of(text);
  const std::string note = word.find("8bit") != std::string::npos ? "moments are fp32 here" : "";
  if (word.find("adamw") != std::string::npos) return Twin{"train.optimizer", "adamw", note};
  if (word == "adam") return Twin{"train.optimizer", "adamw", "weight decay is decoupled here"};
  if (word.find("lion") != std::string::npos) return Twin{"train.optimizer", "lion", note};
  return NoTwin{"train.optimizer is adamw or lion"};
}

Translation schedule(const std::string& text) {
  const std::string word = last_of(text);
  if (word.starts_with("constant")) return Twin{"train.schedule", "constant", ""};
  if (word.starts_with("cosine") && word.find("restart") == std::string::npos)
    return Twin{"train.schedule", "cosine", ""};
  if (word.starts_with("linear")) return Twin{"train.schedule", "linear", ""};
  if (word == "warmup_stable_decay" || word == "wsd" || word == "trapezoid")
    return Twin{"train.schedule", "wsd", ""};
  return NoTwin{"train.schedule is constant, linear, cosine or wsd"};
}

Translation method(const std::string& text) {
  const std::string word = lower(text);
  if (word == "lora") return Twin{"method", "lora", ""};
  if (word == "qlora") return Twin{"method", "lora", "the base is not quantised here"};
  if (word == "full" || word == "none") return Twin{"method", "full", ""};
  return NoTwin{"method is lora or full"};
}

Translation dtype(const std::string& word, const YamlNode& value) {
  const std::string text = last_of(value.text);
  if (word == "bf16" || word == "fp32") {
    if (text == "false") return SameHere{};
    if (text == "true" || text == "auto" || text == "full") return Twin{"model.dtype", word, ""};
  }
  if (text.find("bf16") != std::string::npos || text == "bfloat16") return Twin{"model.dtype", "bf16", ""};
  if (text == "float32" || text == "fp32" || text == "32" || text == "no")
    return Twin{"model.dtype", "fp32", ""};
  return NoTwin{"model.dtype is bf16 or fp32"};
}

std::string group_of(const std::string& target) {
  const auto modules = modules_of(target);
  for (const char* group : {"all", "attn", "mlp"})
    if (modules_of(group) == modules) return group;
  return target;
}

Translation target(const YamlNode& value) {
  if (value.is_scalar() && (value.text == "all-linear" || value.text == "all_linear"))
    return Twin{"lora.target", "all", ""};
  std::string joined;
  for (const auto& item : value.is_list() ? value.items : std::vector<YamlNode>{value}) {
    if (!item.is_scalar()) return NoTwin{"lora.target takes names of modules"};
    joined += (joined.empty() ? "" : "+") + item.text;
  }
  if (modules_of(joined).empty())
    return NoTwin{"lora.target knows q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj"};
  return Twin{"lora.target", group_of(joined), ""};
}

bool is_folder(const std::string& path) {
  return path.starts_with('.') || path.starts_with('/') || path.starts_with('~') || is_hub_text(path);
}

Translation model(const std::string& key, const YamlNode& value) {
  if (is_folder(value.text)) return Twin{key, flow_text(value), ""};
  const std::string hub = std::string(kHubPrefix) + value.text;
  if (!hub_name_of(hub)) return NoTwin{key + " takes a folder or hub:org/name"};
  return Twin{key, hub, ""};
}

bool is_data_file(const std::string& path) {
  constexpr std::string_view kEndings[] = {".jsonl", ".json", ".txt", ".md", ".rst", ".py"};
  return std::any_of(std::begin(kEndings), std::end(kEndings),
                     [&](auto ending) { return path.ends_with(ending); });
}

Translation data(const YamlNode& value) {
  for (const auto& item : value.is_list() ? value.items : std::vector<YamlNode>{value})
    if (!item.is_scalar() || !is_data_file(item.text))
      return NoTwin{
          "data sets are files here (.jsonl, .json, .txt) and nothing is downloaded; name one as data.train"};
  return Twin{"data.train", flow_text(value), ""};
}

Translation warmup(const std::string& word, const YamlNode& value) {
  const auto number = read_number(value.text);
  const bool is_share = word.find("ratio") != std::string::npos || word.find("fraction") != std::string::npos ||
                        (number && *number > 0 && *number < 1);
  if (!number || !is_share) return Twin{"train.warmup", flow_text(value), ""};
  return Twin{"train.warmup", short_number(rounded(*number * 100)) + "%", ""};
}

Translation flag(const std::string& key, const YamlNode& value, const char* when_true, const char* when_false) {
  const std::string text = lower(value.text);
  if (text != "true" && text != "false") return NoTwin{key + " takes true or false"};
  return Twin{key, text == "true" ? when_true : when_false, ""};
}

Translation limit(const std::string& key, const YamlNode& value) {
  const auto number = read_number(value.text);
  if (number && *number <= 0 && key == "train.clip") return Twin{key, "0", ""};  // off, and 1.0 by default here
  if (number && *number <= 0) return SameHere{};                                 // none
  return Twin{key, flow_text(value), ""};
}

// Numbers as our types take them: "1e-4" in quotes, 16.0 and 1e3 for counts.
std::string number_text(const Setting& setting, const YamlNode& value) {
  const auto number = value.is_scalar() ? read_number(value.text) : std::nullopt;
  if (!number) return flow_text(value);
  const bool is_whole = std::abs(*number) < 9e15 && std::floor(*number) == *number;
  if (setting.type == SettingType::count && is_whole) return std::to_string(static_cast<int64_t>(*number));
  return value.text;
}

bool takes_more(const Setting& setting) {
  switch (setting.type) {
    case SettingType::names:
    case SettingType::replay:
    case SettingType::evals:
    case SettingType::moments:
    case SettingType::labels:
      return true;
    default:
      return false;
  }
}

Translation by_key(const std::string& key, const std::string& word, const YamlNode& value) {
  if (key == "lora.target") return target(value);
  if (key == "data.train") return data(value);
  if (key == "seeds") return Twin{key, value.is_list() ? flow_text(value) : "[" + flow_text(value) + "]", ""};
  if (key == "train.betas") return Twin{key, flow_text(value), ""};
  const bool is_ours = takes_more(*find_setting(key));  // a map or list that is one value here
  if (!value.is_scalar() && is_ours) return Twin{key, flow_text(value), ""};
  if (!value.is_scalar()) return NoTwin{key + " takes one value"};
  if (key == "train.optimizer") return optimizer(value.text);
  if (key == "train.schedule") return schedule(value.text);
  if (key == "train.warmup") return warmup(word, value);
  if (key == "method") return method(value.text);
  if (key == "model.dtype") return dtype(word, value);
  if (key == "model.path" || key == "model.tokenizer") return model(key, value);
  if (key == "lora.scaling" && word != "scaling") return flag(key, value, "alpha/sqrt(r)", "alpha/r");
  if (key == "data.mask_prompt" && word == "train_on_inputs") return flag(key, value, "false", "true");
  if (key == "data.packing") return flag(key, value, "true", "false");
  if (key == "budget.steps" || key == "train.clip") return limit(key, value);
  return Twin{key, number_text(*find_setting(key), value), ""};
}

}  // namespace

std::string telling_part(const std::string& path) {
  std::string rest = path.substr(std::min(path.find_first_not_of("+~-"), path.size()));
  for (;;) {
    const size_t cut = rest.find_last_of("./");
    const std::string last = cut == std::string::npos ? rest : rest.substr(cut + 1);
    if (cut == std::string::npos || !says_nothing(last)) return last;
    rest.resize(cut);
  }
}

std::optional<std::string> twin_key(const std::string& path) {
  const std::string clean = path.substr(std::min(path.find_first_not_of("+~-"), path.size()));
  if (find_setting(clean) && clean != "seed") return clean;
  const std::string word = telling_part(path);
  const bool is_class = clean.ends_with(".type") || clean.ends_with("._target_");
  if (const auto it = more_words().find(word); it != more_words().end()) {
    const bool is_file = it->second.starts_with("model.") || it->second.starts_with("data.");
    return is_class && is_file ? std::nullopt : std::optional(std::string(it->second));
  }
  const auto known = foreign_word(word);
  if (!known || *known == "run.keep" || (*known != "seeds" && !find_setting(*known))) return std::nullopt;
  return std::string(*known);
}

Translation translated(const std::string& path, const YamlNode& value) {
  if (value.kind == YamlNode::Kind::null) return SameHere{};
  const auto key = twin_key(path);
  if (key) return by_key(*key, telling_part(path), value);
  const bool is_off = value.is_scalar() && (lower(value.text) == "false" || read_number(value.text) == 0.0);
  if (is_off) return SameHere{};
  return NoTwin{why_without_twin(path)};
}

std::string why_without_twin(const std::string& path) {
  const std::string word = telling_part(path);
  for (const Reason& reason : kReasons)
    if (word.starts_with(reason.beginning)) return std::string(reason.why);
  return "there is no such setting";
}

}  // namespace ranktide
