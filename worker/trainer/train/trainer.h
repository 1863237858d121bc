#pragma once
// Training of one stage: one code path for LoRA and full. A library without networking: data comes from a
// function, progress leaves through one, a stop is asked for by a token. Checkpoints are checkpoint.h's. Thread
// rule: the engine thread (lm/engine.h); only the stop token may be touched from another.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include "common/vocabulary/trial.h"
#include "common/vocabulary/work.h"
#include "worker/trainer/lm/model.h"
#include "worker/trainer/train/batch.h"

namespace ranktide {

struct Moments;  // optimizer.h: for the engine's own files

// Training cannot go on for a reason outside the model: a checkpoint folder that cannot be written, data that
// does not fit the model.
struct TrainError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct StepProgress {
  Step step = 0;       // steps done
  double loss = 0;     // mean over the step's labelled tokens, before its update
  int64_t labels = 0;  // labelled tokens; 0: there is no loss and no gradient, and nothing was updated
  double lr = 0;
  double grad_norm = 0;          // global, before clipping
  int64_t tokens = 0;            // real tokens since step 0 of the trial
  double tokens_per_second = 0;  // of this step
};
// Called after every step, on the engine thread; the model may be evaluated inside.
using OnProgress = std::function<void(const StepProgress&)>;

// Which checkpoints are gone on from; others are left alone.
struct ResumeLimits {
  std::optional<Step> at_most{};  // absent: none is too late
  bool exact_only = false;        // none that would make the outcome inexact
};

struct TrainFolders {
  std::filesystem::path checkpoints;  // holds <stage id>/<attempt>/<step>/; made when missing
  Attempt attempt = 1;                // this try; checkpoints of every try are looked at
  ResumeLimits resume{};
  // Stages that begin with the steps of this one: each is left a checkpoint, of an attempt 0, to resume from.
  std::vector<BranchOrder> branches{};
  bool must_resume = false;  // the model does not stand where the stage begins: it waits for a checkpoint
};

struct TrainHooks {
  OnProgress on_progress;                        // empty: nobody listens
  std::function<bool(Step)> checkpoint_due;      // asked after every step but the last; empty: never
  std::function<void(const std::string&)> note;  // what a person should know: a damaged checkpoint, a resume
  std::function<void(Step)> checkpoint_saved{};  // of this step: it is whole and on the disk, the last one too
};

// One attempt of one stage, a step at a time: runs may take turns over one base, for a run writes to its own
// model only and leaves nothing behind that a bit of another's could depend on.
// Outlives: the run: stage, model. Not its task: giving the base's workspace back and setting back the
// memory mark; train does both.
class TrainRun {
 public:
  // Stands where its newest valid checkpoint was made, or where the model stands; without one that it must
  // resume it throws. microbatch: as train.
  // Throws: TrainError, ModelError. Requires: as train.
  TrainRun(const Stage& stage, Model& model, BatchSource batches, TrainFolders folders, TrainHooks hooks,
           std::stop_token stop = {}, std::optional<int> microbatch = {});
  ~TrainRun();
  TrainRun(const TrainRun&) = delete;
  TrainRun& operator=(const TrainRun&) = delete;

  // Makes the next step, or ends the run where there is none to make. Returns: whether it goes on; false from
  // its end on. Throws: as train; then a step may be half applied, and only the destructor may follow.
  bool step();
  // Requires: step() returned false.
  const Outcome& ended() const;

 private:
  // Where the run stands between two steps.
  struct Position {
    Step step = 0;
    int64_t tokens = 0;             // since step 0
    double seconds = 0;             // of the steps since step 0
    int64_t memory_peak_bytes = 0;  // of the attempts before this one
    bool exact = true;              // all steps since step 0 are (Outcome::exact)
  };

  void resume();
  // Both return false, with the weights as they were, when loss or gradient is not finite.
  bool advance();
  bool update(const StepBatch& data, StepProgress& made);
  void checkpoint();
  void try_checkpoint();
  void leave_branches();
  void write(const StageId& stage, Attempt attempt) const;
  bool end(OutcomeKind kind, Step step, std::string message);
  int64_t memory_peak() const;  // of process or device: runs that take turns share it
  void note(const std::string& line) const;

  const Stage& stage_;
  Model& model_;
  BatchSource batches_;
  TrainFolders folders_;
  TrainHooks hooks_;
  std::stop_token stop_;
  std::unique_ptr<Moments> moments_;
  Position at_;
  std::optional<Step> saved_;  // the last step that this run saved a checkpoint of
  std::optional<Outcome> outcome_;
};

// A run by itself: trains `model` from its newest valid checkpoint, or from where the model stands, to
// stage.to. Returns: completed; diverged at the first step whose loss or gradient is not finite (the model then
// still holds the weights before that step); or stopped, after a checkpoint, when `stop` was asked for between
// steps. A checkpoint on the way that cannot be saved is noted and training goes on; the one of a stop throws.
// Throws: TrainError, ModelError, and what LibTorch throws; the caller turns them into failed or out_of_memory.
// microbatch: rows that `batches` puts into a micro-batch, where a user set them by hand; memory is taken for
// as many (common/model/microbatch.h). The outcome is exact where they are the trainer's own choice, of this
// attempt and of those that it goes on from, all of them on processors of one model.
// Requires: the model was made for stage.settings and not trained before; stage.from < stage.to.
Outcome train(const Stage& stage, Model& model, const BatchSource& batches, const TrainFolders& folders,
              const TrainHooks& hooks, std::stop_token stop, std::optional<int> microbatch = {});

}  // namespace ranktide
