#include "worker/trainer/lm/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <algorithm>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/attention.h"
#include "worker/trainer/lm/linear.h"
#include "worker/trainer/lm/ops.h"

namespace ranktide {
namespace {

using at::Tensor;

// What all layers of one forward share.
struct Pass {
  const ModelShape& shape;
  at::ScalarType dtype;
  Rotation rotation;
  std::span<const int32_t> segment_ends;
  const std::optional<Chance>& chance;

  DropoutKey adapter_dropout(size_t layer, int place) const {
    if (!chance || chance->lora_dropout == 0) return {};
    return dropout_key(*chance, layer, place, chance->lora_dropout, chance->first_token);
  }
  DropoutKey attention_dropout(size_t layer) const {
    if (!chance || chance->attention_dropout == 0) return {};
    return dropout_key(*chance, layer, kAttentionPlace, chance->attention_dropout,
                       chance->first_token * shape.heads);
  }
};

Tensor self_attention(const Layer& layer, size_t index, const Tensor& x, const Pass& pass) {  // (T, D)
  const ModelShape& s = pass.shape;
  Tensor q = linear(layer.q, x, pass.adapter_dropout(index, 0)).view({-1, s.heads, s.head_dim});  // (T, Hq, hd)
  Tensor k =
      linear(layer.k, x, pass.adapter_dropout(index, 1)).view({-1, s.kv_heads, s.head_dim});  // (T, Hkv, hd)
  const Tensor v = linear(layer.v, x, pass.adapter_dropout(index, 2)).view({-1, s.kv_heads, s.head_dim});
  if (s.qk_norm) {
    q = rms_norm(layer.q_norm, q.to(at::kFloat), s.norm_eps, at::kFloat);
    k = rms_norm(layer.k_norm, k.to(at::kFloat), s.norm_eps, at::kFloat);
  }
  const Tensor y = attention(rotate(q, pass.rotation, pass.dtype), rotate(k, pass.rotation, pass.dtype), v,
                             pass.segment_ends, pass.attention_dropout(index));  // (T, Hq hd)
  return linear(layer.o, y, pass.adapter_dropout(index, 3));                     // (T, D)
}

Tensor feed_forward(const Layer& layer, size_t index, const Tensor& x, const Pass& pass) {  // (T, D)
  const Tensor gate = linear(layer.gate, x, pass.adapter_dropout(index, 4));                // (T, F)
  const Tensor up = linear(layer.up, x, pass.adapter_dropout(index, 5));                    // (T, F)
  return linear(layer.down, swiglu(gate, up), pass.adapter_dropout(index, 6));              // (T, D)
}

// 0, 1, 2 ... from the start of each segment.
Tensor positions_of(const Packed& input) {
  Tensor positions = at::empty({std::ssize(input.tokens)}, at::kLong);
  int64_t* out = positions.mutable_data_ptr<int64_t>();
  int64_t begin = 0;
  for (const int64_t end : input.segment_ends) {
    RT_CHECK(end > begin);
    for (int64_t i = begin; i < end; ++i) out[i] = i - begin;
    begin = end;
  }
  RT_CHECK(begin == std::ssize(input.tokens));
  return positions;
}

}  // namespace

at::ScalarType scalar_type_of(Dtype dtype) {
  return dtype == Dtype::bf16 ? at::kBFloat16 : at::kFloat;
}

Tensor indices(std::span<const int32_t> values) {
  Tensor out = at::empty({std::ssize(values)}, at::kLong);
  std::copy(values.begin(), values.end(), out.mutable_data_ptr<int64_t>());
  return out;
}

Tensor residual_stream(const Network& network, const ModelShape& shape, Dtype dtype, const Packed& input,
                       const std::optional<Chance>& chance) {
  for (const int32_t token : input.tokens) RT_CHECK(token >= 0 && token < shape.vocabulary);
  const Pass pass{.shape = shape,
                  .dtype = scalar_type_of(dtype),
                  .rotation = rotation(shape, positions_of(input)),
                  .segment_ends = input.segment_ends,
                  .chance = chance};
  Tensor h = embed(network.embedding, indices(input.tokens));  // (T, D), fp32 from here to the end
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    h = h + self_attention(layer, i, rms_norm(layer.attention_norm, h, shape.norm_eps, pass.dtype), pass);
    h = h + feed_forward(layer, i, rms_norm(layer.mlp_norm, h, shape.norm_eps, pass.dtype), pass);
  }
  return h;
}

Tensor normed_rows(const Network& network, const ModelShape& shape, Dtype dtype, const Tensor& stream,
                   const Tensor& rows) {
  return rms_norm(network.final_norm, stream.index_select(0, rows), shape.norm_eps, scalar_type_of(dtype));
}

}  // namespace ranktide
