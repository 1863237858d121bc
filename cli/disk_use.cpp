#include "cli/disk_use.h"

#include "common/model/cost.h"

namespace ranktide::cli {
namespace {

constexpr int kCheckpointsOfAnAttempt = 3;  // as kCheckpointsKept of worker/trainer/train/checkpoint.h

int64_t kept_bytes(const TrialSettings& settings, const ModelShape& shape, Keep keep) {
  if (keep == Keep::none) return 0;
  if (settings.method == Method::lora) return 4 * trained_parameters(settings, shape);
  return keep == Keep::adapters ? 0 : 4 * parameters_of(shape).total;  // masters; a delta is less
}

}  // namespace

DiskBytes disk_bytes(const TrialSettings& settings, const ModelShape& shape, Keep keep) {
  const int64_t state = 4 * (1 + moments_of(settings.train.optimizer)) * trained_parameters(settings, shape);
  DiskBytes out{.kept = kept_bytes(settings, shape, keep), .checkpoints = kCheckpointsOfAnAttempt * state};
  if (keep == Keep::checkpoints) out.kept += out.checkpoints;
  return out;
}

}  // namespace ranktide::cli
