#pragma once
// How long a sweep may take on this machine and how much memory a trial needs: formulas of common/model/cost
// over a rate in FLOP/s, measured from finished trials where there are any, else a first guess from the
// instruction set. An estimate for people; nothing is placed by it but the number of slots.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/model/shape.h"
#include "common/sweep/grid.h"
#include "coordinator/edge/query_past.h"

namespace ranktide::cli {

struct TrialCost {
  double training_flops = 0;
  double eval_flops = 0;
  int64_t memory_bytes = 0;
};

// Returns: nullopt when the model or the data is not readable (the trial is provisional).
std::optional<TrialCost> cost_of(const SweepTrial& trial, const Inputs& inputs);

// Returns: FLOP/s of one thread, by dtype: of this processor's instruction set.
double guessed_rate(Dtype dtype);

// What finished trials say about the rate, by dtype; none for a model that is not on this machine.
std::map<Dtype, double> measured_rates(const std::vector<MeasuredTrial>& trials);

struct SweepEstimate {
  double slot_seconds = 0;
  int64_t memory_bytes = 0;  // of the largest trial
  bool measured = false;     // rates come from finished trials, not from the guess
};

// Sums the costs of `trials`, with the sweep's run.microbatch. Returns: nullopt when one of them cannot be
// costed.
std::optional<SweepEstimate> estimate(const std::vector<SweepTrial>& trials, const Inputs& inputs,
                                      const std::map<Dtype, double>& measured,
                                      std::optional<int> microbatch = {});

// Returns: slots of one thread to run at once: bounded by cores, trials and the memory that is there.
int slots_for(int cores, int64_t memory_available_bytes, int64_t trials, int64_t memory_per_trial_bytes);

}  // namespace ranktide::cli
