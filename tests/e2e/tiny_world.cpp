#include "tests/e2e/tiny_world.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <unistd.h>

#include "common/model/safetensors.h"
#include "common/vocabulary/random.h"

namespace ranktide::e2e {
namespace fs = std::filesystem;

namespace {

constexpr int64_t kVocabulary = 1024, kHidden = 64, kFfn = 128, kLayers = 2, kHeads = 4, kKvHeads = 2,
                  kHeadDim = 16;

// Weights of the size that training starts from: logits near zero, so that a few steps move the loss.
class Weights {
 public:
  void add(const std::string& name, std::vector<int64_t> shape) {
    const bool norm = shape.size() == 1;
    int64_t count = 1;
    for (const int64_t n : shape) count *= n;
    std::vector<float>& values = storage_[name];
    for (int64_t i = 0; i < count; ++i)
      values.push_back(norm ? 1.0f : static_cast<float>((chance_.unit() - 0.5) * 0.1));
    views_[name] = {
        .dtype = "F32", .shape = std::move(shape), .bytes = std::as_bytes(std::span<const float>(values))};
  }
  const std::map<std::string, TensorView>& views() const { return views_; }

 private:
  SplitMix64 chance_{42};
  std::map<std::string, std::vector<float>> storage_;
  std::map<std::string, TensorView> views_;
};

void add_layer(Weights& w, const std::string& at) {
  w.add(at + "input_layernorm.weight", {kHidden});
  w.add(at + "post_attention_layernorm.weight", {kHidden});
  w.add(at + "self_attn.q_proj.weight", {kHeads * kHeadDim, kHidden});
  w.add(at + "self_attn.k_proj.weight", {kKvHeads * kHeadDim, kHidden});
  w.add(at + "self_attn.v_proj.weight", {kKvHeads * kHeadDim, kHidden});
  w.add(at + "self_attn.o_proj.weight", {kHidden, kHeads * kHeadDim});
  w.add(at + "mlp.gate_proj.weight", {kFfn, kHidden});
  w.add(at + "mlp.up_proj.weight", {kFfn, kHidden});
  w.add(at + "mlp.down_proj.weight", {kHidden, kFfn});
}

std::string problem(SplitMix64& chance) {
  const auto a = chance.below(50) + 2, b = chance.below(50) + 2;
  const Json row{{"prompt", "Ann has " + std::to_string(a) + " pears and buys " + std::to_string(b) +
                                ". How many has she?"},
                 {"completion", std::to_string(a) + " + " + std::to_string(b) + " = " + std::to_string(a + b)}};
  return row.dump() + "\n";
}

std::string sentences(SplitMix64& chance, const std::vector<std::string>& words, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += words[chance.below(words.size())] + (i % 12 == 11 ? ".\n" : " ");
  return out;
}

}  // namespace

TinyWorld::TinyWorld() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  static int worlds = 0;  // a test may have several
  folder_ = fs::temp_directory_path() /
            ("ranktide_e2e." + std::to_string(getpid()) + "." + std::to_string(++worlds) + "." + test->name());
  fs::remove_all(folder_);
  write_model();
  write_texts();
  write_sweep(sweep_text());
}

TinyWorld::~TinyWorld() {
  if (!testing::Test::HasFailure()) fs::remove_all(folder_);  // a failure leaves everything to look at
}

void TinyWorld::write_model() const {
  const Json config{{"architectures", {"LlamaForCausalLM"}},
                    {"model_type", "llama"},
                    {"vocab_size", kVocabulary},
                    {"hidden_size", kHidden},
                    {"intermediate_size", kFfn},
                    {"num_hidden_layers", kLayers},
                    {"num_attention_heads", kHeads},
                    {"num_key_value_heads", kKvHeads},
                    {"head_dim", kHeadDim},
                    {"hidden_act", "silu"},
                    {"rms_norm_eps", 1e-5},
                    {"rope_theta", 10000.0},
                    {"max_position_embeddings", 512},
                    {"tie_word_embeddings", true},
                    {"eos_token_id", 0}};
  write_text(model() / "config.json", config.dump(1));
  Weights weights;
  weights.add("model.embed_tokens.weight", {kVocabulary, kHidden});
  weights.add("model.norm.weight", {kHidden});
  for (int64_t l = 0; l < kLayers; ++l) add_layer(weights, "model.layers." + std::to_string(l) + ".");
  write_safetensors(model() / "model.safetensors", weights.views());
  const fs::path tokenizer = fs::path(RANKTIDE_SOURCE_DIR) / "tests/golden/tokenizer/smollm2";
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(tokenizer / name, model() / name);
}

