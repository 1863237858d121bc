#pragma once
// Causal attention over packed segments: no token sees another segment. Grouped queries (Hkv divides Hq).

#include <ATen/core/Tensor.h>
#include <span>

#include "worker/trainer/lm/dropout.h"

namespace ranktide {

// q: (T, Hq, hd), k and v: (T, Hkv, hd), one dtype. segment_ends: rising, the last is T. Returns: (T, Hq * hd).
// `dropout` falls on the attention weights; then, and only then, they are held in full for one run of segments.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     std::span<const int32_t> segment_ends, const DropoutKey& dropout);

}  // namespace ranktide
