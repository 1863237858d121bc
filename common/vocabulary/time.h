#pragma once
// Points in time and spans of it, in milliseconds. Not a clock: whoever acts at an edge reads CLOCK_BOOTTIME
// and hands the Instant in, so cores stay deterministic. Instants of two machines are never compared.

#include <chrono>
#include <compare>
#include <cstdint>

namespace ranktide {

using Duration = std::chrono::milliseconds;

struct Instant {
  int64_t ms = 0;
  friend auto operator<=>(Instant, Instant) = default;
  friend Instant operator+(Instant t, Duration d) { return {t.ms + d.count()}; }
  friend Instant operator-(Instant t, Duration d) { return {t.ms - d.count()}; }
  friend Duration operator-(Instant a, Instant b) { return Duration{a.ms - b.ms}; }
};

}  // namespace ranktide
