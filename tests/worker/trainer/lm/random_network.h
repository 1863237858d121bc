#pragma once
// A network of random weights for what check/oracle.h is asked about.

#include <ATen/core/Tensor.h>
#include <string>
#include <vector>

#include "common/model/shape.h"
#include "worker/trainer/check/oracle.h"
#include "worker/trainer/lm/network.h"

namespace ranktide::oracle {

// What trains: all weights, or adapters of some linears in the layers from `first_layer` on.
struct Trained {
  bool all = false;
  std::vector<std::string> adapters;
  size_t first_layer = 0;
  int64_t rank = 3;
};

// Returns: a network of this shape, the trained weights with gradients of zero. Norms are fp32, or fp64 with
// the rest.
Network random_network(const ModelShape& shape, at::ScalarType dtype, const Trained& trained);

}  // namespace ranktide::oracle
