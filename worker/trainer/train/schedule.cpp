#include "worker/trainer/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/vocabulary/check.h"
#include "common/vocabulary/flat_rate.h"

namespace ranktide {
namespace {

// Between `from` at share 0 and `to` at share 1.
double line(double from, double to, double share) {
  return from + (to - from) * share;
}

double share_of(Step done, Step all) {
  return all <= 0 ? 1 : static_cast<double>(done) / static_cast<double>(all);
}

// The part of a cycle after warmup, as a factor of lr.
double factor_after_warmup(const TrainSettings& settings, Step step, Step total, Step warmup) {
  const double share = share_of(step - warmup, total - warmup);
  switch (settings.schedule) {
    case Schedule::constant:
      return 1;
    case Schedule::linear:
      return line(1, settings.final_lr, share);
    case Schedule::cosine:
      return line(settings.final_lr, 1, (1 + std::cos(std::numbers::pi * share)) / 2);
    case Schedule::wsd:
      break;
  }
  const Step flat = flat_until(settings, total);
  return step <= flat ? 1 : line(1, settings.final_lr, share_of(step - flat, total - flat));
}

}  // namespace

double lr_at(const TrainSettings& settings, Step step, Step total) {
  RT_CHECK(step >= 1);
  RT_CHECK(step <= total);
  const Step warmup = std::min(settings.warmup.of(total), total);
  if (step <= warmup) return settings.lr * share_of(step, warmup);
  return settings.lr * factor_after_warmup(settings, step, total, warmup);
}

}  // namespace ranktide
