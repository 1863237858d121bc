#include "common/model/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/vocabulary/wire.h"
#include "tests/common/model/scratch.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

const Json kLlama = {
    {"model_type", "llama"},     {"vocab_size", 49152},         {"hidden_size", 576},
    {"intermediate_size", 1536}, {"num_hidden_layers", 30},     {"num_attention_heads", 9},
    {"num_key_value_heads", 3},  {"hidden_act", "silu"},        {"rms_norm_eps", 1e-5},
    {"rope_theta", 100000},      {"tie_word_embeddings", true}, {"max_position_embeddings", 8192}};

Json with(Json config, const std::string& key, const Json& value) {
  config[key] = value;
  return config;
}

ModelShape shape_of(const Json& config) {
  const Scratch scratch;
  scratch.put("config.json", config.dump());
  return read_shape(scratch.path());
}

std::string shape_refusal(const Json& config) {
  try {
    shape_of(config);
    return "accepted";
  } catch (const ModelError& e) {
    return e.what();
  }
}

TEST(Shape, ReadsALlamaOfTransformers4) {
  const ModelShape s = shape_of(kLlama);
  EXPECT_EQ(s.head_dim, 64);
  EXPECT_EQ(s.kv_heads, 3);
  EXPECT_EQ(s.rope_theta, 100000);
  EXPECT_TRUE(s.tied_head);
  EXPECT_FALSE(s.qkv_bias);
  EXPECT_FALSE(s.llama3_rope.has_value());
}

TEST(Shape, ReadsRopeWhereTransformers5PutsIt) {
  Json config = with(kLlama, "rope_parameters", {{"rope_type", "default"}, {"rope_theta", 5e5}});
  config.erase("rope_theta");
  EXPECT_EQ(shape_of(config).rope_theta, 5e5);
}

TEST(Shape, ReadsLlama3Scaling) {
  const Json rope = {{"rope_type", "llama3"},
                     {"factor", 32.0},
                     {"low_freq_factor", 1.0},
                     {"high_freq_factor", 4.0},
                     {"original_max_position_embeddings", 8192}};
  EXPECT_EQ(shape_of(with(kLlama, "rope_scaling", rope)).llama3_rope.value().factor, 32);
}

TEST(Shape, Qwen2HasBiasesThatItsConfigDoesNotName) {
  const ModelShape s = shape_of(with(kLlama, "model_type", "qwen2"));
  EXPECT_TRUE(s.qkv_bias);
  EXPECT_FALSE(s.o_bias);
}

TEST(Shape, Qwen3NormsItsHeads) {
  EXPECT_TRUE(shape_of(with(kLlama, "model_type", "qwen3")).qk_norm);
}

TEST(Shape, AcceptsASlidingWindowThatIsOff) {
  EXPECT_EQ(shape_refusal(with(with(kLlama, "sliding_window", nullptr), "model_type", "mistral")), "accepted");
  EXPECT_EQ(shape_refusal(with(with(kLlama, "sliding_window", 4096), "use_sliding_window", false)), "accepted");
}

TEST(Shape, RefusesByNameWhatItDoesNotCompute) {
  EXPECT_THAT(shape_refusal(with(kLlama, "model_type", "gpt2")),
              HasSubstr("\"gpt2\" is not implemented; known: llama"));
  EXPECT_THAT(shape_refusal(with(kLlama, "hidden_act", "gelu")), HasSubstr("\"gelu\""));
  EXPECT_THAT(shape_refusal(with(kLlama, "sliding_window", 4096)), HasSubstr("sliding-window"));
  EXPECT_THAT(shape_refusal(with(kLlama, "rope_scaling", {{"rope_type", "yarn"}})), HasSubstr("\"yarn\""));
  EXPECT_THAT(shape_refusal(with(kLlama, "num_local_experts", 8)), HasSubstr("\"num_local_experts\""));
  EXPECT_THAT(shape_refusal(with(kLlama, "quantization_config", {{"bits", 4}})),
              HasSubstr("\"quantization_config\""));
  EXPECT_THAT(shape_refusal(with(kLlama, "layer_types", {"sliding_attention"})),
              HasSubstr("sliding_attention"));
}

TEST(Shape, RefusesNumbersThatCannotBe) {
  EXPECT_THAT(shape_refusal(with(kLlama, "hidden_size", 0)), HasSubstr("\"hidden_size\" must be positive"));
  EXPECT_THAT(shape_refusal(with(kLlama, "hidden_size", "big")), HasSubstr("hidden_size: expected an integer"));
  EXPECT_THAT(shape_refusal(with(kLlama, "num_key_value_heads", 2)),
              HasSubstr("no multiple of num_key_value_heads"));
}

TEST(Shape, NamesTheMissingFile) {
  const Scratch scratch;
  try {
    read_shape(scratch.path());
    FAIL();
  } catch (const ModelError& e) {
    EXPECT_THAT(e.what(), HasSubstr("config.json: cannot be read; a model is a Hugging Face folder"));
  }
}

}  // namespace
}  // namespace ranktide
