#pragma once
// One stage from its inputs to its kept weights: training, the evals on the way and at the end, the artifact.
// How a step is computed is train/trainer.h's; what is said over the pipe is work_reporter.h's. The engine
// thread.

#include <optional>
#include <stop_token>
#include <vector>

#include "common/vocabulary/time.h"
#include "common/vocabulary/trial.h"
#include "common/vocabulary/work.h"
#include "worker/trainer/program/work_folders.h"
#include "worker/trainer/program/work_inputs.h"
#include "worker/trainer/program/work_reporter.h"

namespace ranktide {

struct StageOrder {
  Stage stage;
  Attempt attempt = 1;
  std::vector<EvalOrder> evals;  // at steps in (stage.from, stage.to]; the last run once the artifact is kept
  Keep keep = Keep::adapters;
  Duration checkpoint_every{300'000};
  int microbatch = 0;  // rows; 0: the trainer's own choice. Another one marks the outcome as not exact
  std::optional<Step> resume_at_most{};  // as Work has it
  std::vector<BranchOrder> branches{};   // likewise
  bool require_exact = false;            // likewise
  std::stop_token unwanted{};            // asked, beside `stop`, when nobody waits for the evals any more
};

// Returns: completed, diverged, or stopped (then everything a resume needs is on disk). A stop waits for the
// evals that are running, unless they are unwanted, and is too late once the last step is made. Throws:
// WorkError and what loading, training and evaluating throw; checkpoints of finished steps then stay valid.
Outcome run_stage(const StageOrder& order, const WorkFolders& folders, WorkInputs& inputs,
                  WorkReporter& reporter, std::stop_token stop);

}  // namespace ranktide
