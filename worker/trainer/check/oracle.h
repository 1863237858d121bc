#pragma once
// The plain formulas of a decoder on LibTorch's autograd, in fp64 on the CPU: the oracle that the engine's
// gradients and trainings are compared with. Of the engine it uses only how a network lies in memory and, since
// a mask is chance and not arithmetic, the masks of dropout. The engine thread.

#include <ATen/core/Tensor.h>
#include <functional>
#include <span>
#include <string>

#include "common/model/shape.h"
#include "worker/trainer/lm/dropout.h"
#include "worker/trainer/lm/network.h"
#include "worker/trainer/lm/ops.h"
#include "worker/trainer/lm/transformer.h"

namespace ranktide::oracle {

// Calls `visit` for every weight, once.
void for_each_weight(Network& network, const ModelShape& shape,
                     const std::function<void(const std::string&, Weight&)>& visit);

// Returns: the same network in fp64 for loss_of, what trains as leaves of autograd.
Network leaves_of(const Network& network, const ModelShape& shape);

// Returns: cos and sin of the rotary angles of segments end to end, all of it in fp64. The engine, as the field
// does, takes angles in fp32; where only a wrong formula may differ, give loss_of the engine's rotation.
Rotation rotation_of(const ModelShape& shape, std::span<const int32_t> segment_ends);

// Returns: 0, 1, 2 ... from the start of each segment, int64 (T).
at::Tensor positions_of(std::span<const int32_t> segment_ends);

// Returns: scale * sum of -log p(target), by the plain formulas, differentiable.
at::Tensor loss_of(const Network& network, const ModelShape& shape, const Rotation& rotation,
                   const Packed& input, const Labels& labels, double scale, const Chance& chance);

}  // namespace ranktide::oracle
