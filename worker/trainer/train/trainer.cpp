#include "worker/trainer/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "common/model/microbatch.h"
#include "common/model/pass_bytes.h"
#include "common/vocabulary/check.h"
#include "worker/trainer/lm/device.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/weights.h"
#include "worker/trainer/train/checkpoint.h"
#include "worker/trainer/train/optimizer.h"
#include "worker/trainer/train/schedule.h"
#include "worker/trainer/train/step_gradients.h"

namespace ranktide {
namespace {

using Clock = std::chrono::steady_clock;

// A sum over rows rounds as they are cut.
bool is_own_choice(const Model& model, const TrialSettings& settings, std::optional<int> microbatch) {
  const DeviceClass device = device_class_of(model.base().device());
  return microbatch_rows(model.shape(), settings, device, microbatch) ==
         microbatch_rows(model.shape(), settings, device);
}

constexpr Attempt kAttemptOfTrunk = 0;  // before the first of the branch's own

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What passes hold belongs to one training: what comes before and after it has other shapes, and a model that
// is made next needs the room.
class OwnMemory {
 public:
  OwnMemory(Workspace& memory, const PassBytes& planned) : memory_(memory) {
    give_back();
    memory_.kept.reserve(static_cast<int64_t>(kMargin * planned.kept));
    memory_.scratch.reserve(static_cast<int64_t>(kMargin * planned.scratch));
  }
  ~OwnMemory() { give_back(); }
  OwnMemory(const OwnMemory&) = delete;
  OwnMemory& operator=(const OwnMemory&) = delete;

 private:
  static constexpr double kMargin =
      1.03;  // for what the plan leaves out; pages that nothing touched cost nothing

  void give_back() {
    memory_.kept.release();
    memory_.scratch.release();
  }

