#pragma once
// Causal attention over packed segments: no token sees another segment. Grouped queries (Hkv divides Hq): the g
// query heads of a group stand as rows of one product. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <span>
#include <vector>

#include "worker/trainer/lm/arena.h"
#include "worker/trainer/lm/dropout.h"

namespace ranktide {

// Neighbouring segments of equal length, which share their products.
struct Run {
  int64_t first_token = 0;
  int64_t segments = 0;  // n
  int64_t length = 0;    // S
};

// segment_ends: rising.
std::vector<Run> runs_of(std::span<const int32_t> segment_ends);

struct Attention {
  std::span<const Run> runs;
  int64_t kv_heads = 0;  // Hkv
  int64_t head_dim = 0;  // hd
  DropoutKey dropout;    // of the attention weights; its rows are (token, head)
};

// Products want heads first: the rows of a run, (n S, H hd) by token, lie as (n, Hkv, S, g, hd) by head.
void to_heads(const Attention& attention, const at::Tensor& by_token, const at::Tensor& by_head);
void from_heads(const Attention& attention, const at::Tensor& by_head, const at::Tensor& by_token);

// y = softmax(q k' / sqrt(hd)) v. q: (T, Hq hd), k and v: (T, Hkv hd), by head; y: (T, Hq hd), by token.
void attention_forward(const Attention& attention, const at::Tensor& q, const at::Tensor& k,
                       const at::Tensor& v, const at::Tensor& y, Arena& scratch);
// dq: fp32 (T, Hq hd), by token; dk and dv: fp32 (T, Hkv hd), by head; all are overwritten. dy: by token. The
// attention weights are computed again: kept, they would be the largest of all activations.
void attention_backward(const Attention& attention, const at::Tensor& q, const at::Tensor& k,
                        const at::Tensor& v, const at::Tensor& dy, const at::Tensor& dq, const at::Tensor& dk,
                        const at::Tensor& dv, Arena& scratch);

}  // namespace ranktide
