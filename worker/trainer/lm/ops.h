#pragma once
// The parts of a decoder layer that are not products: each a forward and a backward side by side. Letters: T
// tokens, D hidden, F ffn, H heads, hd head size, V vocabulary. "fp32" is fp64 where the whole engine runs in
// it, as tests have it do. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>

#include "common/model/shape.h"
#include "worker/trainer/lm/arena.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

// y = W[tokens]. y: fp32 (T, D); tokens: int64 (T).
void embed_forward(const Table& table, const at::Tensor& tokens, const at::Tensor& y);
void embed_backward(const Table& table, const at::Tensor& tokens, const at::Tensor& dy);

// inverse = 1 / sqrt(mean(x^2) + eps). x: (..., D); inverse: fp32 (..., 1), kept for the backward pass.
void inverse_rms(const at::Tensor& x, double eps, const at::Tensor& inverse, Arena& scratch);
// y = w x inverse. y: fp32 (..., D).
void rms_norm_forward(const Norm& norm, const at::Tensor& x, const at::Tensor& inverse, const at::Tensor& y,
                      Arena& scratch);
// Adds the gradient of x to dx, and that of the weight to its own. dy, dx: fp32 (..., D).
void rms_norm_backward(const Norm& norm, const at::Tensor& x, const at::Tensor& inverse, const at::Tensor& dy,
                       const at::Tensor& dx, Arena& scratch);

// cos and sin of the rotary angles of these positions, each fp32 (T, 1, hd / 2).
struct Rotation {
  at::Tensor cos, sin;
};
Rotation rotation(const ModelShape& shape, const at::Tensor& positions, at::ScalarType dtype);
// Returns: the rotation that undoes this one, which is its transpose: the backward pass.
Rotation back(const Rotation& rotation);

// y = x with halves rotated against each other, as Hugging Face files expect. x, y: fp32 (T, H, hd), apart.
void rotate(const at::Tensor& x, const Rotation& rotation, const at::Tensor& y);

// y = silu(gate) up. y: fp32, all (T, F).
void swiglu_forward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& y, Arena& scratch);
// dup becomes the gradient of up, and dy that of gate; both fp32.
void swiglu_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& dy, const at::Tensor& dup,
                     Arena& scratch);

}  // namespace ranktide
