#include "worker/trainer/lm/parameters.h"

#include <ATen/ops/zeros.h>
#include <algorithm>
#include <numeric>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

// Parameters begin at 64-byte borders in either dtype: kernels pick their code by alignment, and bits may
// follow.
constexpr int64_t kAlignElements = 32;

int64_t elements(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

int64_t padded(int64_t n) {
  return (n + kAlignElements - 1) / kAlignElements * kAlignElements;
}

int64_t padded_total(const std::vector<ParameterSlot>& slots) {
  return std::accumulate(slots.begin(), slots.end(), int64_t{0}, [](int64_t sum, const ParameterSlot& slot) {
    return sum + padded(elements(slot.sizes));
  });
}

}  // namespace

void allocate_parameters(ModelTensors& t, std::vector<ParameterSlot> slots, Dtype dtype, at::Device device) {
  RT_CHECK(t.parameters.empty());
  std::stable_partition(slots.begin(), slots.end(), [](const ParameterSlot& slot) { return slot.decays; });
  const int64_t total = padded_total(slots);
  const auto zeros = [&](at::ScalarType of) { return at::zeros({total}, at::TensorOptions(device).dtype(of)); };
  t.values = zeros(at::kFloat);
  t.grads = zeros(at::kFloat);
  if (dtype == Dtype::bf16) t.products = zeros(at::kBFloat16);
  int64_t offset = 0;
  for (const ParameterSlot& slot : slots) {
    const int64_t n = elements(slot.sizes);
    const auto view_into = [&](const at::Tensor& flat) { return flat.narrow(0, offset, n).view(slot.sizes); };
    Weight& weight = *slot.weight;
    weight.master = view_into(t.values);
    weight.grad = view_into(t.grads);
    weight.value = t.products.defined() && !slot.stays_fp32 ? view_into(t.products) : weight.master;
    t.parameters.push_back({.name = slot.name, .value = weight.master, .grad = weight.grad, .offset = offset});
    offset += padded(n);
    if (slot.decays) t.decayed = offset;
  }
}

void refresh_products(ModelTensors& t) {
  if (t.products.defined()) t.products.copy_(t.values);
}

}  // namespace ranktide
