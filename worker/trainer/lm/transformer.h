#pragma once
// The forward pass of a Llama-style decoder over packed segments. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>
#include <optional>
#include <span>

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/dropout.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

at::ScalarType scalar_type_of(Dtype dtype);

// Tokens of several segments end to end. Attention and positions restart at every segment.
struct Packed {
  std::span<const int32_t> tokens;        // T
  std::span<const int32_t> segment_ends;  // rising, the last is T
};

// Returns: the residual stream after the last layer, fp32 (T, D), before the final norm.
// chance: nullopt outside training. Requires: each token in [0, V).
at::Tensor residual_stream(const Network& network, const ModelShape& shape, Dtype dtype, const Packed& input,
                           const std::optional<Chance>& chance);

// Returns: the chosen rows of the stream after the final norm, (R, D) in the product dtype; rows: int64 (R).
at::Tensor normed_rows(const Network& network, const ModelShape& shape, Dtype dtype, const at::Tensor& stream,
                       const at::Tensor& rows);

// Returns: int64 tensor of these values.
at::Tensor indices(std::span<const int32_t> values);

}  // namespace ranktide
