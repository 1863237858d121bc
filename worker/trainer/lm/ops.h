#pragma once
// The parts of a decoder layer that are not linears: each a forward and a backward side by side, differentiable
// through LibTorch's autograd. Letters: T tokens, D hidden, F ffn, H heads, hd head size, V vocabulary.

#include <ATen/core/Tensor.h>

#include "common/model/shape.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

// Returns: fp32 rows (T, D) of the table. tokens: int64 (T).
at::Tensor embed(const Table& table, const at::Tensor& tokens);

// x: fp32 (..., D). Returns: (..., D) in `dtype`, rounded once, after the weight.
at::Tensor rms_norm(const Norm& norm, const at::Tensor& x, double eps, at::ScalarType dtype);

// cos and sin of the rotary angles of these positions, each fp32 (T, 1, hd / 2).
struct Rotation {
  at::Tensor cos, sin;
};
Rotation rotation(const ModelShape& shape, const at::Tensor& positions);

// x: (T, H, hd), halves rotated against each other as Hugging Face files expect. Returns: like x, in `dtype`.
at::Tensor rotate(const at::Tensor& x, const Rotation& rotation, at::ScalarType dtype);

// Returns: silu(gate) * up, (T, F).
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace ranktide
