#include "worker/trainer/program/stage_run.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <sstream>
#include <sys/resource.h>

#include "common/model/microbatch.h"
#include "common/vocabulary/wire.h"
#include "worker/trainer/data/step_batches.h"
#include "worker/trainer/lm/device.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/score.h"
#include "worker/trainer/program/artifact.h"
#include "worker/trainer/program/eval_ledger.h"
#include "worker/trainer/program/eval_run.h"
#include "worker/trainer/program/failure.h"
#include "worker/trainer/program/warm_model.h"
#include "worker/trainer/train/checkpoint.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kLineEvery{10};  // in the log

// An eval with its items in memory: a damaged file ends a work before hours are spent on training.
struct PreparedEval {
  EvalOrder order;
  std::shared_ptr<const std::vector<EvalItem>> items;
  bool told = false;
  std::string lacks{};  // why it was not run; empty: nothing was in its way
};

int64_t megabytes(int64_t bytes) {
  return bytes / 1'000'000;
}

// Returns: the most held so far and by whom, for who reads that memory ran out.
std::string most_held_text(const at::Device& device) {
  if (!device.is_cpu())
    return "the trainer held " + std::to_string(megabytes(memory_peak_bytes(device))) +
           " MB of the device at most";
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return "the process held " + std::to_string(megabytes(int64_t{usage.ru_maxrss} * 1024)) + " MB at most";
}

// Its evals were ended halfway: a resume goes back to the checkpoint before them and runs them again.
struct Unwanted : std::runtime_error {
  explicit Unwanted(Step step)
      : std::runtime_error("nobody waits for the evals of this step any more"), at(step) {}
  Step at;
};

Outcome outcome_of(const Unwanted& unwanted) {
  Outcome outcome;
  outcome.kind = OutcomeKind::stopped;
  outcome.step = unwanted.at;
  outcome.message = unwanted.what();
  return outcome;
}

class StageRun {
 public:
  StageRun(const StageOrder& order, const WorkFolders& folders, WorkInputs& inputs, WorkReporter& reporter,
           std::stop_token stop)
      : order_(order),
        folders_(folders),
        reporter_(reporter),
        stop_(std::move(stop)),
        ledger_(folders.evals / order.stage.id.text) {
    reporter_.phase("loading");
    const ModelSettings& model = order.stage.settings.model;
    base_ = base_under(order.stage, model, folders, inputs);
    const auto tokenizer = inputs.tokenizer(model, base_->shape(), order.stage.tokenizer_sha256);
    data_ = inputs.dataset(order.stage.settings.data, *tokenizer, order.stage.data_sha256);
    for (const EvalOrder& eval : order.evals)
      evals_.push_back({eval, inputs.eval_items(eval.spec, *tokenizer)});
  }

  Outcome run() {
    log_beginning();
    tell_remembered_evals();
    try {
      return train_and_keep();
    } catch (const Unwanted& unwanted) {
      std::cerr << "stopped at step " << unwanted.at << ": " << unwanted.what() << "\n";
      reporter_.flush();
      return outcome_of(unwanted);
    } catch (const std::exception& e) {
      const Failure failure = failure_of(e);
      if (failure.kind != FailureKind::memory) throw;
      throw OutOfMemory(memory_text() + ": " + failure.message);
    }
  }

 private:
  Outcome train_and_keep() {
    const TrainFolders folders = train_folders();
    Model model = folders.must_resume ? Model::for_trial(base_, order_.stage.settings)
                                      : first_model(base_, order_.stage, folders_);
    reporter_.phase("training");
    Outcome outcome = train(order_.stage, model, batches(), folders, hooks(model), stop_, asked_microbatch());
    outcome.numerics = kNumericsVersion;
    outcome.device = device_text(base_->device());
    std::cerr << text_of(outcome.kind) << " at step " << outcome.step << "\n";
    if (outcome.kind == OutcomeKind::completed) finish(model, outcome);
    reporter_.flush();
    return outcome;
  }

