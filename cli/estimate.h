#pragma once
// How long a sweep may take on this machine and how much memory a trial needs: formulas of common/model over
// this machine's measured products, or a first guess from its instructions; what trials took that have finished
// corrects them. An estimate for people; nothing is placed by it but the number of slots.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/model/processor.h"
#include "common/model/product_table.h"
#include "common/model/shape.h"
#include "common/sweep/grid.h"
#include "coordinator/edge/query_past.h"

namespace ranktide::cli {

// What seconds stand on, the weakest first.
enum class TimeBasis { guess, products, trials };
// Returns: guess, products or trials, for programs.
std::string word_of(TimeBasis basis);
// Returns: the same for people, and what would make a guess better.
std::string phrase_of(TimeBasis basis);

// Returns: rates and bandwidth that a processor with these instructions has about.
ProductTable guessed_table(const Processor& processor, int threads);

// How seconds are predicted.
struct Timing {
  ProductSpeeds speeds;
  bool is_measured = false;             // speeds are this machine's, not guessed
  std::map<Dtype, double> corrections;  // measured over predicted seconds of finished trials

  TimeBasis basis(Dtype dtype) const;
};
// `table`: what was measured of this machine for trainers of so many threads. `inputs` tell how long the rows
// of finished trials were, where they know the data. Trials of a model that is not on this machine say nothing.
Timing timing_of(const std::optional<ProductTable>& table, int threads,
                 const std::vector<MeasuredTrial>& finished, const Inputs& inputs);

struct TrialCost {
  double seconds = 0;  // of its training and its evals, on a slot
  int64_t memory_bytes = 0;
  TimeBasis basis = TimeBasis::guess;
};

// Returns: one per trial, with the sweep's run.microbatch; nullopt for a trial whose model or data is not
// readable (it is provisional).
std::vector<std::optional<TrialCost>> costs_of(const std::vector<SweepTrial>& trials, const Inputs& inputs,
                                               const Timing& timing, std::optional<int> microbatch = {});

// Returns: slots of one thread to run at once: bounded by cores, trials and the memory that is there.
int slots_for(int cores, int64_t memory_available_bytes, int64_t trials, int64_t memory_per_trial_bytes);

}  // namespace ranktide::cli
