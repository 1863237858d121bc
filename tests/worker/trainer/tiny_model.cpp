#include "tests/worker/trainer/tiny_model.h"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <unistd.h>
#include <vector>

#include "common/model/safetensors.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/random.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kHidden = 32, kLayers = 2, kHeads = 4, kKvHeads = 2, kHeadDim = 8;

class Weights {
 public:
  Weights(uint64_t seed, int64_t ffn) : chance_(seed), ffn_(ffn) {}

  void draw(const std::string& name, std::vector<int64_t> shape) {
    const bool norm = shape.size() == 1;
    int64_t count = 1;
    for (const int64_t n : shape) count *= n;
    std::vector<float>& values = storage_[name];
    for (int64_t i = 0; i < count; ++i) {
      const double drawn = (chance_.unit() - 0.5) * 0.4;
      values.push_back(static_cast<float>(norm ? 1 + drawn : drawn));
    }
    views_[name] = {
        .dtype = "F32", .shape = std::move(shape), .bytes = std::as_bytes(std::span<const float>(values))};
  }

  void draw_layer(const std::string& at) {
    draw(at + "input_layernorm.weight", {kHidden});
    draw(at + "post_attention_layernorm.weight", {kHidden});
    draw(at + "self_attn.q_proj.weight", {kHeads * kHeadDim, kHidden});
    draw(at + "self_attn.k_proj.weight", {kKvHeads * kHeadDim, kHidden});
    draw(at + "self_attn.v_proj.weight", {kKvHeads * kHeadDim, kHidden});
    draw(at + "self_attn.o_proj.weight", {kHidden, kHeads * kHeadDim});
    draw(at + "mlp.gate_proj.weight", {ffn_, kHidden});
    draw(at + "mlp.up_proj.weight", {ffn_, kHidden});
    draw(at + "mlp.down_proj.weight", {kHidden, ffn_});
  }

  const std::map<std::string, TensorView>& views() const { return views_; }

 private:
  SplitMix64 chance_;
  int64_t ffn_;
  std::map<std::string, std::vector<float>> storage_;
  std::map<std::string, TensorView> views_;
};

nlohmann::json tiny_config(int64_t ffn) {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", kTinyVocabulary},
          {"hidden_size", kHidden},
          {"intermediate_size", ffn},
          {"num_hidden_layers", kLayers},
          {"num_attention_heads", kHeads},
          {"head_dim", kHeadDim},
          {"num_key_value_heads", kKvHeads},
          {"hidden_act", "silu"},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0},
          {"tie_word_embeddings", true},
          {"eos_token_id", 0},
          {"max_position_embeddings", kTinyContext}};
}

}  // namespace

void write_tiny_model(const fs::path& folder, uint64_t seed, int64_t ffn) {
  fs::create_directories(folder);
  write_file(folder / "config.json", tiny_config(ffn).dump(1));
  Weights weights(seed, ffn);
  weights.draw("model.embed_tokens.weight", {kTinyVocabulary, kHidden});
  weights.draw("model.norm.weight", {kHidden});
  for (int64_t layer = 0; layer < kLayers; ++layer)
    weights.draw_layer("model.layers." + std::to_string(layer) + ".");
  write_safetensors(folder / "model.safetensors", weights.views());
  const fs::path tokenizer = fs::path(RANKTIDE_SOURCE_DIR) / "tests/golden/tokenizer/smollm2";
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(tokenizer / name, folder / name, fs::copy_options::overwrite_existing);
}

ScratchFolder::ScratchFolder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  path_ = fs::temp_directory_path() / ("ranktide_trainer." + std::to_string(::getpid()) + "." +
                                       test->test_suite_name() + "." + test->name());
  fs::remove_all(path_);
  fs::create_directories(path_);
}

ScratchFolder::~ScratchFolder() {
  std::error_code left_behind;
  if (!testing::Test::HasFailure()) fs::remove_all(path_, left_behind);
}

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  RT_CHECK(out.flush().good());
}

}  // namespace ranktide
