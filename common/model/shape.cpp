#include "common/model/shape.h"

#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

// Fields that say nothing about the forward pass. Whatever is neither here nor read below is refused.
const std::set<std::string_view> kIgnored{"_name_or_path",
                                          "architectures",
                                          "attention_dropout",
                                          "bos_token_id",
                                          "eos_token_id",
                                          "pad_token_id",
                                          "dtype",
                                          "torch_dtype",
                                          "initializer_range",
                                          "is_llama_config",
                                          "pretraining_tp",
                                          "transformers_version",
                                          "use_cache",
                                          "transformers.js_config",
                                          "unk_token_id",
                                          "max_window_layers",
                                          "is_decoder",
                                          "id2label",
                                          "label2id",
                                          "output_attentions",
                                          "output_hidden_states",
                                          "return_dict",
                                          "chunk_size_feed_forward",
                                          "problem_type",
                                          "is_encoder_decoder",
                                          "cross_attention_hidden_size",
                                          "add_cross_attention",
                                          "tie_encoder_decoder",
                                          "finetuning_task",
                                          "task_specific_params",
                                          "tokenizer_class",
                                          "prefix",
                                          "sep_token_id",
                                          "decoder_start_token_id",
                                          "torchscript",
                                          "use_bfloat16",
                                          "tf_legacy_loss",
                                          "pruned_heads",
                                          "output_scores",
                                          "return_dict_in_generate",
                                          "max_length",
                                          "min_length",
                                          "do_sample",
                                          "early_stopping",
                                          "num_beams",
                                          "num_beam_groups",
                                          "diversity_penalty",
                                          "temperature",
                                          "top_k",
                                          "top_p",
                                          "typical_p",
                                          "repetition_penalty",
                                          "length_penalty",
                                          "no_repeat_ngram_size",
                                          "encoder_no_repeat_ngram_size",
                                          "bad_words_ids",
                                          "num_return_sequences",
                                          "forced_bos_token_id",
                                          "forced_eos_token_id",
                                          "remove_invalid_values",
                                          "exponential_decay_length_penalty",
                                          "suppress_tokens",
                                          "begin_suppress_tokens"};

const std::set<std::string_view> kRead{"model_type",
                                       "vocab_size",
                                       "hidden_size",
                                       "intermediate_size",
                                       "num_hidden_layers",
                                       "num_attention_heads",
                                       "num_key_value_heads",
                                       "head_dim",
                                       "hidden_act",
                                       "rms_norm_eps",
                                       "max_position_embeddings",
                                       "tie_word_embeddings",
                                       "rope_theta",
                                       "rope_scaling",
                                       "rope_parameters",
                                       "attention_bias",
                                       "mlp_bias",
                                       "sliding_window",
                                       "use_sliding_window",
                                       "layer_types"};

// One config.json and the place to name when something in it is wrong.
struct Config {
  Json json;
  std::string where;

  [[noreturn]] void refuse(const std::string& what) const { throw ModelError(where + ": " + what); }
  bool has(const char* key) const { return json.contains(key) && !json[key].is_null(); }
};

template <class T>
T value(const Config& config, const Json& in, const char* key, T fallback) {
  if (!in.contains(key) || in[key].is_null()) return fallback;
  T out{};
  try {
    read_json(in[key], out, key);
  } catch (const ProtocolError& e) {
    config.refuse(e.what());
  }
  return out;
}

int64_t size(const Config& config, const char* key) {
  if (!config.has(key)) config.refuse(std::string("\"") + key + "\" is missing");
  const auto n = value<int64_t>(config, config.json, key, 0);
  // The bound keeps every product of two sizes inside int64.
  if (n <= 0 || n > (int64_t{1} << 31))
    config.refuse(std::string("\"") + key + "\" must be positive and below 2^31");
  return n;
}

Config read_config(const std::filesystem::path& folder) {
  const auto path = folder / "config.json";
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw ModelError(path.string() +
                     ": cannot be read; a model is a Hugging Face folder with config.json and *.safetensors");
  std::stringstream text;
  text << in.rdbuf();
  try {
    Config config{parse_json(text.str()), path.string()};
    if (!config.json.is_object()) config.refuse("is not a JSON object");
    return config;
  } catch (const ProtocolError& e) {
    throw ModelError(path.string() + ": " + e.what());
  }
}

void refuse_unknown_fields(const Config& config) {
  for (const auto& [key, v] : config.json.items()) {
    if (kIgnored.contains(key) || kRead.contains(key)) continue;
    if (v.is_null() || (v.is_boolean() && !v.get<bool>())) continue;  // switched off changes nothing
    config.refuse("\"" + key + "\" is not implemented for model_type \"" +
                  value<std::string>(config, config.json, "model_type", "") +
                  "\"; it may change what the model computes");
  }
}

void refuse_sliding_windows(const Config& config, const std::string& family) {
  const bool switched = config.json.contains("use_sliding_window");
  const bool on =
      switched ? value(config, config.json, "use_sliding_window", false) : config.has("sliding_window");
  if (on) config.refuse("sliding-window attention is not implemented (\"" + family + "\")");
  if (!config.has("layer_types")) return;
  for (const auto& type : value<std::vector<std::string>>(config, config.json, "layer_types", {}))
    if (type != "full_attention") config.refuse("layer_types \"" + type + "\" is not implemented");
}

