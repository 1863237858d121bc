#include "worker/trainer/check/oracle.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/silu.h>
#include <cmath>
#include <numbers>
#include <vector>

#include "worker/trainer/lm/weights.h"

namespace ranktide::oracle {
namespace {

using at::Tensor;

// The mask that the engine draws.
Tensor mask_of(const DropoutKey& key, int64_t rows, int64_t cols) {
  const Tensor mask = at::empty({rows, cols}, at::kFloat);
  draw_dropout_mask(key, mask);
  return mask.to(at::kDouble);
}

// Causal attention of one segment, (S, Hq, hd) and twice (S, Hkv, hd) -> (S, Hq hd). mask: (S, Hq, S) or
// undefined.
Tensor attention_of(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  const int64_t group = q.size(1) / k.size(1), length = q.size(0);
  const Tensor qh = q.transpose(0, 1), kh = k.repeat_interleave(group, 1).transpose(0, 1),
               vh = v.repeat_interleave(group, 1).transpose(0, 1);  // (Hq, S, hd)
  const Tensor future = at::ones({length, length}, at::kBool).triu(1);
  Tensor p = (qh.matmul(kh.transpose(1, 2)) / std::sqrt(static_cast<double>(q.size(2))))
                 .masked_fill(future, -1e30)
                 .softmax(-1);  // (Hq, S, S)
  if (mask.defined()) p = p * mask.transpose(0, 1);
  return p.matmul(vh).transpose(0, 1).reshape({length, -1});
}

Tensor linear_of(const Linear& linear, const Tensor& x, const DropoutKey& dropout) {
  Tensor y = x.mm(linear.w.value.t());
  if (linear.bias.exists()) y = y + linear.bias.value;
  if (!linear.a.exists()) return y;
  const Tensor input = dropout.rate > 0 ? x * mask_of(dropout, x.size(0), x.size(1)) : x;
  return y + linear.scale * input.mm(linear.a.value.t()).mm(linear.b.value.t());
}

Tensor norm_of(const Norm& norm, const Tensor& x, double eps) {
  return x * (x.square().mean(-1, true) + eps).rsqrt() * norm.w.value;
}

Tensor rotated(const Tensor& x, const Rotation& r) {
  const int64_t half = x.size(2) / 2;
  const Tensor cos = at::cat({r.cos, r.cos}, -1), sin = at::cat({r.sin, r.sin}, -1);
  return x * cos + at::cat({-x.narrow(2, half, half), x.narrow(2, 0, half)}, -1) * sin;
}

// theta^(-2 i / hd); Llama 3 stretches long wavelengths, keeps short ones, and blends between.
double frequency_of(const ModelShape& s, int64_t i) {
  const double plain = std::pow(s.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(s.head_dim));
  if (!s.llama3_rope) return plain;
  const Llama3Rope& rope = *s.llama3_rope;
  const double turns = rope.original_context * plain / (2 * std::numbers::pi);
  if (turns < rope.low_freq_factor) return plain / rope.factor;
  if (turns > rope.high_freq_factor) return plain;
  const double kept = (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return kept * plain + (1 - kept) * plain / rope.factor;
}

Tensor attention_block(const Layer& layer, size_t index, const Tensor& x, const ModelShape& s,
                       const Rotation& r, std::span<const int32_t> ends, const Chance& chance) {
  const auto heads = [&](const Linear& linear, int place) {
    return linear_of(linear, x, adapter_dropout(chance, index, place)).view({x.size(0), -1, s.head_dim});
  };
  Tensor q = heads(layer.q, 0), k = heads(layer.k, 1);
  const Tensor v = heads(layer.v, 2);
  if (s.qk_norm) {
    q = norm_of(layer.q_norm, q, s.norm_eps);
    k = norm_of(layer.k_norm, k, s.norm_eps);
  }
  q = rotated(q, r);
  k = rotated(k, r);
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (const int64_t end : ends) {
    const int64_t n = end - begin;
    DropoutKey key = attention_dropout(chance, index, s.heads);
    key.first_row += begin * s.heads;
    const Tensor mask = key.rate > 0 ? mask_of(key, n * s.heads, n).view({n, s.heads, n}) : Tensor{};
    parts.push_back(attention_of(q.narrow(0, begin, n), k.narrow(0, begin, n), v.narrow(0, begin, n), mask));
    begin = end;
  }
  return linear_of(layer.o, at::cat(parts), adapter_dropout(chance, index, 3));
}

}  // namespace

void for_each_weight(Network& network, const ModelShape& shape,
                     const std::function<void(const std::string&, Weight&)>& visit) {
  for (const ParameterSlot& slot : weight_slots(network, shape))
    if (slot.weight->exists()) visit(slot.name, *slot.weight);
  for (size_t i = 0; i < network.layers.size(); ++i) {
    for (const NamedLinear& named : kLinears) {
      Linear& linear = network.layers[i].*named.member;
      if (!linear.a.exists()) continue;
      const std::string name = "layer " + std::to_string(i) + " " + named.module;
      visit(name + " A", linear.a);
      visit(name + " B", linear.b);
    }
  }
}

Network leaves_of(const Network& network, const ModelShape& shape) {
  Network leaves = network;
  for_each_weight(leaves, shape, [](const std::string&, Weight& weight) {
    weight.value = weight.value.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true);
    if (weight.trains()) weight.value.requires_grad_();
  });
  tie(leaves, shape);
  return leaves;
}

Tensor positions_of(std::span<const int32_t> segment_ends) {
  std::vector<int32_t> positions;
  for (const int32_t end : segment_ends)
    for (int32_t i = 0, begin = static_cast<int32_t>(positions.size()); begin + i < end; ++i)
      positions.push_back(i);
  return indices(positions);
}

Rotation rotation_of(const ModelShape& shape, std::span<const int32_t> segment_ends) {
  const int64_t half = shape.head_dim / 2;
  const Tensor frequencies = at::empty({half}, at::kDouble);
  for (int64_t i = 0; i < half; ++i) frequencies.mutable_data_ptr<double>()[i] = frequency_of(shape, i);
  const Tensor angles = (positions_of(segment_ends).to(at::kDouble).unsqueeze(1) * frequencies).unsqueeze(1);
  return {.cos = angles.cos(), .sin = angles.sin()};  // (T, 1, hd / 2)
}

Tensor loss_of(const Network& network, const ModelShape& shape, const Rotation& rotation, const Packed& input,
               const Labels& labels, double scale, const Chance& chance) {
  Tensor h = network.embedding.w.value.index_select(0, indices(input.tokens));
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    h = h + attention_block(layer, i, norm_of(layer.attention_norm, h, shape.norm_eps), shape, rotation,
                            input.segment_ends, chance);
    const Tensor x = norm_of(layer.mlp_norm, h, shape.norm_eps);
    const Tensor y = at::silu(linear_of(layer.gate, x, adapter_dropout(chance, i, 4))) *
                     linear_of(layer.up, x, adapter_dropout(chance, i, 5));
    h = h + linear_of(layer.down, y, adapter_dropout(chance, i, 6));
  }
  const Tensor rows = norm_of(network.final_norm, h.index_select(0, indices(labels.rows)), shape.norm_eps);
  return scale * at::cross_entropy_loss(rows.mm(network.head.w.value.t()), indices(labels.targets), {},
                                        at::Reduction::Sum);
}

}  // namespace ranktide::oracle
