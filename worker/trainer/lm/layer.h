#pragma once
// A layer of the decoder: attention and feed-forward, each a forward and a backward side by side. Letters: T
// tokens, D hidden, F ffn, Hq and Hkv heads, hd head size. Kept between the two passes are the inputs of norms
// and of nonlinear functions, in the product dtype where it is not the residual stream; outputs of norms,
// silu(gate) up and attention weights are computed again, which costs a few passes over memory.
// Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>
#include <optional>
#include <vector>

#include "common/model/shape.h"
#include "worker/trainer/lm/attention.h"
#include "worker/trainer/lm/block_entry.h"
#include "worker/trainer/lm/ops.h"

namespace ranktide {

// What all layers of one pass share.
struct Pass {
  const ModelShape& shape;
  at::ScalarType dtype;  // of products
  Rotation rotation;
  std::vector<Run> runs;
  std::optional<Chance> chance;  // absent outside training
  Workspace& memory;
};

// A norm of heads, q's or k's. Empty without qk-norm.
struct HeadNormSaved {
  at::Tensor x;        // (T, H, hd)
  at::Tensor inverse;  // fp32 (T, H, 1)
};

struct AttentionSaved {
  EntrySaved entry;  // of q, k, v
  HeadNormSaved q_norm, k_norm;
  at::Tensor q, k, v;  // (T, Hq hd), (T, Hkv hd) twice: rotated, by head
  at::Tensor y;        // (T, Hq hd): what o reads
  LinearSaved o;
};

struct FeedForwardSaved {
  EntrySaved entry;     // of gate, up
  at::Tensor gate, up;  // (T, F)
  LinearSaved down;
};

// sum = h + the block's output. h and sum: fp32 (T, D); the same tensor where no backward pass follows.
void attention_block_forward(const Layer& layer, size_t index, const at::Tensor& h, const at::Tensor& sum,
                             AttentionSaved& saved, const Pass& pass);
void feed_forward_forward(const Layer& layer, size_t index, const at::Tensor& h, const at::Tensor& sum,
                          FeedForwardSaved& saved, const Pass& pass);

// Adds the gradients of the block's weights to theirs. dh, fp32 (T, D), is the gradient of the stream after the
// block and becomes that before it, unless what is below is frozen.
void attention_block_backward(const Layer& layer, size_t index, const at::Tensor& dh,
                              const AttentionSaved& saved, const Pass& pass, Below below);
void feed_forward_backward(const Layer& layer, size_t index, const at::Tensor& dh,
                           const FeedForwardSaved& saved, const Pass& pass, Below below);

// Returns: whether a weight of the block trains.
bool attention_block_trains(const Layer& layer);
bool feed_forward_trains(const Layer& layer);

}  // namespace ranktide
