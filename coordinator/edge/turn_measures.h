#pragma once
// What the turn counts of itself for /metrics: commits and how long they took, leases lost, workers fenced,
// how long trainings took. Since the process began; not results, and nothing decides by it. Value type; the
// turn's thread fills one, others get copies.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "common/vocabulary/time.h"
#include "coordinator/core/coordinator.h"

namespace ranktide {

// Counts of observations up to each bound, as Prometheus wants them, with their sum.
template <size_t N>
struct Histogram {
  std::array<double, N> bounds{};         // rising; one more bucket, without bound, is `count`
  std::array<uint64_t, N> up_to_bound{};  // cumulative
  uint64_t count = 0;
  double sum = 0;

  void observe(double value) {
    for (size_t i = 0; i < N; ++i)
      if (value <= bounds[i]) ++up_to_bound[i];
    ++count;
    sum += value;
  }
};

struct TurnMeasures {
  std::optional<Instant> committed_at;  // boot clock; absent before the first commit
  Histogram<8> commit_seconds{{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3}};
  Histogram<7> trial_seconds{{1, 10, 60, 600, 3'600, 21'600, 86'400}};
  uint64_t leases_expired = 0;
  uint64_t fenced = 0;  // messages that told a worker it is no longer listened to
  uint64_t acks = 0;

  void committed(const Effects& effects, Instant now, std::chrono::nanoseconds took);
  void said(const Effects& effects);
};

}  // namespace ranktide
