#include "worker/trainer/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/transformer.h"
#include "worker/trainer/lm/weights.h"
#include "worker/trainer/train/adamw.h"
#include "worker/trainer/train/checkpoint.h"
#include "worker/trainer/train/schedule.h"

namespace ranktide {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Where a training stands between two steps.
struct Position {
  Step step = 0;
  int64_t tokens = 0;             // since step 0
  double seconds = 0;             // of the steps since step 0
  int64_t memory_peak_bytes = 0;  // of the attempts before this one
};

int64_t labels_of(const StepBatch& data) {
  int64_t n = 0;
  for (const Batch& batch : data.micro)
    for (const int32_t target : batch.targets) n += target != kNoLabel;
  return n;
}

void check_batch(const Batch& batch, Step step, int64_t vocabulary) {
  RT_CHECK(!batch.tokens.empty());
  RT_CHECK(batch.tokens.size() == batch.targets.size());
  RT_CHECK(!batch.segment_ends.empty());
  const auto foreign = [vocabulary](int32_t id) { return id < 0 || id >= vocabulary; };
  for (size_t i = 0; i < batch.tokens.size(); ++i) {
    if (!foreign(batch.tokens[i]) && (batch.targets[i] == kNoLabel || !foreign(batch.targets[i]))) continue;
    const int32_t id = foreign(batch.tokens[i]) ? batch.tokens[i] : batch.targets[i];
    throw TrainError("step " + std::to_string(step) + ": token id " + std::to_string(id) +
                     " is outside the model's vocabulary of " + std::to_string(vocabulary) +
                     "; the tokenizer does not belong to this model");
  }
}

// Adds d(loss)/d(parameters) of one micro-batch into the flat gradients. Returns: its share of the step's loss.
double accumulate(Model& model, const Batch& batch, const Chance& chance, double scale) {
  std::vector<int32_t> rows, targets;
  for (size_t i = 0; i < batch.targets.size(); ++i) {
    if (batch.targets[i] == kNoLabel) continue;
    rows.push_back(static_cast<int32_t>(i));
    targets.push_back(batch.targets[i]);
  }
  if (rows.empty()) return 0;
  return add_gradients(model.tensors().network, model.shape(), {batch.tokens, batch.segment_ends},
                       {rows, targets}, scale, chance, *model.base().tensors().workspace);
}

// The gradients of a whole step. Returns: mean loss over its labelled tokens. Requires: labels of them, > 0.
double gradients_of_step(Model& model, const StepBatch& data, const TrialSettings& settings, Step step,
                         int64_t labels) {
  model.tensors().grads.zero_();
  const double scale = 1 / static_cast<double>(labels);
  Chance chance{.seed = settings.seed,
                .step = step,
                .first_token = 0,
                .lora_dropout = settings.lora ? settings.lora->dropout : 0,
                .attention_dropout = settings.train.attention_dropout};
  double loss = 0;
  for (const Batch& batch : data.micro) {
    loss += accumulate(model, batch, chance, scale);
    chance.first_token += std::ssize(batch.tokens);
  }
  return loss;
}

// The high-water mark of this process's resident memory.
int64_t memory_peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (int64_t kib = 0; word == "VmHWM:" && status >> kib) return kib * 1024;
  return 0;
}

// A trainer outlives its trials, so the mark is set back before each. Where the kernel refuses, the mark is the
// process's.
void reset_memory_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

// One attempt of one stage.
class Training {
 public:
  Training(const Stage& stage, Model& model, const TrainFolders& folders, const TrainHooks& hooks)
      : stage_(stage),
        model_(model),
        folders_(folders),
        hooks_(hooks),
        moments_(zero_moments(model.tensors())) {
    at_.step = stage.from;
  }

  // Goes to the newest checkpoint that may be resumed, if there is one.
  void resume() {
    const auto search =
        find_checkpoint(folders_.checkpoints, stage_.id, current_engine(), folders_.resume_at_most);
    for (const auto& line : search.skipped) note(line);
    if (!search.newest) {
      if (stage_.from > 0)
        throw TrainError("stage " + stage_.id.brief() + " begins at step " + std::to_string(stage_.from) +
                         ", but there is no checkpoint to begin from in " + folders_.checkpoints.string());
      return;
    }
    read_checkpoint(*search.newest, model_.tensors(), moments_);
    const Manifest& manifest = search.newest->manifest;
    at_ = {.step = manifest.step,
           .tokens = manifest.tokens,
           .seconds = manifest.seconds,
           .memory_peak_bytes = manifest.memory_peak_bytes};
    note("resumed at step " + std::to_string(at_.step) + " from " + search.newest->folder.string());
  }

