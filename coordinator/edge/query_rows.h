#pragma once
// A sweep's trials with what came out of them, as the query's in-memory rows. Not aggregated (query.h).
// Reads only.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/vocabulary/wire.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

struct TrialRow {
  std::string sweep;
  std::string trial;
  std::string cell;
  std::string base;
  std::string evalset;
  std::string block;
  std::string state;
  std::string message;
  int64_t position = 0;  // in the sweep's grid
  int64_t seed = 0;
  int64_t step = 0;
  int64_t steps = 0;
  int64_t attempts = 0;
  int64_t evals_declared = 0;
  int64_t evals_open = 0;  // of a completed trial that is not complete: at its last step or of its base
  bool is_exact = true;
  std::optional<int64_t> numerics;            // version of the engine's arithmetic
  std::string device;                         // what computed it; empty: nobody told, or not ended
  Json settings;                              // flat, by full key
  std::map<std::string, std::string> labels;  // axis -> label
  std::optional<int64_t> tokens;
  std::optional<double> seconds;
  std::optional<int64_t> memory_peak_bytes;

  // At the last step, from v_result; absent where no eval of that role has finished.
  std::optional<double> learning, gain, retained, forgetting;
  bool is_complete = false;              // every declared eval is there, of the trial and of the base
  bool is_silent = false;                // its learn loss ended above the untouched base's
  std::map<std::string, double> scores;  // by eval name
  // Over the items of an eval; of a mean over several evals, which have no items in common, from theirs. Absent
  // where one is not told.
  std::map<std::string, double> errors;
  std::optional<double> learning_error, retained_error;
};

// What the untouched base scores on the tasks of one evalset.
struct EvalsetRow {
  struct Task {
    std::string name;
    std::string role;    // "learn" or "retain"
    std::string metric;  // empty until one result is there
    std::optional<double> base_score;
    std::optional<double> base_error;  // over its items
  };
  std::string sweep;
  std::string evalset;
  std::string base;
  std::vector<Task> tasks;
};

struct SweepRows {
  std::vector<TrialRow> trials;  // by sweep, then position
  std::vector<EvalsetRow> evalsets;
  int64_t not_started = 0;  // trials that the sweeps have and nothing has touched: they are in no row
  // Of the files: a grid is listed as it is worked on, so that the trials that have an axis may all be to come.
  std::set<std::string> axes;
};

// All but `axes`, which the journal knows. Requires: the sweeps exist. Throws: StoreError.
SweepRows load_rows(const Reader& reader, const std::vector<std::string>& sweeps);

}  // namespace ranktide
