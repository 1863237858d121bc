#pragma once
// A sweep made ready to be planned or run: its inputs hashed, its grid counted, and what of it has been done
// before. Shared by `plan` and `run`.

#include <optional>
#include <string>
#include <vector>

#include "cli/estimate.h"
#include "cli/named_content.h"
#include "common/sweep/grid.h"
#include "coordinator/edge/query_past.h"

namespace ranktide::cli {

// What was done before, as the folder or its coordinator tells it.
struct Past {
  std::vector<TrialStanding> trials;
  std::vector<MeasuredTrial> measured;
};
// Returns: of a data folder that no coordinator serves; nothing of one without a database.
Past past_of(const std::filesystem::path& data_folder);

// Of the trials that are not done.
struct SweepEstimate {
  double slot_seconds = 0;
  int64_t memory_bytes = 0;  // of the largest
  TimeBasis basis = TimeBasis::trials;
};

// What a trial of a block takes at least and at most, done or not.
struct CostRange {
  double seconds_min = 0, seconds_max = 0;
  int64_t memory_bytes_min = 0, memory_bytes_max = 0;
};

struct SweepPlan {
  SweepSpec spec;
  std::vector<BlockCount> blocks;
  std::vector<SweepTrial> trials;       // distinct, in grid order
  std::vector<std::string> unreadable;  // inputs; run refuses while there are any
  std::vector<std::string> warnings;    // of what the file says and that does nothing
  int64_t done = 0;                     // trials with a result in the data folder
  int64_t resumable = 0;                // begun, with a checkpoint
  int64_t not_kept = 0;                 // completed, but they left less on disk than run.keep asks for now
  std::vector<bool> is_done;            // beside trials
  // Of predict():
  std::vector<std::optional<TrialCost>> costs;  // beside trials
  std::optional<SweepEstimate> estimate;        // nullopt: a trial's inputs are unread
};

// Costs stand on the guess of this machine, until predict() is told of its products. `file` is what messages
// call the sweep. Throws: SpecError for settings that its inputs rule out.
SweepPlan make_plan(SweepSpec spec, const std::string& file, const ContentSources& sources, const Past& past);

// Fills in what its trials cost. `table`: this machine's products for slots of so many threads, if measured.
void predict(SweepPlan& plan, const Past& past, const std::optional<ProductTable>& table, int threads);

// Returns: nullopt when a trial of the block cannot be costed.
std::optional<CostRange> cost_range(const SweepPlan& plan, const std::string& block);

// Returns: the plan as people read it, one line per block, the sum, the estimate for `slots` slots.
std::string plan_text(const SweepPlan& plan, int slots);

}  // namespace ranktide::cli
