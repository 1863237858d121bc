#pragma once
// The state of LibTorch that results depend on, set once per process. One engine thread per trainer: everything
// in worker/trainer/lm and worker/trainer/train is called from the thread that called start_engine.

#include <string>

#include "common/vocabulary/numerics.h"

namespace c10 {
struct Device;
}

namespace ranktide {

struct Engine {
  int threads = 1;  // that results depend on: the CPU's where it computes, 1 on any other device
  std::string isa;  // the kernels, as device.h's kernels_of names them: on the CPU LibTorch's instruction set
  std::string processor;  // device.h's processor_of
  std::string libtorch;   // version this was compiled for
  int numerics_version = kNumericsVersion;
};

// Sets the thread count, deterministic algorithms and full fp32 on whatever computes, and the thresholds of the
// CPU's allocator.
// Requires: threads >= 1. May be called again (tests do) with another count, before the next model is used.
Engine start_engine(int threads);

// Returns: what is in force for models on the device.
Engine current_engine(const c10::Device& device);
Engine current_engine();  // on the CPU

}  // namespace ranktide
