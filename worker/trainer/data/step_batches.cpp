#include "worker/trainer/data/step_batches.h"

#include <utility>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

static_assert(kNoTarget == kNoLabel, "rows and batches mark a position without loss alike");

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

BatchSource step_batches(std::shared_ptr<const Dataset> data, const TrialSettings& settings, int microbatch) {
  RT_CHECK(microbatch >= 1);
  RowOrder order(static_cast<int64_t>(data->rows.size()), settings.seed);
  return StepReader{std::move(data), std::move(order), settings.train.batch, microbatch};
}

}  // namespace ranktide
