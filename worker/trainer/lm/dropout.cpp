#include "worker/trainer/lm/dropout.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <cmath>

#include "common/vocabulary/check.h"
#include "common/vocabulary/random.h"
#include "worker/trainer/lm/device_mask.h"
#include "worker/trainer/lm/philox_mask.h"

namespace ranktide {
namespace {

constexpr int64_t kRowsPerTask = 16;
// Values of a mask from which a device draws it itself: of fewer, a hundred launches take longer than the
// processor and a copy. Where it is drawn changes no bit.
constexpr int64_t kDrawnByDevice = int64_t{1} << 18;

}  // namespace

Chance chance_of(const TrialSettings& settings, Step step) {
  return {.seed = settings.seed,
          .step = step,
          .first_token = 0,
          .lora_dropout = settings.lora ? settings.lora->dropout : 0,
          .attention_dropout = settings.train.attention_dropout};
}

DropoutKey dropout_key(const Chance& chance, size_t layer, int place, double rate, int64_t first_row) {
  const uint64_t where = layer * 16 + static_cast<uint64_t>(place);
  return {.key = mix(mix(chance.seed, static_cast<uint64_t>(chance.step)), where),
          .rate = rate,
          .first_row = first_row};
}

DropoutKey adapter_dropout(const std::optional<Chance>& chance, size_t layer, int place) {
  if (!chance || chance->lora_dropout == 0) return {};
  return dropout_key(*chance, layer, place, chance->lora_dropout, chance->first_token);
}

DropoutKey attention_dropout(const std::optional<Chance>& chance, size_t layer, int64_t heads) {
  if (!chance || chance->attention_dropout == 0) return {};
  return dropout_key(*chance, layer, kAttentionPlace, chance->attention_dropout, chance->first_token * heads);
}

at::ScalarType mask_dtype(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
}

namespace {

// What a mask is drawn from.
struct Draw {
  PhiloxRow first;
  float keep = 0;
};

Draw draw_of(const DropoutKey& key, const at::Tensor& mask) {
  RT_CHECK(key.rate >= 0 && key.rate < 1);
  RT_CHECK(mask.is_contiguous() && mask.dim() == 2);
  return {.first = {.key = key.key,
                    .high = static_cast<uint64_t>(key.first_row),
                    .drop_below = static_cast<uint32_t>(std::llround(key.rate * 0x1p32))},
          .keep = static_cast<float>(1 / (1 - key.rate))};
}

void draw_on_processor(const PhiloxRow& first, float keep, const at::Tensor& mask) {
  const int64_t rows = mask.size(0), cols = mask.size(1);
  const auto fill = [&](auto kept, auto* out) {
    at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        philox_mask({first.key, first.high + static_cast<uint64_t>(row), first.drop_below}, cols, kept,
                    out + row * cols);
    });
  };
  if (mask.scalar_type() == at::kFloat)
    fill(keep, mask.mutable_data_ptr<float>());
  else
    fill(at::BFloat16(keep).x, static_cast<uint16_t*>(mask.mutable_data_ptr()));
}

}  // namespace

void draw_dropout_mask(const DropoutKey& key, const at::Tensor& mask) {
  const auto [first, keep] = draw_of(key, mask);
  if (mask.is_cpu()) return draw_on_processor(first, keep, mask);
  if (mask.numel() >= kDrawnByDevice) return draw_mask_on_device(first, keep, mask);
  const at::Tensor drawn = at::empty(mask.sizes(), mask.scalar_type());
  draw_on_processor(first, keep, drawn);
  mask.copy_(drawn, /*non_blocking=*/true);
}

void draw_dropout_mask_by_operations(const DropoutKey& key, const at::Tensor& mask) {
  const auto [first, keep] = draw_of(key, mask);
  draw_mask_on_device(first, keep, mask);
}

}  // namespace ranktide
