#include "common/sweep/settings.h"

#include <algorithm>

#include "common/sweep/scalar_text.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

using enum SettingType;
using enum SettingPart;

constexpr double kCountMax = 9e15;  // whole numbers beyond are not exact in JSON readers

const std::vector<Setting>& table() {
  static const Effect kLora{.key = "method", .values = {"lora"}};
  static const Effect kWsd{.key = "train.schedule", .values = {"wsd"}};
  static const Effect kDecays{.key = "train.schedule", .values = {"linear", "cosine", "wsd"}};
  static const Effect kAdamw{.key = "train.optimizer", .values = {"adamw"}};
  static const Effect kHasMoments{.key = "train.optimizer", .values = {"adamw", "lion"}};
  static const Effect kDecayed{.key = "train.weight_decay", .unless = {"0"}};
  static const Effect kPairs{.key = "data.format", .unless = {"text"}};
  static const std::vector<Setting> rows{
      {.key = "model.path",
       .type = folder,
       .default_text = "required",
       .doc = "Hugging Face folder of the base model, sha256:HEX as `plan` prints it, or hub:org/name@revision "
              "as it lies in the Hugging Face cache; enters ids by content"},
      {.key = "model.tokenizer",
       .type = folder,
       .default_text = "none",
       .doc = "folder, sha256:HEX as `plan` prints it, or hub: name, of another tokenizer; without it the "
              "model's own"},
      {.key = "model.dtype",
       .type = choice,
       .default_text = "bf16",
       .doc = "of the weights in matrix products; masters, adapters and the residual stream are fp32",
       .choices = {"fp32", "bf16"}},
      {.key = "model.from",
       .type = source,
       .default_text = "none",
       .doc =
           "trial:ID or trial:ID@STEP: a finished trial whose kept weights training starts from, and not the "
           "model's own; see Warm start"},
      {.key = "method",
       .type = choice,
       .default_text = "required",
       .doc = "what trains: an adapter, or every weight",
       .choices = {"lora", "full"}},
      {.key = "lora.rank",
       .type = count,
       .default_text = "required",
       .doc = "rank of the adapters",
       .effect = kLora,
       .min = 1,
       .max = 65536},
      {.key = "lora.alpha",
       .type = number,
       .default_text = "2·rank",
       .doc = "numerator of the adapters' scale",
       .effect = kLora,
       .min = 0},
      {.key = "lora.target",
       .type = modules,
       .default_text = "all",
       .doc = "attn (q,k,v,o), mlp (gate,up,down), all, or modules joined by +: q_proj+v_proj",
       .effect = kLora},
      {.key = "lora.dropout",
       .type = share,
       .default_text = "0",
       .doc = "dropped share of an adapter's input",
       .effect = kLora,
       .min = 0,
       .max = 0.999999},
      {.key = "lora.scaling",
       .type = choice,
       .default_text = "alpha/r",
       .doc = "scale of the adapters' output",
       .effect = kLora,
       .choices = {"alpha/r", "alpha/sqrt(r)"}},
      {.key = "train.optimizer",
       .type = choice,
       .default_text = "adamw",
       .doc = "decay is decoupled in both",
       .choices = {"adamw", "lion"}},
      {.key = "train.lr",
       .type = number,
       .default_text = "required",
       .doc = "peak learning rate",
       .min = 0,
       .max = 1e3},
      {.key = "train.betas",
       .type = two_numbers,
       .default_text = "[0.9,0.999] (adamw), [0.9,0.99] (lion)",
       .doc = "decay of the two moments; of lion's one moment, in the step and in its memory",
       .effect = kHasMoments,
       .min = 0,
       .max = 0.999999999},
      {.key = "train.eps",
       .type = number,
       .default_text = "1e-8",
       .doc = "added to the root of the second moment; with 0, too, what has had no gradient stays as it is",
       .effect = kAdamw,
       .min = 0,
       .max = 1},
      {.key = "train.weight_decay",
       .type = number,
       .default_text = "0",
       .doc = "decoupled weight decay",
       .min = 0,
       .max = 1e3},
      {.key = "train.decay_rule",
       .type = choice,
       .default_text = "times_lr",
       .doc = "weight decay a step: times the rate (AdamW's habit), or a plain factor",
       .effect = kDecayed,
       .choices = {"times_lr", "per_step"}},
      {.key = "train.clip",
       .type = number,
       .default_text = "1.0",
       .doc = "largest global gradient norm; 0 is off",
       .min = 0},
      {.key = "train.attention_dropout",
       .type = share,
       .default_text = "0",
       .doc = "dropped share of attention weights",
       .min = 0,
       .max = 0.999999},
      {.key = "train.schedule",
       .type = choice,
       .default_text = "cosine",
       .doc = "of the rate after warmup; all but constant depend on the budget",
       .choices = {"constant", "linear", "cosine", "wsd"}},
      {.key = "train.warmup",
       .type = steps_or_share,
       .unit = "steps or %",
       .default_text = "10%",
       .doc = "linear rise of the rate from 0; a percentage is of the budget"},
      {.key = "train.cooldown",
       .type = steps_or_share,
       .unit = "steps or %",
       .default_text = "20%",
       .doc = "linear fall of the rate at the end",
       .effect = kWsd},
      {.key = "train.final_lr",
       .type = share,
       .unit = "% of lr",
       .default_text = "1% (cosine), 0 (linear, wsd)",
       .doc = "rate at the last step",
       .effect = kDecays,
       .min = 0,
       .max = 1},
      {.key = "train.batch",
       .type = count,
       .unit = "sequences",
       .default_text = "16",
       .doc = "packed rows in one optimizer step",
       .min = 1,
       .max = 1 << 20},
      {.key = "data.train",
       .type = sources,
       .default_text = "required",
       .doc =
           "file, folder, list of files, or list of {path, weight}, by path or as sha256:HEX; text in .txt .md "
           ".rst .py, rows in .jsonl .json, other endings are refused; enters ids by content"},
      {.key = "data.format",
       .type = choice,
       .default_text = "auto",
       .doc = "what a file's rows are; auto is printed",
       .choices = {"auto", "text", "prompt", "messages"}},
      {.key = "data.fields",
       .type = names,
       .default_text = "{}",
       .doc = "JSONL names of prompt, completion, text or messages; without it the common ones"},
      {.key = "data.template",
       .type = text,
       .default_text = "auto",
       .doc = "auto, chat, or a text with {prompt} and {completion}",
       .effect = kPairs},
      {.key = "data.mask_prompt",
       .type = flag,
       .default_text = "true",
       .doc = "no loss on prompts",
       .effect = kPairs},
      {.key = "data.max_tokens",
       .type = count,
       .unit = "tokens",
       .default_text = "1024",
       .doc = "longest row",
       .min = 2,
       .max = 1 << 24},
      {.key = "data.packing",
       .type = flag,
       .default_text = "true",
       .doc = "several documents in one row, none seeing another"},
      {.key = "data.replay",
       .type = replay,
       .default_text = "none",
       .doc = "{path, share}: this share of the rows is plain text from another file"},
      {.key = "budget.steps",
       .type = count,
       .unit = "steps",
       .default_text = "one of three",
       .doc = "optimizer steps",
       .min = 1,
       .max = kCountMax},
      {.key = "budget.tokens",
       .type = count,
       .unit = "tokens",
       .default_text = "one of three",
       .doc = "real tokens, not padding",
       .min = 1,
       .max = kCountMax},
      {.key = "budget.epochs",
       .type = number,
       .unit = "epochs",
       .default_text = "one of three",
       .doc = "passes over the data",
       .min = 1e-6,
       .max = 1e6},
      {.key = "seed",
       .type = count,
       .default_text = "0",
       .doc = "set by `seeds`: drives data order, adapter init and dropout",
       .min = 0,
       .max = kCountMax},
      {.key = "engine.numerics",
       .type = count,
       .default_text = "none",
       .doc = "version of the engine's arithmetic that computes it, as `plan --recompute-numerics` sets it; a "
              "trainer of another version refuses the trial",
       .min = 1,
       .max = 1e9},
      {.key = "eval.learn",
       .type = evals,
       .default_text = "none",
       .doc = "name -> task on the target domain; what is learned",
       .part = eval},
      {.key = "eval.retain",
       .type = evals,
       .default_text = "none",
       .doc = "name -> task that the base could do; what is forgotten",
       .part = eval},
      {.key = "eval.at",
       .type = moments,
       .default_text = "[\"0\",\"end\"]",
       .doc = "when: steps, %, `2 epochs`, end; the untouched base always is",
       .part = policy},
      {.key = "run.priority",
       .type = count,
       .default_text = "0",
       .doc = "higher goes first",
       .part = policy,
       .min = -1000,
       .max = 1000},
      {.key = "run.max_parallel",
       .type = count,
       .unit = "trials",
       .default_text = "none",
       .doc = "most trials at once",
       .part = policy,
       .min = 1,
       .max = 1e9},
      {.key = "run.max_failures",
       .type = count,
       .unit = "trials",
       .default_text = "none",
       .doc = "failed trials after which no more start",
       .part = policy,
       .min = 1,
       .max = 1e9},
      {.key = "run.retry.own",
       .type = count,
       .default_text = "3",
       .doc = "retries after a trial's own failure",
       .part = policy,
       .min = 0,
       .max = 1000},
      {.key = "run.retry.infra",
       .type = count,
       .default_text = "20",
       .doc = "retries after a lost worker or a preemption",
       .part = policy,
       .min = 0,
       .max = 100000},
      {.key = "run.keep",
       .type = choice,
       .default_text = "adapters",
       .doc = "what a finished trial leaves behind; delta: its adapters, or how its weights differ from the "
              "base's, exactly",
       .part = policy,
       .choices = {"none", "adapters", "weights", "delta", "checkpoints"}},
      {.key = "run.checkpoint_every",
       .type = duration,
       .unit = "s, m, h",
       .default_text = "5m",
       .doc = "wall time between checkpoints",
       .part = policy,
       .min = 1e3,
       .max = 30 * 86400e3},
      {.key = "run.lease",
       .type = duration,
       .unit = "s, m, h",
       .default_text = "2m",
       .doc = "silence after which a worker's trial is given to another; 30s at least",
       .part = policy,
       .min = 1e3,
       .max = 86400e3},
      {.key = "run.microbatch",
       .type = count,
       .unit = "sequences",
       .default_text = "auto",
       .doc = "rows computed at once; set by hand it marks results as not exact",
       .part = policy,
       .min = 1,
       .max = 1 << 20},
      {.key = "run.require_exact",
       .type = flag,
       .default_text = "false",
       .doc = "fail, or begin anew, rather than finish with weights that are not exact",
       .part = policy},
      {.key = "run.needs.memory",
       .type = size,
       .unit = "KiB, MiB, GiB, TiB",
       .default_text = "auto",
       .doc = "memory of a slot that may run anything of the sweep; auto is predicted for each trial and eval",
       .part = policy,
       .min = 1,
       .max = kCountMax},
      {.key = "run.needs.labels",
       .type = labels,
       .default_text = "[]",
       .doc = "a slot must have all of them (`ranktide worker --labels`)",
       .part = policy},
      {.key = "run.needs.gpus",
       .type = count,
       .default_text = "0",
       .doc = "1: only on slots that are a GPU",
       .part = policy,
       .min = 0,
       .max = 1,
       .bounds_reason = "a trial runs on one device"},
      {.key = "run.stop_early.rule",
       .type = choice,
       .default_text = "none",
       .doc = "asha: of the values of tuned axes those that fall behind on the way are stopped, with all their "
              "seeds",
       .part = policy,
       .choices = {"asha"}},
      {.key = "run.stop_early.by",
       .type = text,
       .default_text = "none",
       .doc = "the eval that values are compared by; trials of the first seed run it at every rung too",
       .part = policy},
      {.key = "run.stop_early.eta",
       .type = count,
       .default_text = "3",
       .doc = "of the values that came to a rung so far the best one in so many go on",
       .part = policy,
       .min = 2,
       .max = 100},
      {.key = "run.stop_early.first",
       .type = share,
       .unit = "% of the budget",
       .default_text = "10%",
       .doc = "where the first rung stands; the others stand eta times as far, each",
       .part = policy,
       .min = 1e-6,
       .max = 0.999999},
  };
  return rows;
}

