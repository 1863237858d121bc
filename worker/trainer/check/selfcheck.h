#pragma once
// The self-check as a command: what `ranktide-trainer selfcheck` and, where only LibTorch is,
// ranktide-selfcheck do once their options are read. Starts the engine.

#include <iosfwd>
#include <string>

#include "worker/trainer/check/training_check.h"

namespace ranktide {

struct SelfcheckOptions {
  std::string device = "cpu";  // or cuda: what training.device becomes
  CheckOptions training{};
  int threads = 1;
  bool quick = false;  // the foundations only, in about a second
  bool json = false;
};

// Writes the report to `out`. Returns: the exit code, 0, or 1 when a line of the report FAILED.
// Throws: NoDevice when the device is not to be had.
int selfcheck(const SelfcheckOptions& options, std::ostream& out);

}  // namespace ranktide
