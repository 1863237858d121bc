#pragma once
// The sizes of a Llama-style decoder: what its arithmetic, its parameters and its memory follow from. Plain
// data that travels with a sweep; how it is read from a config.json stands in common/model/shape.h.

#include <cstdint>
#include <optional>
#include <string>

namespace ranktide {

// RoPE of Llama 3: long wavelengths are stretched by `factor`, short ones kept, those between blended.
struct Llama3Rope {
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_context = 8192;
};
template <class Ar>
void fields(Ar& ar, Llama3Rope& r) {
  ar("factor", r.factor)("low_freq_factor", r.low_freq_factor)("high_freq_factor", r.high_freq_factor);
  ar("original_context", r.original_context);
}

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
template <class Ar>
void fields(Ar& ar, ModelShape& s) {
  ar("family", s.family)("vocabulary", s.vocabulary)("hidden", s.hidden)("ffn", s.ffn)("layers", s.layers);
  ar("heads", s.heads)("kv_heads", s.kv_heads)("head_dim", s.head_dim)("context", s.context);
  ar("norm_eps", s.norm_eps)("rope_theta", s.rope_theta)("llama3_rope", s.llama3_rope);
  ar("tied_head", s.tied_head)("qkv_bias", s.qkv_bias)("o_bias", s.o_bias)("mlp_bias", s.mlp_bias);
  ar("qk_norm", s.qk_norm);
}

}  // namespace ranktide