  // What it starts from may have gone to make room since its first attempt: a checkpoint of its own has all.
  TrainFolders train_folders() const {
    return {.checkpoints = folders_.checkpoints,
            .attempt = order_.attempt,
            .resume = resume_limits(),
            .branches = order_.branches,
            .must_resume = !is_source_here(order_.stage, folders_) && has_checkpoint()};
  }
  // Whose rows are cut by hand has no bits to keep.
  ResumeLimits resume_limits() const {
    return {.at_most = order_.resume_at_most,
            .exact_only = order_.require_exact && microbatch() == default_microbatch()};
  }
  bool has_checkpoint() const {
    const auto search =
        find_checkpoint(folders_.checkpoints, order_.stage, current_engine(base_->device()), resume_limits());
    for (const auto& line : search.notes) std::cerr << line << "\n";
    return search.newest.has_value();
  }

  int default_microbatch() const {
    return microbatch_rows(base_->shape(), order_.stage.settings, device_class_of(base_->device()));
  }
  std::optional<int> asked_microbatch() const {
    return order_.microbatch > 0 ? std::optional(order_.microbatch) : std::nullopt;
  }
  int microbatch() const {
    return microbatch_rows(base_->shape(), order_.stage.settings, device_class_of(base_->device()),
                           asked_microbatch());
  }
  BatchSource batches() const { return step_batches(data_, order_.stage.settings, microbatch()); }

  TrainHooks hooks(const Model& model) {
    return {.on_progress = [this, &model](const StepProgress& p) { after_step(p, model); },
            .checkpoint_due = [this](Step) { return checkpoint_due(); },
            .note = [](const std::string& text) { std::cerr << text << "\n"; },
            .checkpoint_saved = [this](Step s) { reporter_.checkpoint(s); }};
  }

  std::string memory_text() const {
    const TrialSettings& s = order_.stage.settings;
    const StepLoad load = largest_load(s, microbatch());
    std::ostringstream text;
    text << "out of memory while " << doing_ << ", training with " << microbatch() << " of the batch's "
         << s.train.batch << " rows at once (" << load.tokens << " tokens), predicted "
         << megabytes(
                predicted_peak_bytes(s, base_->shape(), load, base_->bf16(), device_class_of(base_->device())))
         << " MB, " << most_held_text(base_->device());
    return text.str();
  }

  // The log is for people: what this is, where it stands now and then, each eval, how it ended.
  void log_beginning() const {
    const TrialSettings& s = order_.stage.settings;
    std::cerr << "trial " << order_.stage.trial.brief() << " attempt " << order_.attempt << ": "
              << text_of(s.method);
    if (s.lora) std::cerr << " r=" << s.lora->rank << " on " << s.lora->target.size() << " kinds of linears";
    std::cerr << ", lr " << s.train.lr << ", seed " << s.seed << ", steps to " << order_.stage.to << ", batch "
              << s.train.batch << " in micro-batches of " << microbatch() << "\n";
  }
  void log_step(const StepProgress& p) {
    if (p.step < order_.stage.to && Clock::now() - last_line_ < kLineEvery) return;
    last_line_ = Clock::now();
    std::cerr << "step " << p.step << "/" << order_.stage.to << "  loss " << p.loss << "  grad_norm "
              << p.grad_norm << "  lr " << p.lr << "  " << static_cast<int64_t>(p.tokens_per_second)
              << " tokens/s\n";
  }

  void after_step(const StepProgress& p, const Model& model) {
    log_step(p);
    reporter_.step({.step = p.step,
                    .has_loss = p.labels > 0,
                    .loss = p.loss,
                    .lr = p.lr,
                    .grad_norm = p.grad_norm,
                    .tokens_per_second = p.tokens_per_second,
                    .tokens_per_step = static_cast<double>(p.tokens) / static_cast<double>(p.step)});
    if (p.step < order_.stage.to)
      run_evals_at(p.step, model);  // the last evals wait until the weights are safe
  }

  bool checkpoint_due() {
    if (Clock::now() - last_checkpoint_ < order_.checkpoint_every) return false;
    last_checkpoint_ = Clock::now();
    reporter_.flush();  // a resume from it does not make the points before it again
    return true;
  }