  // Makes one step. Returns: false, with the weights as they were, when loss or gradient is not finite.
  // A step without a label has learned nothing, so it updates nothing: decay and momentum alone would move the
  // weights away from what the data said. It still counts, for data order and schedule.
  bool advance(const BatchSource& batches) {
    const auto start = Clock::now();
    const Step step = at_.step + 1;
    const StepBatch data = batches(step);
    for (const Batch& batch : data.micro) check_batch(batch, step, model_.shape().vocabulary);
    StepProgress made{.step = step,
                      .labels = labels_of(data),
                      .lr = lr_at(stage_.settings.train, step, stage_.to),
                      .tokens = at_.tokens + data.tokens};
    if (made.labels > 0 && !update(data, made)) return false;
    const double seconds = seconds_since(start);
    at_.step = step;
    at_.tokens = made.tokens;
    at_.seconds += seconds;
    made.tokens_per_second = static_cast<double>(data.tokens) / seconds;
    report(made);
    return true;
  }

  void checkpoint() {
    const Engine engine = current_engine();
    write_checkpoint(folders_.checkpoints,
                     {.stage = stage_.id,
                      .attempt = folders_.attempt,
                      .step = at_.step,
                      .tokens = at_.tokens,
                      .seconds = at_.seconds,
                      .memory_peak_bytes = memory_peak(),
                      .seed = stage_.settings.seed,
                      .threads = engine.threads,
                      .isa = engine.isa,
                      .numerics_version = engine.numerics_version,
                      .libtorch = engine.libtorch,
                      .files = {}},
                     model_.tensors(), moments_);
    if (hooks_.checkpoint_saved) hooks_.checkpoint_saved(at_.step);
  }

  // One that is not saved costs a later resume some steps; ending now would cost it all of them.
  void try_checkpoint() {
    try {
      checkpoint();
    } catch (const TrainError& e) {
      note("warning: no checkpoint at step " + std::to_string(at_.step) + ", training goes on: " + e.what());
    }
  }

  bool is_finished() const { return at_.step >= stage_.to; }
  bool checkpoint_due() const {
    return hooks_.checkpoint_due && !is_finished() && hooks_.checkpoint_due(at_.step);
  }

  Outcome ended(OutcomeKind kind, Step step, std::string message) const {
    return {.kind = kind,
            .step = step,
            .message = std::move(message),
            .log_tail = {},
            .weights_sha256 = kind == OutcomeKind::completed ? model_.weights_sha256() : "",
            .tokens = at_.tokens,
            .seconds = at_.seconds,
            .memory_peak_bytes = memory_peak()};
  }
  Step step() const { return at_.step; }
  bool has_moved() const { return at_.step > stage_.from; }

 private:
  // One optimizer update. Returns: false, with the weights as they were, when loss or gradient is not finite.
  bool update(const StepBatch& data, StepProgress& made) {
    const TrainSettings& settings = stage_.settings.train;
    made.loss = gradients_of_step(model_, data, stage_.settings, made.step, made.labels);
    made.grad_norm = gradient_norm(model_.tensors());
    if (!std::isfinite(made.loss) || !std::isfinite(made.grad_norm)) return false;
    clip_gradients(model_.tensors(), made.grad_norm, settings.clip);
    adamw_step(model_.tensors(), moments_, settings, made.lr, made.step);
    return true;
  }
  int64_t memory_peak() const { return std::max(at_.memory_peak_bytes, memory_peak_bytes()); }
  void note(const std::string& line) const {
    if (hooks_.note) hooks_.note(line);
  }
  void report(const StepProgress& progress) const {
    if (hooks_.on_progress) hooks_.on_progress(progress);
  }

  const Stage& stage_;
  Model& model_;
  const TrainFolders& folders_;
  const TrainHooks& hooks_;
  Moments moments_;
  Position at_;
};

// What passes hold belongs to one training: what comes before and after it has other shapes, and a model that
// is made next needs the room.
class OwnMemory {
 public:
  explicit OwnMemory(Workspace& memory) : memory_(memory) { give_back(); }
  ~OwnMemory() { give_back(); }
  OwnMemory(const OwnMemory&) = delete;
  OwnMemory& operator=(const OwnMemory&) = delete;

 private:
  void give_back() {
    memory_.kept.release();
    memory_.scratch.release();
  }

  Workspace& memory_;
};

}  // namespace

Outcome train(const Stage& stage, Model& model, const BatchSource& batches, const TrainFolders& folders,
              const TrainHooks& hooks, std::stop_token stop) {
  RT_CHECK(stage.from < stage.to);
  RT_CHECK(!model.tensors().parameters.empty());
  const OwnMemory memory(*model.base().tensors().workspace);
  reset_memory_peak();
  Training training(stage, model, folders, hooks);
  training.resume();
  while (!training.is_finished()) {
    if (stop.stop_requested()) {
      if (training.has_moved()) training.checkpoint();
      return training.ended(OutcomeKind::stopped, training.step(),
                            "stopped on request; checkpoint at this step");
    }
    if (!training.advance(batches)) {
      const Step at = training.step() + 1;
      return training.ended(OutcomeKind::diverged, at,
                            "loss or gradient not finite at step " + std::to_string(at));
    }
    if (training.checkpoint_due()) training.try_checkpoint();
  }
  return training.ended(OutcomeKind::completed, training.step(), "");
}

}  // namespace ranktide
