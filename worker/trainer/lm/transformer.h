#pragma once
// A Llama-style decoder over packed segments: forward for evaluation, forward and backward for training.
// Written out, without autograd: gradients go straight into those of the weights, frozen weights get none, and
// nothing below the lowest trained block is gone back through. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>
#include <span>

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/arena.h"
#include "worker/trainer/lm/dropout.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

at::ScalarType scalar_type_of(Dtype dtype);

// Tokens of several segments end to end. Attention and positions restart at every segment.
struct Packed {
  std::span<const int32_t> tokens;        // T
  std::span<const int32_t> segment_ends;  // rising, the last is T
};

// Returns: the residual stream after the last layer, fp32 (T, D), before the final norm, in memory.kept.
// Requires: each token in [0, V).
at::Tensor residual_stream(const Network& network, const ModelShape& shape, const Packed& input,
                           Workspace& memory);

// Returns: the chosen rows of the stream after the final norm, fp32 (R, D); rows: int64 (R).
at::Tensor normed_rows(const Network& network, const ModelShape& shape, const at::Tensor& stream,
                       const at::Tensor& rows, Arena& scratch);

// The positions of a forward that have a label. Only they cost the head.
struct Labels {
  std::span<const int32_t> rows;     // R > 0, rising
  std::span<const int32_t> targets;  // R
};

// Adds the gradients of loss = scale * sum of -log p(target) to those of all weights that train.
// Returns: the loss, an fp64 number on the device, which whoever reads it waits for.
// Requires: each token and target in [0, V).
at::Tensor add_gradients(const Network& network, const ModelShape& shape, const Packed& input,
                         const Labels& labels, double scale, const Chance& chance, Workspace& memory);

// Returns: int64 tensor of these values on the device: where tokens, rows, targets and positions are moved to
// it. Nobody waits for the move: what is not pinned on the host is copied aside before the call returns.
at::Tensor indices(std::span<const int32_t> values, at::Device device = at::kCPU);

}  // namespace ranktide
