#pragma once
// The tensors of a decoder, by the names of the papers. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>
#include <vector>

namespace ranktide {

// One weight. Products read its value, in the product dtype (fp32 or bf16). What trains has a master and a
// gradient besides, both fp32; they are undefined where the weight is frozen. In fp32 value and master are the
// same memory.
struct Weight {
  at::Tensor value, master, grad;

  bool exists() const { return value.defined(); }
  bool trains() const { return grad.defined(); }
};

// y = x W' + c + s (x A') B'
struct Linear {
  Weight w;          // (Out, In)
  Weight bias;       // (Out)
  Weight a, b;       // (r, In), (Out, r); absent: no adapter
  double scale = 0;  // s: alpha / r, or alpha / sqrt(r)
};

// y = w x / rms(x). Always fp32, so its value is its own master.
struct Norm {
  Weight w;  // (D)
};

struct Layer {
  Norm attention_norm, mlp_norm;
  Linear q, k, v, o;
  Norm q_norm, k_norm;  // (hd); absent without qk-norm
  Linear gate, up, down;
};

// The token table, and the head: the same tensors when tied.
struct Table {
  Weight w;  // (V, D)
};

struct Network {
  Table embedding;
  std::vector<Layer> layers;
  Norm final_norm;
  Table head;
};

// The seven linears of a layer with their file names, in the order of the forward pass. The index is the
// `place` of dropout and of initialisation, so the order is permanent.
struct NamedLinear {
  const char* module;  // q_proj ...
  const char* block;   // self_attn or mlp
  Linear Layer::*member;
};
inline constexpr NamedLinear kLinears[] = {
    {"q_proj", "self_attn", &Layer::q}, {"k_proj", "self_attn", &Layer::k}, {"v_proj", "self_attn", &Layer::v},
    {"o_proj", "self_attn", &Layer::o}, {"gate_proj", "mlp", &Layer::gate}, {"up_proj", "mlp", &Layer::up},
    {"down_proj", "mlp", &Layer::down}};

}  // namespace ranktide
