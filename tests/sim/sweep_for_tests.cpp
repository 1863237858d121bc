#include "tests/sim/sweep_for_tests.h"

#include "common/sweep/grid.h"
#include "common/sweep/identity.h"
#include "common/sweep/sweep_yaml.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

std::string list_of(const std::vector<int>& items) {
  std::string out;
  for (const int item : items) (out += out.empty() ? "[" : ", ") += std::to_string(item);
  return out += "]";
}

std::string tokenizer_of(const ModelSettings& model) {
  return sha256_hex("tokenizer" + model.tokenizer);
}

// Of a Llama with 1.3 G weights.
const ModelShape kShape{.family = "llama",
                        .vocabulary = 32'000,
                        .hidden = 2'048,
                        .ffn = 5'632,
                        .layers = 22,
                        .heads = 32,
                        .kv_heads = 32,
                        .head_dim = 64,
                        .context = 2'048};

void fill_inputs(SweepSpec& spec, const std::optional<ModelShape>& shape) {
  const WantedInputs wanted = wanted_inputs(spec);
  for (const ModelSettings& model : wanted.models)
    spec.inputs.models[model_key(model)] = {.path = model.path,
                                            .base = BaseId{sha256_hex("base")},
                                            .tokenizer_sha256 = tokenizer_of(model),
                                            .shape = shape};
  for (const WantedData& data : wanted.data)
    spec.inputs.data[data_key(data.data, tokenizer_of(data.model))] = {
        .sha256 = sha256_hex("data"), .documents = 100, .tokens = 6'400, .rows = 100};
  for (const std::string& file : wanted.files) spec.inputs.files[file] = sha256_hex(file);
}

}  // namespace

SweepSpec sweep_for_tests(const SweepForTests& wish) {
  std::string text = "version: 1\nname: " + wish.name + "\n";
  text += "model: {path: base" + (wish.tokenizer.empty() ? "" : ", tokenizer: " + wish.tokenizer) + "}\n";
  text += "data: {train: words.jsonl, max_tokens: " + std::to_string(wish.max_tokens) + "}\n";
  text += std::string("train: {batch: 4, ") +
          (wish.budgets.empty() ? "schedule: constant}\n" : "schedule: wsd, warmup: 0, cooldown: 2}\n");
  text += wish.budgets.empty() ? "budget: {steps: " + std::to_string(wish.steps) + "}\n"
                               : "axes: {budget.steps: " + list_of(wish.budgets) + "}\n";
  if (wish.has_evals)
    text += "eval: {learn: {words: {data: held_out.jsonl}}, retain: {prose: {data: prose.txt}}, at: " +
            wish.eval_at + "}\n";
  text += "seeds: " + std::to_string(wish.seeds) + "\n";
  text += "blocks: {lora: {method: lora, lora.rank: " + list_of(wish.ranks) +
          ", lora.target: attn, train.lr: " + wish.rates + "}}\n";
  if (!wish.tune.empty()) text += "tune: " + wish.tune + "\n";
  text +=
      "run: {priority: " + std::to_string(wish.priority) + (wish.run.empty() ? "" : ", " + wish.run) + "}\n";
  SweepSpec spec = parse_sweep(text, wish.name + ".yaml", "/sweeps");
  fill_inputs(spec, wish.has_shape ? std::optional(kShape) : std::nullopt);
  return spec;
}

}  // namespace ranktide
