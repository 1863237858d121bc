#include "worker/trainer/check/families.h"

#include <utility>

namespace ranktide {
namespace {

// Six heads over two, so queries are grouped; a rotary base so small that every pair of a head turns within a
// row.
Family family(const std::string& name, const std::string& model_type, const Json& differs,
              int64_t longest_row = 70) {
  Json config{{"model_type", model_type},
              {"vocab_size", 211},
              {"hidden_size", 48},
              {"intermediate_size", 80},
              {"num_hidden_layers", 2},
              {"num_attention_heads", 6},
              {"num_key_value_heads", 2},
              {"hidden_act", "silu"},
              {"rms_norm_eps", 1e-5},
              {"rope_theta", 100.0},
              {"max_position_embeddings", 256},
              {"tie_word_embeddings", false}};
  config.update(differs);
  return {.name = name, .config = std::move(config), .longest_row = longest_row};
}

}  // namespace

const std::vector<Family>& families() {
  static const std::vector<Family> kFamilies = {
      family("llama", "llama", {{"tie_word_embeddings", true}}),
      family("llama3", "llama",
             {{"rope_scaling",
               {{"rope_type", "llama3"},
                {"factor", 4.0},
                {"low_freq_factor", 1.0},
                {"high_freq_factor", 4.0},
                {"original_max_position_embeddings", 32.0}}}}),
      // Heads x head size is not the hidden size.
      family("mistral", "mistral", {{"head_dim", 12}, {"sliding_window", nullptr}}),
      family("qwen2", "qwen2", {{"tie_word_embeddings", true}, {"use_sliding_window", false}}),
      family("qwen3", "qwen3", {{"head_dim", 16}}),
      // More words, and more tokens in a row, than the loops sum exponentials of at once; and so many attention
      // weights in a block that a device draws their mask itself.
      family("long", "llama",
             {{"vocab_size", 1500},
              {"hidden_size", 16},
              {"intermediate_size", 24},
              {"num_hidden_layers", 1},
              {"num_attention_heads", 4},
              {"max_position_embeddings", 2048}},
             1100),
  };
  return kFamilies;
}

}  // namespace ranktide
