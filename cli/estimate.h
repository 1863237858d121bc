#pragma once
// How long a sweep may take on the slots that are there and how much memory a trial needs: formulas of
// common/model over this machine's measured products, where the slots are of its processor, or a first guess
// from its instructions; what trials took that have finished on such slots corrects them, those of the same
// shape before others. On GPUs only finished trials tell times. An estimate for people; nothing is placed by it
// but the number of slots.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/disk_use.h"
#include "cli/sizes_read.h"
#include "cli/timed_slots.h"
#include "common/model/processor.h"
#include "common/model/product_table.h"
#include "common/model/shape.h"
#include "common/sweep/cell_telling.h"
#include "common/sweep/grid.h"
#include "coordinator/edge/query_past.h"

namespace ranktide::cli {

// What seconds stand on, the weakest first.
enum class TimeBasis { none, guess, products, trials };
// Returns: none, guess, products or trials, for programs.
std::string word_of(TimeBasis basis);
// Returns: the same for people, and what would make a guess better.
std::string phrase_of(TimeBasis basis, const TimedSlots& slots);
std::string remedy_of_guess(const TimedSlots& slots);

// Returns: rates and bandwidth that a processor with these instructions has about.
ProductTable guessed_table(const Processor& processor, int threads);

// Measured over predicted seconds of finished trials.
struct Correction {
  double factor = 1;
  double spread = 0;  // of single trials about it, as a share of it: what is predicted is so much off
  int trials = 0;     // that it rests on
};

// How seconds are predicted.
struct Timing {
  ProductSpeeds speeds;
  TimedSlots slots{};
  bool is_measured = false;                    // speeds are theirs, not guessed
  std::map<Dtype, Correction> corrections;     // by finished trials of any shape
  std::map<std::string, Correction> shapes{};  // by those of one shape (shape_of)
  // By shape, where two have finished: how far their measured peaks were from what was predicted, as a share of
  // it.
  std::map<std::string, double> memory_spreads{};

  TimeBasis basis(Dtype dtype) const;
  // Returns: that of the trial's shape, else of its dtype, else none: factor 1, and how far off products are.
  Correction correction(const TrialSettings& settings) const;
  // Returns: that of finished trials of its shape, else the formula's own.
  double memory_spread(const TrialSettings& settings) const;
};
// Returns: what trials have in common whose seconds tell each other's: model, dtype, method and length of rows.
std::string shape_of(const TrialSettings& settings);
// `table`: what was measured of the slots' processor for as many threads; absent: a guess for `threads`.
// `inputs` tell how long the rows of finished trials were and how much of them has a loss; of data that they do
// not know it is guessed, and such a trial is of no shape. Trials of a model that is not on this machine say
// nothing, nor do those that slots of another kind computed.
Timing timing_of(const std::optional<ProductTable>& table, int threads,
                 const std::vector<MeasuredTrial>& finished, const Inputs& inputs,
                 const TimedSlots& slots = {});

struct TrialCost {
  double seconds = 0;       // of its training and its evals, on a slot; 0 where nothing tells
  double eval_seconds = 0;  // of these
  double seconds_a_step = 0;
  double seconds_a_round = 0;  // of all of its evals, each once
  double seconds_a_rung = 0;   // of the one that values are compared by
  double rung_seconds = 0;     // of the evals that it runs at rungs beside, where it scouts; not in `seconds`
  double spread = 0;           // how far off they may be, as a share of them
  int64_t memory_bytes = 0;
  double memory_spread = 0;  // how far off they may be, as a share of them
  DiskBytes disk{};
  TimeBasis basis = TimeBasis::guess;
  int trials = 0;              // finished ones that seconds rest on
  bool is_same_shape = false;  // they are of this trial's shape
};

// How long a trial is.
struct TrialLength {
  Step steps = 0;
  int64_t rounds = 0;  // of evals after training has begun
  int64_t rungs = 0;   // where the eval that values are compared by is not run anyway
  friend bool operator==(const TrialLength&, const TrialLength&) = default;
};
// `run`: of its sweep.
TrialLength own_length(const SweepTrial& trial, const RunPolicy& run);

// Returns: the cost of a trial that differs from the one it is of in its length alone.
TrialCost at_length(TrialCost cost, const TrialLength& length);

// Returns: the settings that a cost may hang on, evals among them: trials that tell the same by these, and are
// listed by the same blocks, cost alike. Told apart is what their lengths hang on; those that tell the same by
// the others cost alike but for these.
Telling settings_of_cost();

// What trials of one sweep cost. Reads each model's shape once, and the file of an eval whose items nobody read
// once for each tokenizer. One thread.
class TrialCosts {
 public:
  // Outlives: inputs and timing outlive this. `run`: of the sweep, for its microbatch, keep and stop_early.
  // `eval_sizes`: of evals whose items were read; others are guessed from their files.
  TrialCosts(const Inputs& inputs, const Timing& timing, const RunPolicy& run = {},
             EvalSizesRead eval_sizes = {});

  // Returns: nullopt for a trial whose model or data is not readable (it is provisional). Every trial costs as
  // one that scouts would, where the sweep stops early: seeds cost alike but for that.
  std::optional<TrialCost> of(const SweepTrial& trial);

 private:
  // Predicted, before they are corrected: of one eval; of all; of the one that values are compared by.
  double eval_seconds_of(const SweepTrial& trial, const EvalTask& task, const ModelShape& shape);
  double round_seconds(const SweepTrial& trial, const ModelShape& shape);
  double rung_seconds(const SweepTrial& trial, const ModelShape& shape);

  const Inputs& inputs_;
  const Timing& timing_;
  RunPolicy run_;
  ModelShapes shapes_;
  EvalSizes evals_;
};

// Returns: slots of one thread to run at once: bounded by cores, trials and the memory that is there.
int slots_for(int cores, int64_t memory_available_bytes, int64_t trials, int64_t memory_per_trial_bytes);

}  // namespace ranktide::cli