// Returns: how a canonical value reads in a file, as far as effects speak of it.
std::string written(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() && value == 0) return "0";
  return value.dump();
}

bool is_off_or_required(std::string_view default_text) {
  return default_text == "required" || default_text == "none" || default_text == "one of three" ||
         default_text == "auto";
}

Json parsed_default(const Setting& setting) {
  const std::string text_of_default(setting.default_text);
  switch (setting.type) {
    case share:
      return *read_share(text_of_default);
    case steps_or_share:
      return Json{{"share", *read_share(text_of_default)}};
    case duration:
      return *read_duration_ms(text_of_default);
    case number:
      return *read_number(text_of_default);
    case count:
      return *read_count(text_of_default);
    case flag:
    case names:
    case moments:
    case labels:
      return Json::parse(text_of_default);
    default:
      return text_of_default;
  }
}

// Of the settings that have one by themselves: read once, for every cell of every grid asks.
std::map<const Setting*, Json> parsed_defaults() {
  std::map<const Setting*, Json> out;
  for (const Setting& setting : table())
    if (default_source(setting).empty() && setting.default_text != "auto" &&
        !is_off_or_required(setting.default_text))
      out.emplace(&setting, parsed_default(setting));
  return out;
}

}  // namespace

const std::vector<Setting>& settings() {
  return table();
}

