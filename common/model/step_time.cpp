#include "common/model/step_time.h"

#include "common/model/step_work.h"

namespace ranktide {
namespace {

Bf16 bf16_of(const ProductSpeeds& speeds) {
  return speeds.widens_bf16() ? Bf16::widened : Bf16::as_it_is;
}

StepSeconds seconds_of(const ProductSpeeds& speeds, const PassWork& work, double times) {
  StepSeconds out{.elementwise = times * speeds.seconds_of_bytes(work.bytes)};
  for (const CountedProduct& p : work.products)
    out.products += times * p.count * speeds.seconds(p.dtype, p.m, p.n, p.k);
  return out;
}

}  // namespace

StepSeconds training_step_seconds(const ProductSpeeds& speeds, const TrialSettings& settings,
                                  const ModelShape& shape, const StepLoad& load, double microbatches) {
  StepSeconds out = seconds_of(speeds, training_work(settings, shape, load, bf16_of(speeds)), microbatches);
  out.optimizer = speeds.seconds_of_bytes(optimizer_bytes(settings, shape));
  return out;
}

StepSeconds eval_seconds(const ProductSpeeds& speeds, const TrialSettings& settings, const ModelShape& shape,
                         const StepLoad& load) {
  return seconds_of(speeds, eval_work(settings, shape, load, bf16_of(speeds)), 1);
}

}  // namespace ranktide
