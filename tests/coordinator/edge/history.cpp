#include "tests/coordinator/edge/history.h"

#include <cstdlib>
#include <gtest/gtest.h>

#include "common/sweep/identity.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {

namespace {

const BaseId kBase{sha256_hex("base")};

EvalTask task(const std::string& name, EvalRole role, const std::string& shots) {
  EvalTask task{.name = name, .role = role, .spec = {}, .spec_id = sha256_hex("spec " + name + shots)};
  task.spec.data = "/data/" + name + ".jsonl";
  task.spec.data_sha256 = sha256_hex(name);
  return task;
}

std::vector<EvalTask> tasks_of(const TrialWords& words) {
  return {task(words.regime + "_loss", EvalRole::learn, words.shots),
          task("prose_loss", EvalRole::retain, words.shots)};
}

TrialSettings settings_of(const TrialWords& words) {
  TrialSettings s;
  s.model.path = "/models/small";
  s.model.tokenizer = words.tokenizer;
  s.model.from = words.from;
  s.method = words.rank > 0 ? Method::lora : Method::full;
  if (words.rank > 0) {
    s.lora = LoraSettings{.rank = words.rank, .alpha = 2.0 * words.rank, .target = {}};
    s.lora->target = {"q_proj", "k_proj", "v_proj", "o_proj"};
    if (words.target == "all")
      s.lora->target = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
  }
  s.train.lr = words.lr;
  s.train.batch = words.batch;
  s.train.warmup = words.warmup;
  s.data.train = {{.path = "/data/" + words.regime + ".jsonl"}};
  s.budget.steps = History::kSteps;
  s.seed = words.seed;
  return s;
}

std::string cell_words(const TrialWords& w) {
  return w.regime + " " + std::to_string(w.rank) + " " + w.target + " " + std::to_string(w.lr) + " " +
         std::to_string(w.batch) + w.tokenizer + w.from + to_json(w.warmup).dump();
}

EvalResult loss(const EvalId& id, double value) {
  return {.id = id, .metric = "loss", .value = value, .sign = -1, .stderr_ = 0.01, .n = 64};
}

}  // namespace

History::History(const std::filesystem::path& data_folder)
    : folder_(data_folder), store_(std::make_unique<Store>(data_folder, Store::Open::create)) {}

void History::record(const Record& record) {
  store_->commit({record}, {}, now_ms_ += 1000);
}

void History::begin() {
  record(EpochStarted{.epoch = 1});
  record(WorkerJoined{
      .worker = WorkerName{"w1"}, .boot = "a", .version = "1", .slots = {{.index = 0, .device = "cpu"}}});
}

void History::submit(const std::string& sweep, int revision, std::optional<int64_t> trial_count) {
  sweep_ = sweeps_.try_emplace(sweep, static_cast<SweepNumber>(sweeps_.size()) + 1).first->second;
  revision_ = revision;
  listed_ = 0;
  SweepSpec spec;
  spec.name = sweep;
  spec.tune = tune;
  record(SweepSubmitted{.sweep = sweep_,
                        .revision = revision,
                        .request_id = sweep + std::to_string(revision),
                        .spec_sha256 = sha256_hex(sweep + std::to_string(revision)),
                        .spec = spec,
                        .trial_count = trial_count});
}

SweepTrial History::list(const TrialWords& words) {
  return list_in(words, {});
}

SweepTrial History::list_branch(const TrialWords& words, Step at) {
  return list_in(words, TrunkPlace{.trunk = StageId{trunk().unit.text}, .to = kSteps, .at = at});
}

SweepTrial History::list_in(const TrialWords& words, const std::optional<TrunkPlace>& trunk) {
  SweepTrial trial = trial_of(words);
  trial.index = listed_++;
  record(TrialListed{.sweep = sweep_, .revision = revision_, .trial = trial, .memory = memory, .trunk = trunk});
  return trial;
}

Lease History::trunk() const {
  return {UnitId{sha256_hex("trunk")}, 1};
}

void History::grant_trunk() {
  record(LeaseGranted{.lease = trunk(), .worker = WorkerName{"w1"}, .boot = "a", .slots = {0}, .evals = {}});
}

SweepTrial History::trial_of(const TrialWords& words) {
  SweepTrial trial;
  const std::string cell = cell_words(words);
  const std::string name = cell + " seed " + std::to_string(words.seed);
  trial.id = TrialId{sha256_hex(name)};
  trial.stage = StageId{sha256_hex("stage " + name)};
  trial.cell = CellId{sha256_hex(cell)};
  trial.base = kBase;
  trial.tokenizer_sha256 = sha256_hex("tokenizer" + words.tokenizer);
  trial.settings = settings_of(words);
  trial.blocks = {words.rank > 0 ? "lora" : "full"};
  trial.labels = {{"regime", words.regime}};
  if (!words.lr_label.empty()) trial.labels["train.lr"] = words.lr_label;
  if (!words.train_label.empty()) trial.labels["data.train"] = words.train_label;
  trial.evals = tasks_of(words);
  trial.eval_at = {0, kSteps};
  if (words.is_evaluated_midway) trial.eval_at = {0, kSteps / 2, kSteps};
  trial.steps = kSteps;
  return trial;
}