const Setting* find_setting(std::string_view key) {
  static const auto by_key = [] {
    std::map<std::string_view, const Setting*> out;
    for (const auto& setting : table()) out[setting.key] = &setting;
    return out;
  }();
  const auto it = by_key.find(key);
  return it == by_key.end() ? nullptr : it->second;
}

std::optional<std::string> full_key(std::string_view name) {
  if (find_setting(name)) return std::string(name);
  std::optional<std::string> found;
  for (const auto& setting : table()) {
    const auto dot = setting.key.rfind('.');
    if (dot == std::string_view::npos || setting.key.substr(dot + 1) != name) continue;
    if (found) return std::nullopt;
    found = std::string(setting.key);
  }
  return found;
}

const std::vector<Setting>& eval_settings() {
  static const std::vector<Setting> rows{
      {.key = "data",
       .type = folder,
       .default_text = "required",
       .doc = "file of items or text, by path or as sha256:HEX",
       .part = eval},
      {.key = "kind",
       .type = choice,
       .default_text = "loss",
       .doc =
           "loss: nats per token of the text; choice: accuracy by log-likelihood; generate, code: answers that "
           "are compared or run (planned only)",
       .part = eval,
       .choices = {"loss", "choice", "generate", "code"}},
      {.key = "shots",
       .type = count,
       .default_text = "0",
       .doc = "solved examples before each item",
       .part = eval,
       .min = 0,
       .max = 1000},
      {.key = "norm",
       .type = choice,
       .default_text = "tokens",
       .doc = "what a choice's log-likelihood is divided by",
       .part = eval,
       .choices = {"tokens", "bytes", "none"}},
      {.key = "limit",
       .type = count,
       .unit = "items",
       .default_text = "none",
       .doc = "first items only",
       .part = eval,
       .min = 1,
       .max = 1e9},
      {.key = "template", .type = text, .default_text = "auto", .doc = "as data.template", .part = eval},
      {.key = "fields", .type = names, .default_text = "{}", .doc = "as data.fields", .part = eval},
      {.key = "samples",
       .type = count,
       .unit = "answers",
       .default_text = "1",
       .doc = "to each item; kinds generate and code only",
       .part = eval,
       .min = 1,
       .max = 10000},
      {.key = "temperature",
       .type = number,
       .default_text = "0",
       .doc = "of the draw of a token, 0 takes the likeliest; kinds generate and code only",
       .part = eval,
       .min = 0,
       .max = 100},
      {.key = "top_p",
       .type = share,
       .default_text = "1",
       .doc = "drawn from the likeliest tokens of this share; kinds generate and code only",
       .part = eval,
       .min = 1e-6,
       .max = 1},
  };
  return rows;
}

