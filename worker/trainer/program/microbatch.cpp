#include "worker/trainer/program/microbatch.h"

#include <algorithm>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

// Larger micro-batches gain no speed on a CPU slot: a few hundred tokens fill the matrix kernels. A result's
// bits depend on this number and on the two factors below.
constexpr int64_t kCpuActivationBytesMax = int64_t{1} << 30;

// fp32 values kept per token and layer between forward and backward, rounded up. Both dtypes and methods are
// cut alike, so that their loss curves differ by arithmetic only.
int64_t activation_bytes_per_token(const ModelShape& shape) {
  constexpr int64_t kHiddenWidths = 12;
  constexpr int64_t kFfnWidths = 4;
  const int64_t floats = shape.layers * (kHiddenWidths * shape.hidden + kFfnWidths * shape.ffn);
  return floats * static_cast<int64_t>(sizeof(float));
}

int64_t activation_bytes_max(DeviceClass device) {
  switch (device) {
    case DeviceClass::cpu:
      return kCpuActivationBytesMax;
  }
  RT_CHECK(!"a device class without an allowance");
  return 0;
}

}  // namespace

int microbatch_rows(const ModelShape& shape, const TrialSettings& settings, DeviceClass device) {
  const int64_t row_bytes = activation_bytes_per_token(shape) * settings.data.max_tokens;
  RT_CHECK(row_bytes > 0);
  const int64_t rows = activation_bytes_max(device) / row_bytes;
  return static_cast<int>(std::clamp<int64_t>(rows, 1, settings.train.batch));
}

}  // namespace ranktide
