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

struct SweepPlan {
  SweepSpec spec;
  std::vector<BlockCount> blocks;
  std::vector<SweepTrial> trials;         // distinct, in grid order
  std::vector<std::string> unreadable;    // inputs; run refuses while there are any
  std::vector<std::string> warnings;      // of what the file says and that does nothing
  int64_t done = 0;                       // trials with a result in the data folder
  int64_t resumable = 0;                  // begun, with a checkpoint
  int64_t not_kept = 0;                   // completed, but they left less on disk than run.keep asks for now
  std::optional<SweepEstimate> estimate;  // of what is not done yet
};

// `file` is what messages call the sweep. Throws: SpecError for settings that its inputs rule out.
SweepPlan make_plan(SweepSpec spec, const std::string& file, const ContentSources& sources, const Past& past);

// Returns: the plan as people read it, one line per block, the sum, the estimate for `slots` slots.
std::string plan_text(const SweepPlan& plan, int slots);

}  // namespace ranktide::cli
