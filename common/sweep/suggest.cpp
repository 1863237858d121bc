#include "common/sweep/suggest.h"

#include <algorithm>
#include <map>
#include <optional>

#include "common/sweep/settings.h"

namespace ranktide {
namespace {

// Words of W&B, Katib, Hydra, axolotl, PEFT, transformers and LLaMA-Factory for what is here called otherwise.
const std::map<std::string_view, std::string_view>& foreign_words() {
  static const std::map<std::string_view, std::string_view> words{
      {"learning_rate", "train.lr"},
      {"lr", "train.lr"},
      {"lora_r", "lora.rank"},
      {"r", "lora.rank"},
      {"lora_alpha", "lora.alpha"},
      {"lora_dropout", "lora.dropout"},
      {"use_rslora", "lora.scaling"},
      {"target_modules", "lora.target"},
      {"lora_target_modules", "lora.target"},
      {"lora_target", "lora.target"},
      {"finetuning_type", "method"},
      {"adapter", "method"},
      {"optim", "train.optimizer"},
      {"batch_size", "train.batch"},
      {"per_device_train_batch_size", "train.batch"},
      {"micro_batch_size", "run.microbatch"},
      {"lr_scheduler", "train.schedule"},
      {"lr_scheduler_type", "train.schedule"},
      {"scheduler", "train.schedule"},
      {"warmup_steps", "train.warmup"},
      {"warmup_ratio", "train.warmup"},
      {"max_grad_norm", "train.clip"},
      {"gradient_clipping", "train.clip"},
      {"adam_beta1", "train.betas"},
      {"adam_beta2", "train.betas"},
      {"adam_epsilon", "train.eps"},
      {"attention_dropout", "train.attention_dropout"},
      {"num_epochs", "budget.epochs"},
      {"num_train_epochs", "budget.epochs"},
      {"max_steps", "budget.steps"},
      {"base_model", "model.path"},
      {"model_name_or_path", "model.path"},
      {"tokenizer_path", "model.tokenizer"},
      {"datasets", "data.train"},
      {"dataset", "data.train"},
      {"train_file", "data.train"},
      {"sequence_len", "data.max_tokens"},
      {"max_seq_length", "data.max_tokens"},
      {"max_length", "data.max_tokens"},
      {"cutoff_len", "data.max_tokens"},
      {"sample_packing", "data.packing"},
      {"train_on_inputs", "data.mask_prompt"},
      {"chat_template", "data.template"},
      {"random_seed", "seeds"},
      {"seed", "seeds"},
      {"parameters", "axes"},
      {"params", "axes"},
      {"grid", "axes"},
      {"groups", "blocks"},
      {"vals", "values"},
      {"minval", "min"},
      {"maxval", "max"},
      {"max_restarts", "run.retry.own"},
      {"maxFailedTrialCount", "run.max_failures"},
      {"parallelTrialCount", "run.max_parallel"},
      {"max_concurrent_trials", "run.max_parallel"},
      {"maxTrialCount", "search"},
      {"run_cap", "search"},
      {"num_samples", "search"},
      {"metric", "tune"},
      {"objective", "tune"},
      {"distribution", "log"},
      {"save_total_limit", "run.keep"}};
  return words;
}

// What stands in an axis of Determined, Katib, W&B, Ray and SigOpt beside `values`, `min` and `max`.
const std::map<std::string_view, std::string_view>& foreign_axis_words() {
  static const std::map<std::string_view, std::string_view> words{
      {"vals", "values"},   {"choices", "values"},   {"list", "values"}, {"val", "value"},
      {"minval", "min"},    {"lower", "min"},        {"maxval", "max"},  {"upper", "max"},
      {"stride", "step"},   {"distribution", "log"}, {"type", ""},       {"parameterType", ""},
      {"feasibleSpace", ""}};
  return words;
}

constexpr std::string_view kConstructs[] = {"version", "name",   "axes",    "rows",    "zip",
                                            "blocks",  "derive", "exclude", "include", "seeds",
                                            "search",  "tune",   "like",    "when",    "run"};

// Returns: edit distance with neighbour swaps (Damerau, restricted). Words are cut at 64 bytes: longer ones are
// no typos.
size_t distance(std::string_view a, std::string_view b) {
  a = a.substr(0, 64);
  b = b.substr(0, 64);
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      const size_t change = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& candidates) {
  std::optional<std::string_view> best;
  size_t best_distance = 1 + std::clamp<size_t>(word.size() / 3, 1, 3);
  for (const auto& candidate : candidates) {
    const size_t far = distance(word, candidate);
    if (far >= best_distance) continue;
    best = candidate;
    best_distance = far;
  }
  return best;
}

std::string_view last_part(std::string_view key) {
  const size_t dot = key.rfind('.');
  return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

std::string remedy(std::string_view word) {
  return "; did you mean \"" + std::string(word) + "\"?";
}

// A construct that stands where none is read. `run` is a section beside: its keys are settings.
std::optional<std::string> place_of_construct(std::string_view key) {
  if (std::find(std::begin(kConstructs), std::end(kConstructs), key) == std::end(kConstructs))
    return std::nullopt;
  const std::string it = "; " + std::string(key) + " stands ";
  if (key == "like") return it + "in a block";
  if (key == "when") return it + "in an axis, beside its values";
  constexpr std::string_view kOfBlocksToo[] = {"axes", "rows", "zip", "derive", "exclude", "include"};
  const bool of_blocks =
      std::find(std::begin(kOfBlocksToo), std::end(kOfBlocksToo), key) != std::end(kOfBlocksToo);
  return it + "at the file's top" + (of_blocks ? " or in a block" : "");
}

}  // namespace

std::string nearest_remedy(std::string_view word, const std::vector<std::string_view>& candidates) {
  const auto found = nearest(word, candidates);
  return found ? remedy(*found) : "";
}

std::string axis_word_remedy(std::string_view word) {
  const auto it = foreign_axis_words().find(word);
  if (it == foreign_axis_words().end()) return "";
  if (!it->second.empty()) return remedy(it->second);
  if (word == "feasibleSpace") return "; write its values, or min, max and step, in its place";
  return "; leave it out, a setting knows its type";
}

std::optional<std::string_view> foreign_word(std::string_view word) {
  const auto it = foreign_words().find(word);
  return it == foreign_words().end() ? std::nullopt : std::optional(it->second);
}

std::string key_remedy(std::string_view key, const std::vector<std::string>& more) {
  if (auto place = place_of_construct(key)) return *std::move(place);
  const std::string_view last = last_part(key);
  if (const auto full = full_key(last); full && *full != key) return remedy(*full);
  if (const auto it = foreign_words().find(last); it != foreign_words().end()) return remedy(it->second);
  std::vector<std::string_view> candidates(std::begin(kConstructs), std::end(kConstructs));
  candidates.insert(candidates.end(), more.begin(), more.end());
  std::vector<std::string_view> parts;
  for (const auto& setting : settings()) {
    candidates.push_back(setting.key);
    parts.push_back(last_part(setting.key));
  }
  if (const auto found = nearest(key, candidates)) return remedy(*found);
  const auto part = nearest(last, parts);  // right word, wrong section
  const auto full = part ? full_key(*part) : std::nullopt;
  return full ? remedy(*full) : "";
}

}  // namespace ranktide