bool has_effect(const Setting& setting, const SettingValues& values) {
  if (setting.effect.key.empty()) return true;
  const auto it = values.find(std::string(setting.effect.key));
  const auto fallback =
      it != values.end() ? std::nullopt : default_value(*find_setting(setting.effect.key), values);
  if (it == values.end() && !fallback) return false;
  const std::string text_of_value = written(fallback ? *fallback : it->second);
  const auto contains = [&](const auto& list) {
    return std::find(list.begin(), list.end(), text_of_value) != list.end();
  };
  return setting.effect.values.empty() ? !contains(setting.effect.unless) : contains(setting.effect.values);
}

std::string_view default_source(const Setting& setting) {
  if (setting.key == "lora.alpha") return "lora.rank";
  if (setting.key == "train.betas") return "train.optimizer";
  if (setting.key == "train.final_lr") return "train.schedule";
  return {};
}

std::optional<Json> default_value(const Setting& setting, const SettingValues& values) {
  const auto value_of = [&](const char* key) -> std::optional<Json> {
    RT_CHECK(default_source(setting) == key);  // a default that hangs on more would not be seen by axis_reach.h
    const auto it = values.find(key);
    if (it != values.end()) return it->second;
    return default_value(*find_setting(key), values);
  };
  if (setting.key == "lora.alpha") {
    const auto rank = value_of("lora.rank");
    return rank ? std::optional<Json>(2.0 * rank->get<double>()) : std::nullopt;
  }
  if (setting.key == "train.betas")
    return *value_of("train.optimizer") == "lion" ? Json{0.9, 0.99} : Json{0.9, 0.999};
  if (setting.key == "train.final_lr") return *value_of("train.schedule") == "cosine" ? 0.01 : 0.0;
  if (setting.default_text == "auto" && setting.type != count && setting.type != size) return "auto";
  if (is_off_or_required(setting.default_text)) return std::nullopt;
  static const auto known = parsed_defaults();
  const auto parsed = known.find(&setting);
  return parsed != known.end() ? parsed->second : parsed_default(setting);
}

}  // namespace ranktide
