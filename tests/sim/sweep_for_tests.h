#pragma once
// Small sweeps for tests of the cores, made through the sweep language and filled with inputs that nobody has
// to read.

#include <optional>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

struct SweepForTests {
  std::string name = "tiny";
  std::vector<int> ranks{4};
  int seeds = 1;
  int steps = 6;
  std::vector<int> budgets{};  // an axis of steps in place of one number; the rate is flat but for 2 at the end
  int max_tokens = 64;         // of a row
  int priority = 0;
  std::string eval_at = "[0, end]";
  bool has_evals = true;
  std::string tokenizer{};     // model.tokenizer; empty: the model's own
  std::string run{};           // more settings under `run`, such as "max_parallel: 1"
  std::string rates = "1e-3";  // train.lr
  std::string tune{};          // as a file has it, such as "{axes: [train.lr], extend: 1}"
  bool has_shape = false;      // a trial is predicted to hold 3.4 GB; without it nothing is predicted
};

// One LoRA block over the ranks; two evals (words: learn, prose: retain) unless the wish is for none.
SweepSpec sweep_for_tests(const SweepForTests& wish);

}  // namespace ranktide
