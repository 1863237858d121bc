#include "worker/trainer/check/training_check.h"

#include <ATen/ops/zeros_like.h>
#include <algorithm>
#include <c10/util/Exception.h>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <stop_token>

#include "common/vocabulary/check.h"
#include "worker/trainer/check/families.h"
#include "worker/trainer/check/lessons.h"
#include "worker/trainer/check/oracle.h"
#include "worker/trainer/check/oracle_training.h"
#include "worker/trainer/check/random_model.h"
#include "worker/trainer/train/trainer.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSeed = 11;

// What both may differ by: of fp32 the contract with PEFT, of bf16 some of the 8 bits that it rounds to.
double largest_allowed(Dtype dtype) {
  return dtype == Dtype::fp32 ? 1e-4 : 1e-2;
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "ranktide-selfcheck.XXXXXX").string();
    if (!mkdtemp(name.data())) throw TrainError(name + ": cannot be made: " + std::strerror(errno));
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code left_behind;
    fs::remove_all(path_, left_behind);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Weight decay, clipping and dropout are on: what is off is not checked.
TrialSettings settings_of(Method method) {
  TrialSettings s;
  s.method = method;
  s.seed = kSeed;
  s.train.lr = method == Method::lora ? 4e-3 : 1e-3;
  s.train.weight_decay = 0.1;
  s.train.attention_dropout = 0.1;
  s.train.schedule = Schedule::constant;
  s.train.warmup = {.steps = 0, .share = {}};
  if (method != Method::lora) return s;
  s.lora = LoraSettings{.rank = 4, .alpha = 8, .target = {}, .dropout = 0.1};
  for (const NamedLinear& named : kLinears) s.lora->target.emplace_back(named.module);
  std::sort(s.lora->target.begin(), s.lora->target.end());
  return s;
}

// One row's training, ready to be run any number of times.
struct Setup {
  Stage stage;
  std::shared_ptr<const Base> base;
  BatchSource batches;
};

Setup setup_of(const Family& family, Method method, std::shared_ptr<const Base> base, Step steps) {
  const int64_t vocabulary = base->shape().vocabulary;
  return {.stage = {.id = StageId{"selfcheck"},
                    .trial = TrialId{"selfcheck"},
                    .base = BaseId{"random"},
                    .from = 0,
                    .to = steps,
                    .settings = settings_of(method)},
          .base = std::move(base),
          .batches = seeded_lessons(vocabulary, kSeed, family.longest_row)};
}

struct Training {
  Outcome outcome;
  Step first = 0;              // the first step that it made
  std::vector<double> losses;  // of the steps that it made
};

// The engine's side, up to `last`: a training that ends before its stage does leaves a checkpoint.
Training train_until(Step last, const Setup& setup, const fs::path& checkpoints, Attempt attempt) {
  Model model = Model::for_trial(setup.base, setup.stage.settings);
  Training made;
  std::stop_source stop;
  const TrainHooks hooks{.on_progress =
                             [&](const StepProgress& p) {
                               if (made.losses.empty()) made.first = p.step;
                               made.losses.push_back(p.loss);
                               if (p.step == last) stop.request_stop();
                             },
                         .checkpoint_due = {},
                         .note = {}};
  made.outcome = train(setup.stage, model, setup.batches, {.checkpoints = checkpoints, .attempt = attempt},
                       hooks, stop.get_token());
  return made;
}

// Returns: the weights that a training starts from, what trains marked: the base as it was drawn, and the
// adapters that the engine drew.
Network start_of(Network drawn, const Setup& setup) {
  const ModelShape& shape = setup.base->shape();
  const TrialSettings& settings = setup.stage.settings;
  const auto mark = [](const std::string&, Weight& weight) { weight.grad = at::zeros_like(weight.value); };
  if (!settings.lora) {
    oracle::for_each_weight(drawn, shape, mark);
    return drawn;
  }
  const Model model = Model::for_trial(setup.base, settings);
  const auto copy = [](const Weight& adapter) {  // the oracle computes on the CPU
    const at::Tensor value = adapter.master.to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    return Weight{.value = value, .master = {}, .grad = at::zeros_like(value)};
  };
  for (size_t i = 0; i < drawn.layers.size(); ++i) {
    for (const NamedLinear& named : kLinears) {
      const Linear& from = model.tensors().network.layers[i].*named.member;
      Linear& to = drawn.layers[i].*named.member;
      to.a = copy(from.a);
      to.b = copy(from.b);
      to.scale = settings.lora->alpha / settings.lora->rank;
    }
  }
  return drawn;
}