void read_rope(const Config& config, ModelShape& shape) {
  // transformers 5 writes rope_parameters with the theta inside; 4 writes rope_theta and rope_scaling.
  const Json none = Json::object();
  const char* key = config.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const Json& rope = config.has(key) ? config.json[key] : none;
  if (!rope.is_object()) config.refuse(std::string("\"") + key + "\" is not a map");
  shape.rope_theta = value(config, rope, "rope_theta", value(config, config.json, "rope_theta", 10000.0));
  if (!(shape.rope_theta > 1)) config.refuse("\"rope_theta\" must be above 1");
  if (value(config, rope, "partial_rotary_factor", 1.0) != 1.0)
    config.refuse("partial rotary embeddings are not implemented");
  const auto type = value(config, rope, "rope_type", value<std::string>(config, rope, "type", "default"));
  if (type == "default") return;
  if (type != "llama3")
    config.refuse("RoPE scaling \"" + type + "\" is not implemented; known: default, llama3");
  for (const char* part : {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"})
    if (!rope.contains(part)) config.refuse(std::string("llama3 RoPE scaling lacks \"") + part + "\"");
  shape.llama3_rope =
      Llama3Rope{.factor = value(config, rope, "factor", 1.0),
                 .low_freq_factor = value(config, rope, "low_freq_factor", 1.0),
                 .high_freq_factor = value(config, rope, "high_freq_factor", 4.0),
                 .original_context = value(config, rope, "original_max_position_embeddings", 8192.0)};
  if (!(shape.llama3_rope->high_freq_factor > shape.llama3_rope->low_freq_factor))
    config.refuse("llama3 RoPE scaling needs high_freq_factor above low_freq_factor");
}

void read_biases(const Config& config, ModelShape& shape) {
  const bool attention_bias = value(config, config.json, "attention_bias", false);
  shape.qkv_bias = attention_bias || shape.family == "qwen2";  // qwen2 has it hard-coded, and none on o
  shape.o_bias = attention_bias && shape.family != "qwen2";
  shape.mlp_bias = value(config, config.json, "mlp_bias", false);
  shape.qk_norm = shape.family == "qwen3";
}

void read_heads(const Config& config, ModelShape& shape) {
  shape.heads = size(config, "num_attention_heads");
  shape.kv_heads = config.has("num_key_value_heads") ? size(config, "num_key_value_heads") : shape.heads;
  shape.head_dim = config.has("head_dim") ? size(config, "head_dim") : shape.hidden / shape.heads;
  if (!config.has("head_dim") && shape.hidden % shape.heads != 0)
    config.refuse("hidden_size is no multiple of num_attention_heads and head_dim is not given");
  if (shape.heads % shape.kv_heads != 0)
    config.refuse("num_attention_heads is no multiple of num_key_value_heads");
  if (shape.head_dim % 2 != 0) config.refuse("head_dim must be even for rotary embeddings");
}

}  // namespace

ModelShape read_shape(const std::filesystem::path& folder) {
  const Config config = read_config(folder);
  ModelShape shape;
  shape.family = value<std::string>(config, config.json, "model_type", "");
  if (shape.family != "llama" && shape.family != "mistral" && shape.family != "qwen2" &&
      shape.family != "qwen3")
    config.refuse("model_type \"" + shape.family +
                  "\" is not implemented; known: llama, mistral, qwen2, qwen3");
  refuse_unknown_fields(config);
  refuse_sliding_windows(config, shape.family);
  const auto act = value<std::string>(config, config.json, "hidden_act", "silu");
  if (act != "silu") config.refuse("hidden_act \"" + act + "\" is not implemented; known: silu");
  shape.vocabulary = size(config, "vocab_size");
  shape.hidden = size(config, "hidden_size");
  shape.ffn = size(config, "intermediate_size");
  shape.layers = size(config, "num_hidden_layers");
  read_heads(config, shape);
  shape.context = config.has("max_position_embeddings") ? size(config, "max_position_embeddings") : 2048;
  shape.norm_eps = value(config, config.json, "rms_norm_eps", 1e-6);
  shape.tied_head = value(config, config.json, "tie_word_embeddings", false);
  read_rope(config, shape);
  read_biases(config, shape);
  return shape;
}

std::optional<LinearShape> linear_shape(const ModelShape& s, const std::string& module) {
  if (module == "q_proj") return LinearShape{s.hidden, s.heads * s.head_dim};
  if (module == "k_proj" || module == "v_proj") return LinearShape{s.hidden, s.kv_heads * s.head_dim};
  if (module == "o_proj") return LinearShape{s.heads * s.head_dim, s.hidden};
  if (module == "gate_proj" || module == "up_proj") return LinearShape{s.hidden, s.ffn};
  if (module == "down_proj") return LinearShape{s.ffn, s.hidden};
  return std::nullopt;
}

}  // namespace ranktide
