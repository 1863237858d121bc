#pragma once
// The clocks, read at edges only; cores get an Instant as an argument.

#include <ctime>

#include "common/vocabulary/time.h"

namespace ranktide {

// Returns: time since boot, suspended time included. Leases and time-outs count on this one: nobody can set it.
inline Instant boot_clock_now() {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return {t.tv_sec * 1000 + t.tv_nsec / 1'000'000};
}

// Returns: milliseconds since 1970, for people to read; never compared with another machine's.
inline int64_t wall_clock_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1'000'000;
}

}  // namespace ranktide
