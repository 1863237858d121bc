#pragma once
// What the trainer stands on, checked where it will run: LibTorch, threads, OpenMP, kernels. Not the model or
// the data. The engine thread.

#include <string>
#include <vector>

namespace ranktide {

enum class Verdict { ok, warning, failed };  // warning: works, but slower or larger than it might be

struct Finding {
  Verdict verdict = Verdict::ok;
  std::string subject;
  std::string detail;  // what was found; where it is not ok, what to do
};

// Starts the engine and looks at everything. Takes well under a second.
std::vector<Finding> selfcheck(int threads);

}  // namespace ranktide
