#include "common/model/microbatch.h"

#include <algorithm>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

// Larger micro-batches gain little speed on a CPU slot: a few hundred tokens fill the matrix kernels. A
// result's bits depend on this number and on what a token is taken to keep.
constexpr int64_t kCpuActivationBytesMax = int64_t{1} << 30;

// The same until one was measured: who places a trial predicts its memory without asking what kind its slot is.
constexpr int64_t kGpuActivationBytesMax = kCpuActivationBytesMax;

// Both dtypes and methods are cut alike, so that their loss curves differ by arithmetic only.
double activation_bytes_per_token(const ModelShape& shape) {
  TrialSettings widest;
  widest.model.dtype = Dtype::fp32;
  widest.method = Method::full;
  return kept_bytes_per_token(widest, shape);
}

int64_t activation_bytes_max(DeviceClass device) {
  switch (device) {
    case DeviceClass::cpu:
      return kCpuActivationBytesMax;
    case DeviceClass::gpu:
      return kGpuActivationBytesMax;
  }
  RT_CHECK(!"a device class without an allowance");
  return 0;
}

}  // namespace

int microbatch_rows(const ModelShape& shape, const TrialSettings& settings, DeviceClass device) {
  const double row_bytes = activation_bytes_per_token(shape) * settings.data.max_tokens;
  RT_CHECK(row_bytes > 0);
  const int64_t batch = settings.train.batch;
  const auto most = static_cast<int64_t>(static_cast<double>(activation_bytes_max(device)) / row_bytes);
  const int64_t rows = std::clamp<int64_t>(most, 1, batch);
  const int64_t parts = (batch + rows - 1) / rows;
  return static_cast<int>((batch + parts - 1) / parts);
}

int microbatch_rows(const ModelShape& shape, const TrialSettings& settings, DeviceClass device,
                    std::optional<int> by_hand) {
  return by_hand ? std::min(*by_hand, settings.train.batch) : microbatch_rows(shape, settings, device);
}

StepLoad largest_load(const TrialSettings& settings, int rows) {
  const int64_t row = settings.data.max_tokens;
  return {.tokens = rows * row, .sequence = row};
}

int64_t placed_bytes(const TrialSettings& settings, const ModelShape& shape, int rows, Bf16 bf16) {
  const StepLoad load = largest_load(settings, rows);
  if (settings.model.dtype != Dtype::bf16 || bf16 == Bf16::widened)
    return predicted_peak_bytes(settings, shape, load, Bf16::widened, DeviceClass::cpu);
  return predicted_peak_bytes(settings, shape, load, Bf16::as_it_is, DeviceClass::gpu);
}

}  // namespace ranktide
