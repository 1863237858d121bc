#include "worker/trainer/lm/parameters.h"

#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>
#include <algorithm>
#include <numeric>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/device_rounding.h"
#include "worker/trainer/lm/stochastic_rounding.h"

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

}  // namespace

FlatExtent lay_out(std::vector<ParameterSlot>& slots) {
  FlatExtent extent;
  for (const bool decays : {true, false}) {
    for (ParameterSlot& slot : slots) {
      if (slot.decays != decays) continue;
      slot.offset = extent.total;
      extent.total += padded(elements(slot.sizes));
    }
    if (decays) extent.decayed = extent.total;
  }
  return extent;
}

void allocate_parameters(ModelTensors& t, std::vector<ParameterSlot> slots, Dtype dtype, at::Device device) {
  RT_CHECK(t.parameters.empty());
  std::stable_partition(slots.begin(), slots.end(), [](const ParameterSlot& slot) { return slot.decays; });
  const FlatExtent extent = lay_out(slots);
  const auto zeros = [&](at::ScalarType of) {
    return at::zeros({extent.total}, at::TensorOptions(device).dtype(of));
  };
  t.values = zeros(at::kFloat);
  t.grads = zeros(at::kFloat);
  t.decayed = extent.decayed;
  if (dtype == Dtype::bf16) t.products = zeros(at::kBFloat16);
  for (const ParameterSlot& slot : slots) {
    const int64_t n = elements(slot.sizes);
    const auto view_into = [&](const at::Tensor& flat) {
      return flat.narrow(0, slot.offset, n).view(slot.sizes);
    };
    Weight& weight = *slot.weight;
    weight.master = view_into(t.values);
    weight.grad = view_into(t.grads);
    weight.value = t.products.defined() && !slot.stays_fp32 ? view_into(t.products) : weight.master;
    t.parameters.push_back(
        {.name = slot.name, .value = weight.master, .grad = weight.grad, .offset = slot.offset});
  }
}

void refresh_products(ModelTensors& t) {
  if (!t.products.defined()) return;
  if (t.lora)
    t.products.copy_(t.values);
  else if (t.values.is_cpu())
    round_weights(t.values, 0, t.products);
  else
    round_on_device(t.values, t.products);
}

void round_weights(const at::Tensor& values, int64_t first, const at::Tensor& out) {
  RT_CHECK(values.is_cpu() && values.is_contiguous());
  RT_CHECK(out.is_cpu() && out.is_contiguous() && out.scalar_type() == at::kBFloat16);
  RT_CHECK(values.numel() == out.numel());
  constexpr int64_t kValuesPerTask = 1 << 14;  // fewer are done before a thread has woken
  const float* from = values.const_data_ptr<float>();
  auto* to = static_cast<uint16_t*>(out.mutable_data_ptr());
  at::parallel_for(0, values.numel(), kValuesPerTask, [&](int64_t begin, int64_t end) {
    round_stochastically(from + begin, first + begin, end - begin, to + begin);
  });
}

}  // namespace ranktide
