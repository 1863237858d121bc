#pragma once
// Linears of the decoder, with or without adapters, frozen or trained: one formula for every method. Those that
// share their input are computed together: q, k, v; gate, up. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>
#include <span>

#include "worker/trainer/lm/arena.h"
#include "worker/trainer/lm/dropout.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

// One of the linears that share an input. `dropout` falls on its adapter's input only, as PEFT does.
struct Branch {
  const Linear& linear;
  DropoutKey dropout;
};
using Branches = std::span<const Branch>;

struct LinearSaved {
  at::Tensor xa;  // (T, sum of r): dropout(x) A' of all adapters side by side; undefined: no adapter
};

// y[i] = branch i of x. x: (T, In), y[i]: (T, Out), in fp32 or the product dtype.
// Where bf16 is widened, the three terms of y[i] are added up in fp32, and a y[i] in bf16 is rounded once.
// Where it is multiplied as it is, LibTorch's products come out in bf16: x W' is rounded before the others are
// added. To a y[i] in fp32 (q and k without qk-norm, v) they are added in fp32. To one in bf16 (gate, up; q and
// k under qk-norm) they are added in bf16, so it is rounded again by each, and nothing is left of a delta below
// half a unit in the last place of x W'. PEFT loses the same there: it rounds its sum to the base's dtype. x A'
// is kept in the product dtype either way.
void linears_forward(Branches branches, const at::Tensor& x, std::span<const at::Tensor> y, LinearSaved& saved,
                     Workspace& memory);
// sum = h + the branch of x. h and sum: fp32 (T, Out), or one tensor. All terms are added in fp32; x W' was
// rounded to bf16 where bf16 is multiplied as it is.
void add_linear_forward(const Branch& branch, const at::Tensor& x, const at::Tensor& h, const at::Tensor& sum,
                        LinearSaved& saved, Workspace& memory);

// Returns: whether a weight, a bias or an adapter trains.
bool linear_trains(const Linear& linear);
// Returns: whether the gradients of what trains here need x.
bool needs_input(Branches branches);
// Adds the gradients of what trains to theirs. dx, fp32 (T, In), becomes the gradient of x; undefined, nobody
// asks for it. dy[i]: (T, Out), in fp32 or the product dtype. x may be undefined unless needs_input.
void linears_backward(Branches branches, std::span<const at::Tensor> dy, const at::Tensor& x,
                      const LinearSaved& saved, const at::Tensor& dx, Arena& scratch);

}  // namespace ranktide