  void tell_remembered_evals() {
    for (PreparedEval& eval : evals_)
      if (const auto result = ledger_.find(eval.order.id)) tell(eval, *result);
  }

  void remember_and_tell(PreparedEval& eval, EvalResult result) {
    result.id = eval.order.id;
    ledger_.remember(result);
    tell(eval, result);
  }

  void tell(PreparedEval& eval, const EvalResult& result) {
    reporter_.eval(result);
    eval.told = true;
  }

  // A stop alone does not end them halfway: a resume would find their step gone by, or train again what was
  // finished. Throws: Unwanted.
  void run_evals_at(Step step, const Model& model) {
    std::map<std::string, EvalResult> found;  // of this step's weights, by spec: trials of one trunk ask alike
    for (PreparedEval& eval : evals_) {
      if (eval.told || eval.order.at != step) continue;
      const std::string spec = pack(eval.order.spec);
      if (const auto known = found.find(spec); known != found.end()) {
        remember_and_tell(eval, known->second);
        continue;
      }
      const auto result = run_in_memory(eval, model);
      if (!result && !eval.lacks.empty()) continue;
      if (!result) throw Unwanted(step);
      std::cerr << "eval " << std::filesystem::path(eval.order.spec.data).filename().string() << " at step "
                << step << ": " << result->metric << " " << result->value << " over " << result->n
                << " items\n";
      remember_and_tell(eval, *result);
      found.emplace(spec, *result);
    }
    if (!found.empty() && step < order_.stage.to) reporter_.phase("training");
  }

  // Returns: nullopt when nobody waits for it, or it lacks memory (PreparedEval::lacks) and can be leased by
  // itself, on the weights that are kept. Throws: what computing throws.
  std::optional<EvalResult> run_in_memory(PreparedEval& eval, const Model& model) {
    doing_ = "evaluating";
    try {
      const auto result = run_eval(eval.order, *eval.items, model, reporter_, order_.unwanted,
                                   tokens_of_forward(microbatch(), default_microbatch()));
      doing_ = "training";
      return result;
    } catch (const std::exception& e) {
      const Failure failure = failure_of(e);
      if (failure.kind != FailureKind::memory || !are_weights_safe_) throw;
      eval.lacks = memory_text() + ": " + failure.message;
      give_back_memory(model);
    }
    std::cerr << "eval " << eval.order.id.brief() << " is left to be run on the kept weights: " << eval.lacks
              << "\n";
    return std::nullopt;
  }

  void finish(const Model& model, Outcome& outcome) {
    const Stage& stage = order_.stage;
    keep_artifact(model, stage, order_.keep, checkpoint_folders(folders_.checkpoints, stage.id),
                  folders_.artifact_of(stage.trial));
    are_weights_safe_ =
        order_.keep != Keep::none && std::filesystem::is_directory(folders_.artifact_of(stage.trial));
    run_evals_at(stage.to, model);
    for (const PreparedEval& eval : evals_)
      if (!eval.told)
        outcome.message += "eval " + eval.order.id.brief() + " was not run: " + why_not_run(eval) + ". ";
  }
  static std::string why_not_run(const PreparedEval& eval) {
    if (!eval.lacks.empty()) return eval.lacks;
    return "step " + std::to_string(eval.order.at) + " is not one of this attempt's";
  }

  const StageOrder& order_;
  const WorkFolders& folders_;
  WorkReporter& reporter_;
  std::stop_token stop_;
  EvalLedger ledger_;
  std::shared_ptr<const Base> base_;
  std::shared_ptr<const Dataset> data_;
  std::vector<PreparedEval> evals_;
  const char* doing_ = "training";  // for who reads that memory ran out
  bool are_weights_safe_ = false;   // kept, so that evals can be leased by themselves
  Clock::time_point last_checkpoint_ = Clock::now();
  Clock::time_point last_line_{};
};

}  // namespace

Outcome run_stage(const StageOrder& order, const WorkFolders& folders, WorkInputs& inputs,
                  WorkReporter& reporter, std::stop_token stop) {
  return StageRun(order, folders, inputs, reporter, std::move(stop)).run();
}

}  // namespace ranktide
