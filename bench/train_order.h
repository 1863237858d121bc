#pragma once
// What bench/train_step is asked for on its command line; its first lines say what each word means.

#include <filesystem>

#include "bench/steps.h"
#include "common/vocabulary/trial.h"

namespace ranktide::bench {

inline constexpr int kWarmSteps = 2;

struct Order {
  std::filesystem::path model;
  Shape shape;
  TrialSettings settings;
  int threads = 0;
  Step steps = 0;
  std::filesystem::path ids, start, products;
  bool tells_parts = false, is_paced = false;
};

// Requires: count >= 8. Throws: std::invalid_argument with what is wrong.
Order order_of(int count, char** args);

}  // namespace ranktide::bench
