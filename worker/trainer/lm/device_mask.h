#pragma once
// A dropout mask drawn where it lies, out of Philox4x32-10 (random.h) in plain operations on tensors: no kernel
// of our own, nothing crosses from host to device, nothing is waited for. Integers only, so that every device
// draws the bits that philox_mask.h draws on the processor. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>
#include <cstdint>

#include "worker/trainer/lm/philox_mask.h"

namespace ranktide {

// Fills (rows, cols): row i is what philox_mask gives for `first`, its high being i more. Takes memory for as
// many values as a chunk has (kMaskChunk), beside the mask. Requires: mask is contiguous, of a float type.
void draw_mask_on_device(const PhiloxRow& first, float keep, const at::Tensor& mask);

// Values of the mask that are drawn at once: on a device enough for each operation to be worth its launch, and
// not as much memory as a mask over all that a batch keeps would take.
inline constexpr int64_t kMaskChunk = int64_t{1} << 22;

}  // namespace ranktide
