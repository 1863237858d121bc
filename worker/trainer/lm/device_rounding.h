#pragma once
// Stochastic rounding where the values lie, in plain operations on tensors, as device_mask.h draws masks: the
// bits that stochastic_rounding.h gives on the processor. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>

namespace ranktide {

// Rounds fp32 to bf16, from place 0 on. Takes 36 MiB beside them at most: all draws, as many words, and a mask
// of them. Requires: both flat, contiguous and of one length.
void round_on_device(const at::Tensor& values, const at::Tensor& out);

}  // namespace ranktide
