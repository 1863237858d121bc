#include "tests/worker/trainer/lm/random_network.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <algorithm>
#include <cmath>

#include "worker/trainer/lm/weights.h"

namespace ranktide::oracle {
namespace {

Weight drawn(std::vector<int64_t> sizes, double scale, double around, at::ScalarType dtype, bool trains) {
  Weight weight;
  weight.value = (at::randn(sizes, at::kDouble) * scale + around).to(dtype);
  if (trains) weight.grad = at::zeros_like(weight.value, sum_dtype(dtype));
  return weight;
}

void draw_adapters(Layer& layer, at::ScalarType dtype, const Trained& trained) {
  for (const NamedLinear& named : kLinears) {
    if (std::find(trained.adapters.begin(), trained.adapters.end(), named.module) == trained.adapters.end())
      continue;
    Linear& linear = layer.*named.member;
    linear.a = drawn({trained.rank, linear.w.value.size(1)}, 0.1, 0, dtype, true);
    linear.b = drawn({linear.w.value.size(0), trained.rank}, 0.1, 0, dtype, true);
    linear.scale = 1.5;
  }
}

}  // namespace

Network random_network(const ModelShape& shape, at::ScalarType dtype, const Trained& trained) {
  Network network;
  for (const ParameterSlot& slot : weight_slots(network, shape)) {
    const double in = static_cast<double>(slot.sizes.back());
    *slot.weight = drawn(slot.sizes, slot.stays_fp32 ? 0.1 : 1 / std::sqrt(in), slot.stays_fp32 ? 1 : 0,
                         slot.stays_fp32 ? sum_dtype(dtype) : dtype, trained.all);
  }
  tie(network, shape);
  for (size_t i = trained.first_layer; i < network.layers.size(); ++i)
    draw_adapters(network.layers[i], dtype, trained);
  return network;
}

}  // namespace ranktide::oracle
