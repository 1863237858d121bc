#pragma once
// What the fake trainer (fake_trainer.cpp) does for which seed; any other seed trains to its end.

#include <cstdint>

#include "common/vocabulary/ids.h"

namespace ranktide {

constexpr uint64_t kCrashes = 1000;          // SIGSEGV at step 2, whatever the attempt
constexpr uint64_t kCrashesOnce = 1001;      // the same, on the first attempt only
constexpr uint64_t kExitsWithThree = 1002;   // at step 2
constexpr uint64_t kRunsOutOfMemory = 1003;  // std::bad_alloc on standard error, then SIGABRT
constexpr uint64_t kHangs = 1004;
constexpr uint64_t kSpeaksNonsense = 1005;
constexpr uint64_t kDiverges = 1006;  // at its first step

inline double fake_loss(uint64_t seed, Step step) {
  return 3.0 / (1.0 + 0.1 * static_cast<double>(step)) + 0.001 * static_cast<double>(seed % 7);
}

}  // namespace ranktide