void TinyWorld::write_texts() const {
  SplitMix64 chance{7};
  const std::vector<std::string> code{
      "def", "return", "self.value", "for i in range(10):", "import os", "x = 1", "print(x)"};
  const std::vector<std::string> prose{"the", "tide", "comes", "in", "and", "goes", "out", "again", "slowly"};
  write_text(folder_ / "code_train.txt", sentences(chance, code, 4000));
  write_text(folder_ / "code_held.txt", sentences(chance, code, 600));
  write_text(folder_ / "prose.txt", sentences(chance, prose, 600));
  std::string train, held;
  for (int i = 0; i < 200; ++i) train += problem(chance);
  for (int i = 0; i < 20; ++i) held += problem(chance);
  write_text(folder_ / "math_train.jsonl", train);
  write_text(folder_ / "math_held.jsonl", held);
}

std::string TinyWorld::sweep_text(int steps, int seeds) {
  return "version: 1\n"
         "name: tiny\n"
         "model: {path: model, dtype: fp32}\n"
         "data: {max_tokens: 64}\n"
         "train: {batch: 2, schedule: constant, warmup: 0}\n"
         "budget: {steps: " +
         std::to_string(steps) +
         "}\n"
         "rows:\n"
         "  regime:\n"
         "    code: {data.train: code_train.txt, eval.learn: {code_loss: {data: code_held.txt, limit: 4}}}\n"
         "    math: {data.train: math_train.jsonl, eval.learn: {math_loss: {data: math_held.jsonl}}}\n"
         "eval: {retain: {prose_loss: {data: prose.txt, limit: 4}}}\n"
         "seeds: " +
         std::to_string(seeds) +
         "\n"
         "blocks:\n"
         "  full: {method: full, train.lr: 1e-3}\n"
         "  lora: {method: lora, lora.rank: 4, lora.target: attn, train.lr: 1e-2}\n";
}

std::vector<std::string> TinyWorld::command(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), ranktide_program().string());
  arguments.insert(arguments.end(), {"--data-dir", data().string()});
  return arguments;
}

Ended TinyWorld::ranktide(std::vector<std::string> arguments, std::chrono::seconds limit) const {
  return run(command(std::move(arguments)), folder_ / "output", limit);
}

Json TinyWorld::query_rows(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"query", "tiny", "--json"});
  const Ended ended = ranktide(std::move(arguments));
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  return parse_json(ended.out).at("rows");
}

namespace {

// Of the shortest of one trial per cell, each alone.
double seconds_of_a_step() {
  constexpr int kTried = 400;
  const TinyWorld probe;
  probe.write_sweep(TinyWorld::sweep_text(kTried, 1));
  const Ended ran = probe.ranktide({"run", probe.sweep().string(), "--slots", "1"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  double shortest = std::numeric_limits<double>::infinity();  // of training alone, without a trainer's start
  for (const Json& row : probe.query_rows({"--trials"}))
    if (row.at("method") != "base") shortest = std::min(shortest, row.at("seconds").get<double>());
  EXPECT_GT(shortest, 0);
  return shortest / kTried;
}

}  // namespace

int steps_of_a_long_trial(double seconds) {
  static const double kSecondsOfAStep = seconds_of_a_step();  // asked once a program: it takes a whole run
  return std::max(100, static_cast<int>(std::ceil(seconds / kSecondsOfAStep)));
}

fs::path ranktide_program() {
  return fs::path(RANKTIDE_BUILD_DIR) / "bin/ranktide";
}
fs::path trainer_program() {
  return fs::path(RANKTIDE_BUILD_DIR) / "bin/ranktide-trainer";
}

}  // namespace ranktide::e2e
