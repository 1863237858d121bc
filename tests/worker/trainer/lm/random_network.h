#pragma once
// A network of random weights, and the plain formulas of a decoder on LibTorch's autograd: the oracle that the
// engine's gradients are compared with.

#include <ATen/core/Tensor.h>
#include <functional>
#include <string>
#include <vector>

#include "common/model/shape.h"
#include "worker/trainer/lm/dropout.h"
#include "worker/trainer/lm/network.h"
#include "worker/trainer/lm/transformer.h"

namespace ranktide::oracle {

// What trains: all weights, or adapters of some linears in the layers from `first_layer` on.
struct Trained {
  bool all = false;
  std::vector<std::string> adapters;
  size_t first_layer = 0;
};

// Returns: a network of this shape, the trained weights with gradients of zero. Norms are fp32, or fp64 with
// the rest.
Network random_network(const ModelShape& shape, at::ScalarType dtype, const Trained& trained);

// Calls `visit` for every weight, once.
void for_each_weight(Network& network, const ModelShape& shape,
                     const std::function<void(const std::string&, Weight&)>& visit);

// Returns: the same network in fp64 for loss_of, what trains as leaves of autograd.
Network leaves_of(const Network& network, const ModelShape& shape);

// Returns: scale * sum of -log p(target), by the plain formulas, differentiable.
at::Tensor loss_of(const Network& network, const ModelShape& shape, const Packed& input, const Labels& labels,
                   double scale, const Chance& chance);

}  // namespace ranktide::oracle