std::vector<double> oracle_losses(Network drawn, const Setup& setup, const CheckOptions& options) {
  Network start = start_of(std::move(drawn), setup);
  ModelShape shape = setup.base->shape();
  if (options.change_oracle) options.change_oracle(shape, start);
  return oracle::training_losses(start, shape, setup.stage.settings, setup.batches, options.steps);
}

// Returns: infinity where there is no difference to take.
double largest_relative_difference(const std::vector<double>& losses, const std::vector<double>& expected) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  if (losses.size() != expected.size()) return kNone;
  double largest = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    const double difference = std::abs(losses[i] - expected[i]) / std::abs(expected[i]);
    if (!std::isfinite(difference)) return kNone;
    largest = std::max(largest, difference);
  }
  return largest;
}

// Returns: what a training that was cut in its middle did other than `whole`; empty: nothing.
std::string difference_of_resume(const Training& whole, const Setup& setup, const fs::path& checkpoints,
                                 const CheckOptions& options) {
  const Step middle = options.steps / 2;
  const Training before = train_until(middle, setup, checkpoints, 1);
  if (before.outcome.kind != OutcomeKind::stopped) return "a training could not be stopped in its middle";
  if (options.before_resume) options.before_resume(checkpoints);
  const Training after = train_until(options.steps, setup, checkpoints, 2);
  if (after.first != middle + 1)
    return "stopped after step " + std::to_string(middle) + ", a training went on at step " +
           std::to_string(after.first);
  std::vector<double> losses = before.losses;
  losses.insert(losses.end(), after.losses.begin(), after.losses.end());
  if (losses != whole.losses) return "a resumed training has other losses";
  if (after.outcome.weights_sha256 != whole.outcome.weights_sha256)
    return "a resumed training ends with other weights";
  return "";
}

std::string failure_of_row(const TrainingRow& row, const std::string& resume) {
  if (!(row.loss_error <= row.loss_error_max)) return "the losses are not those of the fp64 reference";
  return resume;
}

TrainingRow measured(TrainingRow row, const Family& family, const CheckOptions& options) {
  const TemporaryFolder folder;
  Network drawn = write_random_model(family.config, folder.path() / "model", kSeed);
  const Setup setup = setup_of(family, row.method,
                               Base::load(folder.path() / "model", row.dtype, options.device), options.steps);
  const Training whole = train_until(options.steps, setup, folder.path() / "whole", 1);
  row.steps_per_second = static_cast<double>(whole.losses.size()) / whole.outcome.seconds;
  row.memory_peak_bytes = whole.outcome.memory_peak_bytes;
  row.loss_error = largest_relative_difference(whole.losses, oracle_losses(std::move(drawn), setup, options));
  const std::string resume = difference_of_resume(whole, setup, folder.path() / "cut", options);
  row.resumes_exactly = resume.empty();
  row.failure = failure_of_row(row, resume);
  return row;
}

// One row that cannot be computed keeps nobody from seeing the others.
TrainingRow row_of(const Family& family, Method method, Dtype dtype, const CheckOptions& options) {
  TrainingRow row{
      .family = family.name, .method = method, .dtype = dtype, .loss_error_max = largest_allowed(dtype)};
  try {
    return measured(row, family, options);
  } catch (const c10::Error& e) {
    row.failure = e.what_without_backtrace();
  } catch (const std::exception& e) {
    row.failure = e.what();
  }
  return row;
}

}  // namespace

std::vector<TrainingRow> check_training(const CheckOptions& options) {
  RT_CHECK(options.steps >= 2);
  std::vector<TrainingRow> rows;
  for (const Family& family : families())
    for (const Method method : {Method::lora, Method::full})
      for (const Dtype dtype : {Dtype::fp32, Dtype::bf16})
        rows.push_back(row_of(family, method, dtype, options));
  return rows;
}

}  // namespace ranktide
