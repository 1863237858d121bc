#pragma once
// The way into a block of a layer: its norm and the linears that read it. Engine-internal: this header shows
// LibTorch.

#include <ATen/core/Tensor.h>
#include <span>

#include "worker/trainer/lm/linear.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

// How far the gradient of the residual stream has to go.
enum class Below { trains, is_frozen };

struct EntrySaved {
  at::Tensor h;        // fp32 (T, D): the residual stream before the block
  at::Tensor inverse;  // fp32 (T, 1): of the norm
  LinearSaved linears;
};

// y[i] = branch i of the normed h. h: fp32 (T, D).
void entry_forward(const Norm& norm, Branches branches, const at::Tensor& h, double eps,
                   std::span<const at::Tensor> y, EntrySaved& saved, Workspace& memory);

// Whether the backward pass has anything to do here or below.
bool entry_is_reached(const Norm& norm, Branches branches, Below below);
// Adds the gradients of what trains to theirs, and the gradient of h to dh, fp32 (T, D), unless nothing below
// needs it. Requires: entry_is_reached.
void entry_backward(const Norm& norm, Branches branches, std::span<const at::Tensor> dy,
                    const EntrySaved& saved, const at::Tensor& dh, Below below, Arena& scratch);

}  // namespace ranktide
