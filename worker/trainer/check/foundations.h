#pragma once
// What the trainer stands on, checked where it will run: LibTorch, threads, OpenMP, kernels, a mask of dropout,
// one gradient. Not the model or the data, and no training. Shows LibTorch. The engine thread.

#include <c10/core/Device.h>
#include <string>
#include <vector>

namespace ranktide {

enum class Verdict { ok, warning, failed };  // warning: works, but slower or larger than it might be

struct Finding {
  Verdict verdict = Verdict::ok;
  std::string subject;
  std::string detail;  // what was found; where it is not ok, what to do
};

// Starts the engine and looks at everything; products, the mask and the gradient are made on the device. Takes
// about a second.
std::vector<Finding> check_foundations(int threads, at::Device device = at::kCPU);

}  // namespace ranktide
