#include "worker/trainer/lm/lora.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <algorithm>
#include <cmath>
#include <set>

#include "common/vocabulary/check.h"
#include "common/vocabulary/random.h"

namespace ranktide {
namespace {

bool is_targeted(const LoraSettings& lora, const std::string& module) {
  return std::find(lora.target.begin(), lora.target.end(), module) != lora.target.end();
}

// Uniform in [-bound, bound) from 24 bits a number; `key` names the tensor. Drawn by the processor, moved once.
void fill_uniform(at::Tensor tensor, double bound, uint64_t key) {
  const Philox philox{key};
  const at::Tensor drawn = at::empty(tensor.sizes(), at::kFloat);
  float* out = drawn.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    const uint32_t word = philox(static_cast<uint64_t>(i / 4), 0)[static_cast<size_t>(i % 4)];
    out[i] = static_cast<float>((static_cast<double>(word >> 8) * 0x1p-23 - 1) * bound);
  }
  tensor.copy_(drawn);
}

}  // namespace

double scale_of(const LoraSettings& lora) {
  RT_CHECK(lora.rank > 0);
  return lora.alpha / (lora.scaling == LoraScaling::alpha_over_r ? lora.rank : std::sqrt(lora.rank));
}

void add_adapters(ModelTensors& tensors, const LoraSettings& lora, const ModelShape& shape, Dtype dtype) {
  for (const auto& module : lora.target)
    if (!linear_shape(shape, module))
      throw ModelError("lora.target \"" + module + "\" is not a linear of the model");
  std::vector<ParameterSlot> slots;
  for (size_t i = 0; i < tensors.network.layers.size(); ++i) {
    for (const NamedLinear& named : kLinears) {
      if (!is_targeted(lora, named.module)) continue;
      Linear& linear = tensors.network.layers[i].*named.member;
      linear.scale = scale_of(lora);
      const LinearShape size = *linear_shape(shape, named.module);
      const std::string name =
          "base_model.model.model.layers." + std::to_string(i) + "." + named.block + "." + named.module;
      slots.push_back({.name = name + ".lora_A.weight", .sizes = {lora.rank, size.in}, .weight = &linear.a});
      slots.push_back({.name = name + ".lora_B.weight", .sizes = {size.out, lora.rank}, .weight = &linear.b});
    }
  }
  tensors.lora = lora;
  allocate_parameters(tensors, std::move(slots), dtype, tensors.network.embedding.w.value.device());
}

void init_adapters(ModelTensors& tensors, uint64_t seed) {
  for (size_t i = 0; i < tensors.network.layers.size(); ++i) {
    for (size_t place = 0; place < std::size(kLinears); ++place) {
      const Linear& linear = tensors.network.layers[i].*kLinears[place].member;
      if (!linear.a.exists()) continue;
      const double bound = 1 / std::sqrt(static_cast<double>(linear.a.master.size(1)));
      fill_uniform(linear.a.master, bound, mix(seed, i * 16 + place));
    }
  }
  refresh_products(tensors);
}

void merge_adapters(ModelTensors& tensors) {
  for (Layer& layer : tensors.network.layers) {
    for (const NamedLinear& named : kLinears) {
      Linear& linear = layer.*named.member;
      if (!linear.a.exists()) continue;
      const at::Tensor delta = linear.b.master.mm(linear.a.master).mul_(linear.scale);  // (Out, In)
      Linear merged;
      merged.w.value = (linear.w.value.to(at::kFloat) + delta).to(linear.w.value.scalar_type());
      merged.bias = linear.bias;
      linear = merged;
    }
  }
  Network network = std::move(tensors.network);
  tensors = ModelTensors{};
  tensors.network = std::move(network);
}

}  // namespace ranktide
