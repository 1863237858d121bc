#include "worker/trainer/data/step_batches.h"

#include <algorithm>
#include <utility>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

static_assert(kNoTarget == kNoLabel, "rows and batches mark a position without loss alike");

// Activations of one micro-batch on a CPU slot. Larger ones gain no speed there: a few hundred tokens fill the
// matrix kernels. Part of what a result's bits depend on, like the two factors below.
constexpr int64_t kCpuActivationBytesMax = int64_t{1} << 30;

// fp32 values that autograd keeps per token and layer, rounded up; both dtypes and methods are cut alike, so
// that their loss curves are comparable bit for bit in data.
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

void append(Batch& batch, const Row& row) {
  const auto offset = static_cast<int32_t>(batch.tokens.size());
  batch.tokens.insert(batch.tokens.end(), row.tokens.begin(), row.tokens.end());
  batch.targets.insert(batch.targets.end(), row.targets.begin(), row.targets.end());
  for (const int32_t end : row.segment_ends) batch.segment_ends.push_back(offset + end);
}

struct StepReader {
  std::shared_ptr<const Dataset> data;
  RowOrder order;
  int64_t batch;
  int64_t microbatch;

  StepBatch operator()(Step s) {
    RT_CHECK(s >= 1);
    StepBatch step;
    for (int64_t i = 0; i < batch; ++i) {
      if (i % microbatch == 0) step.micro.emplace_back();
      const Row& row = data->rows.at(static_cast<size_t>(order.at((s - 1) * batch + i)));
      append(step.micro.back(), row);
      step.tokens += static_cast<int64_t>(row.tokens.size());
    }
    return step;
  }
};

}  // namespace

int microbatch_rows(const ModelShape& shape, const TrialSettings& settings, DeviceClass device) {
  const int64_t row_bytes = activation_bytes_per_token(shape) * settings.data.max_tokens;
  RT_CHECK(row_bytes > 0);
  const int64_t rows = activation_bytes_max(device) / row_bytes;
  return static_cast<int>(std::clamp<int64_t>(rows, 1, settings.train.batch));
}

BatchSource step_batches(std::shared_ptr<const Dataset> data, const TrialSettings& settings, int microbatch) {
  RT_CHECK(microbatch >= 1);
  RowOrder order(static_cast<int64_t>(data->rows.size()), settings.seed);
  return StepReader{std::move(data), std::move(order), settings.train.batch, microbatch};
}

}  // namespace ranktide
