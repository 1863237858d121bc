#pragma once
// A linear of the decoder, with or without an adapter, frozen or trained: one formula for every method.

#include <ATen/core/Tensor.h>

#include "worker/trainer/lm/dropout.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

// x: (T, In) in the product dtype. Returns: (T, Out) in the product dtype.
// `dropout` is applied to the adapter's input only, as PEFT does.
at::Tensor linear(const Linear& layer, const at::Tensor& x, const DropoutKey& dropout);

}  // namespace ranktide
