#include <array>

#include "worker/trainer/lm/layer.h"

namespace ranktide {
namespace {

using at::Tensor;

std::array<Branch, 3> qkv_of(const Layer& layer, size_t index, const Pass& pass) {
  return {Branch{layer.q, adapter_dropout(pass.chance, index, 0)},
          Branch{layer.k, adapter_dropout(pass.chance, index, 1)},
          Branch{layer.v, adapter_dropout(pass.chance, index, 2)}};
}

Branch o_of(const Layer& layer, size_t index, const Pass& pass) {
  return {layer.o, adapter_dropout(pass.chance, index, 3)};
}

Attention attention_of(const Pass& pass, size_t index) {
  return {.runs = pass.runs,
          .kv_heads = pass.shape.kv_heads,
          .head_dim = pass.shape.head_dim,
          .dropout = attention_dropout(pass.chance, index, pass.shape.heads)};
}

// (T, H hd) -> (T, H, hd)
Tensor split_heads(const Tensor& x, const Pass& pass) {
  return x.view({x.size(0), -1, pass.shape.head_dim});
}

// Turns q or k, (T, H hd), into what attention reads: normed where the model does so, rotated, by head.
void heads_forward(const Norm& norm, const Tensor& x, HeadNormSaved& saved, const Attention& attention,
                   const Tensor& by_head, const Pass& pass) {
  Arena& scratch = pass.memory.scratch;
  const Frame frame(scratch);
  const at::ScalarType fp32 = sum_dtype(pass.dtype);
  Tensor heads = scratch.converted(split_heads(x, pass), fp32);  // (T, H, hd)
  if (norm.w.exists()) {
    saved = {.x = split_heads(x, pass), .inverse = pass.memory.kept.take({x.size(0), heads.size(1), 1}, fp32)};
    inverse_rms(heads, pass.shape.norm_eps, saved.inverse, scratch);
    const Tensor normed = scratch.take(heads.sizes(), fp32);  // (T, H, hd)
    rms_norm_forward(norm, heads, saved.inverse, normed, scratch);
    heads = normed;
  }
  const Tensor rotated = scratch.take(heads.sizes(), fp32);  // (T, H, hd)
  rotate(heads, pass.rotation, rotated);
  to_heads(attention, rotated.flatten(1), by_head);
}

// dx from dy, the gradient of what attention read; both fp32 (T, H hd), by token.
void heads_backward(const Norm& norm, const Tensor& dy, const HeadNormSaved& saved, const Tensor& dx,
                    const Pass& pass) {
  Arena& scratch = pass.memory.scratch;
  const Tensor heads = split_heads(dx, pass);  // (T, H, hd)
  if (!norm.w.exists()) return rotate(split_heads(dy, pass), back(pass.rotation), heads);
  const Frame frame(scratch);
  const Tensor normed = scratch.take(heads.sizes(), heads.scalar_type());  // (T, H, hd)
  rotate(split_heads(dy, pass), back(pass.rotation), normed);
  rms_norm_backward(norm, saved.x, saved.inverse, normed, heads.zero_(), scratch);
}

}  // namespace

bool attention_block_trains(const Layer& layer) {
  return layer.attention_norm.w.trains() || layer.q_norm.w.trains() || layer.k_norm.w.trains() ||
         linear_trains(layer.q) || linear_trains(layer.k) || linear_trains(layer.v) || linear_trains(layer.o);
}

// x = norm(h);   sum = h + attention(R x Wq', R x Wk', x Wv') Wo',   R the rotation by position
void attention_block_forward(const Layer& layer, size_t index, const Tensor& h, const Tensor& sum,
                             AttentionSaved& saved, const Pass& pass) {
  Arena &kept = pass.memory.kept, &scratch = pass.memory.scratch;
  const Frame frame(scratch);
  const ModelShape& s = pass.shape;
  const int64_t rows = h.size(0), d_q = s.heads * s.head_dim, d_k = s.kv_heads * s.head_dim;
  const at::ScalarType before = s.qk_norm ? pass.dtype : h.scalar_type();
  Arena& inputs = s.qk_norm ? kept : scratch;                   // a norm of heads needs its input again
  const Tensor q = inputs.take({rows, d_q}, before);            // (T, Hq hd)
  const Tensor k = inputs.take({rows, d_k}, before);            // (T, Hkv hd)
  const Tensor v = scratch.take({rows, d_k}, h.scalar_type());  // (T, Hkv hd)
  entry_forward(layer.attention_norm, qkv_of(layer, index, pass), h, s.norm_eps, std::array{q, k, v},
                saved.entry, pass.memory);
  saved.q = kept.take({rows, d_q}, pass.dtype);
  saved.k = kept.take({rows, d_k}, pass.dtype);
  saved.v = kept.take({rows, d_k}, pass.dtype);
  saved.y = kept.take({rows, d_q}, pass.dtype);
  const Attention attention = attention_of(pass, index);
  heads_forward(layer.q_norm, q, saved.q_norm, attention, saved.q, pass);
  heads_forward(layer.k_norm, k, saved.k_norm, attention, saved.k, pass);
  to_heads(attention, v, saved.v);
  attention_forward(attention, saved.q, saved.k, saved.v, saved.y, scratch);
  add_linear_forward(o_of(layer, index, pass), saved.y, h, sum, saved.o, pass.memory);  // (T, D)
}

void attention_block_backward(const Layer& layer, size_t index, const Tensor& dh, const AttentionSaved& saved,
                              const Pass& pass, Below below) {
  Arena& scratch = pass.memory.scratch;
  const Frame frame(scratch);
  const auto like = [&](const Tensor& x) { return scratch.take(x.sizes(), dh.scalar_type()); };
  const auto qkv = qkv_of(layer, index, pass);
  const std::array o{o_of(layer, index, pass)};
  const bool is_reached =
      entry_is_reached(layer.attention_norm, qkv, below) || layer.q_norm.w.trains() || layer.k_norm.w.trains();
  const Tensor dy = is_reached ? like(saved.y) : Tensor{};  // (T, Hq hd)
  linears_backward(o, std::array{dh}, needs_input(o) ? saved.y : Tensor{}, saved.o, dy, scratch);
  if (!is_reached) return;
  const Attention attention = attention_of(pass, index);
  const Tensor dq_turned = like(saved.q), dk_heads = like(saved.k), dv_heads = like(saved.v);
  attention_backward(attention, saved.q, saved.k, saved.v, dy, dq_turned, dk_heads, dv_heads, scratch);
  const Tensor dq = dy, dk = like(saved.k), dk_turned = like(saved.k), dv = like(saved.v);
  from_heads(attention, dk_heads, dk_turned);  // (T, Hkv hd)
  from_heads(attention, dv_heads, dv);         // (T, Hkv hd)
  heads_backward(layer.q_norm, dq_turned, saved.q_norm, dq, pass);
  heads_backward(layer.k_norm, dk_turned, saved.k_norm, dk, pass);
  entry_backward(layer.attention_norm, qkv, std::array{dq, dk, dv}, saved.entry, dh, below, scratch);
}

}  // namespace ranktide
