#pragma once
// The tensors of a decoder, by the names of the papers. Engine-internal: this header shows LibTorch.
// Every product uses a tensor in the product dtype (fp32 or bf16). What trains has an fp32 master besides,
// which is an autograd leaf; an undefined master means frozen. In fp32 master and product tensor are the same
// memory.

#include <ATen/core/Tensor.h>
#include <vector>

namespace ranktide {

// y = x W' + c + s (x A') B'
struct Linear {
  at::Tensor w;            // (Out, In), product dtype
  at::Tensor w_master;     // (Out, In)
  at::Tensor bias;         // (Out), product dtype; undefined: none
  at::Tensor bias_master;  // (Out)
  at::Tensor a, b;         // (r, In), (Out, r), product dtype; undefined: no adapter
  at::Tensor a_master, b_master;
  double scale = 0;  // s: alpha / r, or alpha / sqrt(r)
};

// y = w x / rms(x). Always fp32, so its weight is its own master.
struct Norm {
  at::Tensor w;  // (D)
};

struct Layer {
  Norm attention_norm, mlp_norm;
  Linear q, k, v, o;
  Norm q_norm, k_norm;  // (hd); undefined without qk-norm
  Linear gate, up, down;
};

// The token table, and the head: the same two tensors when tied.
struct Table {
  at::Tensor w;         // (V, D), product dtype
  at::Tensor w_master;  // (V, D)
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
