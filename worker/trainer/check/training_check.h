#pragma once
// Every family there is, trained for some steps in each method and dtype: beside the oracle on the same rows,
// and once more cut in the middle and resumed. What a machine and a build compute, not whether a model is any
// good. Shows LibTorch. The engine thread.

#include <c10/core/Device.h>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"
#include "worker/trainer/lm/network.h"

namespace ranktide {

struct CheckOptions {
  at::Device device = at::kCPU;  // of the training; the oracle always computes on the CPU
  Step steps = 8;                // of each training; at least 2, so that there is a middle
  // For tests, which make what is compared differ: the oracle's start, and what a resume finds in the folder of
  // its checkpoints. Empty: nothing is changed.
  std::function<void(ModelShape&, Network&)> change_oracle{};
  std::function<void(const std::filesystem::path&)> before_resume{};
};

struct TrainingRow {
  std::string family;
  Method method = Method::lora;
  Dtype dtype = Dtype::fp32;
  double loss_error = std::numeric_limits<double>::infinity();  // largest relative difference of a step's loss
  double loss_error_max = 0;                                    // what it may be
  bool resumes_exactly = false;   // cut and resumed it has the losses and weights of the uninterrupted one
  double steps_per_second = 0;    // of the uninterrupted one
  int64_t memory_peak_bytes = 0;  // resident in the process, LibTorch with it; on a device what was handed out
  std::string failure{};          // what is wrong; empty: the row passed
};

// Returns: a row for each family, method and dtype, in this order. What one of them throws is its failure.
// Works in a temporary folder that is removed. Requires: start_engine was called; the device is there.
std::vector<TrainingRow> check_training(const CheckOptions& options);

}  // namespace ranktide