  Workspace& memory_;
};

}  // namespace

TrainRun::TrainRun(const Stage& stage, Model& model, BatchSource batches, TrainFolders folders,
                   TrainHooks hooks, std::stop_token stop, std::optional<int> microbatch)
    : stage_(stage),
      model_(model),
      batches_(std::move(batches)),
      folders_(std::move(folders)),
      hooks_(std::move(hooks)),
      stop_(std::move(stop)) {
  RT_CHECK(stage.from < stage.to);
  RT_CHECK(!model.tensors().parameters.empty());
  moments_ = std::make_unique<Moments>(zero_moments(model.tensors(), stage.settings.train.optimizer));
  at_.step = stage.from;
  at_.exact = is_own_choice(model, stage.settings, microbatch);
  resume();
}

TrainRun::~TrainRun() = default;

void TrainRun::resume() {
  const Engine engine = current_engine(model_.base().device());
  const auto search = find_checkpoint(folders_.checkpoints, stage_, engine, folders_.resume);
  for (const auto& line : search.notes) note(line);
  if (!search.newest) {
    if (stage_.from > 0 || folders_.must_resume)
      throw TrainError("stage " + stage_.id.brief() + " begins at step " + std::to_string(stage_.from) +
                       ", but there is no checkpoint to begin from in " + folders_.checkpoints.string());
    return;
  }
  read_checkpoint(*search.newest, model_.tensors(), *moments_);
  const Manifest& manifest = search.newest->manifest;
  const std::string why = inexactness(manifest, engine);
  at_ = {.step = manifest.step,
         .tokens = manifest.tokens,
         .seconds = manifest.seconds,
         .memory_peak_bytes = manifest.memory_peak_bytes,
         .exact = at_.exact && why.empty()};
  note("resumed at step " + std::to_string(at_.step) + " from " + search.newest->folder.string());
  if (!why.empty()) note("warning: the result is not promised bit-equal: " + why);
}

bool TrainRun::step() {
  if (outcome_) return false;
  if (at_.step >= stage_.to) return end(OutcomeKind::completed, at_.step, "");
  if (stop_.stop_requested()) {
    if (at_.step > stage_.from && saved_ != at_.step) checkpoint();
    return end(OutcomeKind::stopped, at_.step, "stopped on request; checkpoint at this step");
  }
  const Step next = at_.step + 1;
  if (!advance())
    return end(OutcomeKind::diverged, next, "loss or gradient not finite at step " + std::to_string(next));
  leave_branches();
  if (at_.step < stage_.to && hooks_.checkpoint_due && hooks_.checkpoint_due(at_.step)) try_checkpoint();
  return true;
}

const Outcome& TrainRun::ended() const {
  RT_CHECK(outcome_.has_value());
  return *outcome_;
}

// A step without a label has learned nothing, so it updates nothing: decay and momentum alone would move the
// weights away from what the data said. It still counts, for data order and schedule.
bool TrainRun::advance() {
  const auto start = Clock::now();
  const Step step = at_.step + 1;
  const StepBatch data = batches_(step);
  check_step(data, step, model_.shape().vocabulary);
  StepProgress made{.step = step,
                    .labels = labels_of(data),
                    .lr = lr_at(stage_.settings.train, step, stage_.to),
                    .tokens = at_.tokens + data.tokens};
  if (made.labels > 0 && !update(data, made)) return false;
  wait_for(model_.base().device());  // what the step asked for is its own time, and its own failure
  const double seconds = seconds_since(start);
  at_.step = step;
  at_.tokens = made.tokens;
  at_.seconds += seconds;
  made.tokens_per_second = static_cast<double>(data.tokens) / seconds;
  if (hooks_.on_progress) hooks_.on_progress(made);
  return true;
}

bool TrainRun::update(const StepBatch& data, StepProgress& made) {
  const TrainSettings& settings = stage_.settings.train;
  made.loss = gradients_of_step(model_, data, stage_.settings, made.step, made.labels);
  made.grad_norm = gradient_norm(model_.tensors());
  if (!std::isfinite(made.loss) || !std::isfinite(made.grad_norm)) return false;
  clip_gradients(model_.tensors(), made.grad_norm, settings.clip);
  optimizer_step(model_.tensors(), *moments_, settings, made.lr, made.step);
  return true;
}

void TrainRun::checkpoint() {
  write(stage_.id, folders_.attempt);
  saved_ = at_.step;
  if (hooks_.checkpoint_saved) hooks_.checkpoint_saved(at_.step);
}

// Before this stage's own checkpoint of the step: who resumes from that one does not come by here again. A
// stage that finds none is trained from its beginning.
void TrainRun::leave_branches() {
  for (const BranchOrder& branch : folders_.branches) {
    if (branch.at != at_.step) continue;
    try {
      write(branch.stage, kAttemptOfTrunk);
    } catch (const TrainError& e) {
      note("warning: no checkpoint for stage " + branch.stage.brief() + " at step " + std::to_string(at_.step) +
           ", which will be trained from its beginning: " + e.what());
    }
  }
}

void TrainRun::write(const StageId& stage, Attempt attempt) const {
  const Engine engine = current_engine(model_.base().device());
  write_checkpoint(folders_.checkpoints,
                   {.stage = stage,
                    .attempt = attempt,
                    .step = at_.step,
                    .tokens = at_.tokens,
                    .seconds = at_.seconds,
                    .memory_peak_bytes = memory_peak(),
                    .seed = stage_.settings.seed,
                    .threads = engine.threads,
                    .isa = engine.isa,
                    .processor = engine.processor,
                    .numerics_version = engine.numerics_version,
                    .libtorch = engine.libtorch,
                    .exact = at_.exact,
                    .files = {}},
                   model_.tensors(), *moments_);
}

// One that is not saved costs a later resume some steps; ending now would cost it all of them.
void TrainRun::try_checkpoint() {
  try {
    checkpoint();
  } catch (const TrainError& e) {
    note("warning: no checkpoint at step " + std::to_string(at_.step) + ", training goes on: " + e.what());
  }
}

bool TrainRun::end(OutcomeKind kind, Step step, std::string message) {
  outcome_ = {.kind = kind,
              .step = step,
              .message = std::move(message),
              .log_tail = {},
              .weights_sha256 = kind == OutcomeKind::completed ? model_.weights_sha256() : "",
              .exact = at_.exact,
              .tokens = at_.tokens,
              .seconds = at_.seconds,
              .memory_peak_bytes = memory_peak()};
  return false;
}

int64_t TrainRun::memory_peak() const {
  return std::max(at_.memory_peak_bytes, memory_peak_bytes(model_.base().device()));
}

void TrainRun::note(const std::string& line) const {
  if (hooks_.note) hooks_.note(line);
}

Outcome train(const Stage& stage, Model& model, const BatchSource& batches, const TrainFolders& folders,
              const TrainHooks& hooks, std::stop_token stop, std::optional<int> microbatch) {
  const TrialSettings& settings = stage.settings;
  const at::Device& device = model.base().device();
  const int rows = microbatch_rows(model.shape(), settings, device_class_of(device), microbatch);
  const OwnMemory memory(*model.base().tensors().workspace,
                         pass_bytes(settings, model.shape(), largest_load(settings, rows), model.base().bf16(),
                                    device_class_of(device)));
  reset_memory_peak(device);
  TrainRun run(stage, model, batches, folders, hooks, std::move(stop), microbatch);
  while (run.step()) {
  }
  return run.ended();
}

}  // namespace ranktide
