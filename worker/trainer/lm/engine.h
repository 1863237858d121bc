#pragma once
// The state of LibTorch that results depend on, set once per process. One engine thread per trainer: everything
// in worker/trainer/lm and worker/trainer/train is called from the thread that called start_engine.

#include <string>

namespace ranktide {

// Raised whenever a change of the engine may change a bit of a result. Checkpoints of another version are not
// resumed.
inline constexpr int kNumericsVersion = 7;

struct Engine {
  int threads = 1;
  std::string isa;       // instruction set LibTorch picked, as it names it
  std::string libtorch;  // version this was compiled for
  int numerics_version = kNumericsVersion;
};

// Sets the thread count, deterministic algorithms and the allocator's thresholds.
// Requires: threads >= 1. May be called again (tests do) with another count, before the next model is used.
Engine start_engine(int threads);

// Returns: what is in force.
Engine current_engine();

}  // namespace ranktide
