#pragma once
// The shape of a Llama-style decoder, read from a Hugging Face config.json as transformers 4 and 5 write it.
// Not the weights. Every field that would change the arithmetic and is not known here is refused by name,
// because a model that is computed slightly wrong is worse than one that is refused.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/model/model_error.h"

namespace ranktide {

// RoPE of Llama 3: long wavelengths are stretched by `factor`, short ones kept, those between blended.
struct Llama3Rope {
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_context = 8192;
};

struct ModelShape {
  std::string family;  // model_type: llama, mistral, qwen2, qwen3
  int64_t vocabulary = 0;
  int64_t hidden = 0;    // D
  int64_t ffn = 0;       // F
  int64_t layers = 0;    // L
  int64_t heads = 0;     // Hq
  int64_t kv_heads = 0;  // Hkv, divides Hq
  int64_t head_dim = 0;  // hd, even; hidden / heads unless the config says otherwise
  int64_t context = 0;   // longest sequence the model was trained for
  double norm_eps = 1e-6;
  double rope_theta = 10000;
  std::optional<Llama3Rope> llama3_rope;
  bool tied_head = false;  // lm_head is embed_tokens
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  bool qk_norm = false;  // RMSNorm over head_dim of q and k, before RoPE
};

// Returns: the shape of the model in this folder.
// Throws: ModelError when config.json is missing, malformed, of an unknown family, or asks for arithmetic that
// is not implemented (sliding windows, other RoPE scalings, mixtures of experts, quantised weights ...).
ModelShape read_shape(const std::filesystem::path& folder);

// A linear of a decoder layer by its module name: q_proj k_proj v_proj o_proj gate_proj up_proj down_proj.
struct LinearShape {
  int64_t in = 0;
  int64_t out = 0;
};

// Returns: nullopt when no such linear exists.
std::optional<LinearShape> linear_shape(const ModelShape& shape, const std::string& module);

}  // namespace ranktide