void History::listed() {
  record(SweepListed{.sweep = sweep_, .revision = revision_});
}

void History::base_scores(double learn_loss, double retain_loss, const TrialWords& of) {
  for (const auto& t : tasks_of(of)) {
    const EvalId id = eval_id(base_subject(trial_of(of)), t.spec_id);
    const Lease lease{unit_of(id), ++attempts_[id.text]};
    if (lease.attempt > 1) continue;  // a task that two regimes share is evaluated once
    record(LeaseGranted{.lease = lease, .worker = WorkerName{"w1"}, .boot = "a", .slots = {0}, .evals = {}});
    record(
        EvalFinished{.lease = lease, .result = loss(id, t.role == EvalRole::learn ? learn_loss : retain_loss)});
    record(UnitFinished{.lease = lease, .outcome = {}});
  }
}

void History::base_eval_fails(const std::string& message, bool is_last) {
  const TrialWords words;
  const EvalId id = eval_id(base_subject(trial_of(words)), tasks_of(words).front().spec_id);
  const Lease failing{unit_of(id), ++attempts_[id.text]};
  record(LeaseGranted{.lease = failing, .worker = WorkerName{"w1"}, .boot = "a", .slots = {0}, .evals = {}});
  Outcome outcome;
  outcome.kind = OutcomeKind::failed;
  outcome.message = message;
  record(AttemptFailed{.lease = failing, .outcome = outcome, .last = is_last});
}

Lease History::lease(const SweepTrial& trial) const {
  return {unit_of(trial.stage), attempts_.at(trial.stage.text)};
}

void History::grant(const SweepTrial& trial) {
  ++attempts_[trial.stage.text];
  record(LeaseGranted{.lease = lease(trial),
                      .worker = WorkerName{"w1"},
                      .boot = boot,
                      .slots = {0},
                      .evals = {},
                      .keep = Keep::adapters});
}

void History::points(const SweepTrial& trial, const std::vector<Point>& points) {
  store_->commit({}, {{.stage = trial.stage, .attempt = lease(trial).attempt, .points = points}},
                 now_ms_ += 1000);
}

void History::evaluated(const SweepTrial& trial, Step at, double learn_loss, double retain_loss) {
  for (const auto& t : trial.evals) {
    const EvalId id = eval_id(trial.stage, at, t.spec_id);
    record(EvalFinished{.lease = lease(trial),
                        .result = loss(id, t.role == EvalRole::learn ? learn_loss : retain_loss)});
  }
}

void History::midway(const SweepTrial& trial, double learn_loss, double retain_loss) {
  evaluated(trial, kSteps / 2, learn_loss, retain_loss);
}

void History::finish(const SweepTrial& trial, double learn_loss, double retain_loss) {
  evaluated(trial, kSteps, learn_loss, retain_loss);
  end(trial, OutcomeKind::completed, "");
}

void History::end(const SweepTrial& trial, OutcomeKind kind, const std::string& message) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.step = kind == OutcomeKind::completed ? kSteps : 5;
  outcome.message = message;
  outcome.tokens = tokens;
  outcome.seconds = 30;
  outcome.memory_peak_bytes = int64_t{1} << 30;
  outcome.numerics = numerics;
  outcome.exact = exact;
  outcome.device = device;
  if (kind == OutcomeKind::failed)
    record(AttemptFailed{.lease = lease(trial), .outcome = outcome, .last = true});
  else
    record(UnitFinished{.lease = lease(trial), .outcome = outcome});
}

SweepTrial History::ran(const TrialWords& words, double learn_loss, double retain_loss) {
  const SweepTrial trial = list(words);
  grant(trial);
  finish(trial, learn_loss, retain_loss);
  return trial;
}

Value value_at(const Frame& frame, const std::string& key, const std::string& text, const std::string& column) {
  const auto find = [&](const std::string& name) {
    for (size_t c = 0; c < frame.columns.size(); ++c)
      if (frame.columns[c].name == name) return c;
    ADD_FAILURE() << "no column " << name;
    return size_t{0};
  };
  const size_t k = find(key);
  const size_t wanted = find(column);
  for (const auto& row : frame.rows)
    if (row[k] == Value(text)) return row[wanted];
  ADD_FAILURE() << "no row with " << key << " = " << text;
  return {};
}

double number_at(const Frame& frame, const std::string& key, const std::string& text,
                 const std::string& column) {
  const Value value = value_at(frame, key, text, column);
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&value)) return *d;
  ADD_FAILURE() << column << " is no number";
  return 0;
}

}  // namespace ranktide
