#include "tests/sim/worker_node.h"

#include "common/vocabulary/seeded_bug.h"

namespace ranktide::sim {
namespace {

constexpr Duration kStepMax{3'000};
constexpr Duration kRestartMax{500};
constexpr Duration kWorkerDownMax{60'000};
constexpr Step kStepsPerCheckpoint = 2;

}  // namespace

WorkerNode::WorkerNode(World& world, Truth& truth, WorkerName name, std::vector<Slot> slots, Send send)
    : world_(world), truth_(truth), name_(std::move(name)), slots_(std::move(slots)), send_(std::move(send)) {
  truth_.placing().has_slots(name_, slots_);
}

void WorkerNode::start() {
  ++life_;
  AgentConfig config{.boot = boot(), .version = "sim", .slots = slots_};
  config.stop_grace = Duration{5'000};
  config.trainer_silence = Duration{20'000};
  config.grant_copies_within = Duration{60'000};  // the slowest message of any run takes 20 s
  for (const Slot& slot : slots_) trainers_[slot.index].process += 1;
  agent_ = std::make_unique<Agent>(config, world_.now());
  world_.note(name_.text + " up, life " + std::to_string(life_));
  SpoolLoaded loaded;
  for (const auto& [lease, disk] : disk_) loaded.attempts.push_back({lease, disk.entries});
  receive(loaded);
}

void WorkerNode::crash() {
  world_.note(name_.text + " crash");
  agent_.reset();
  for (auto& [slot, trainer] : trainers_) trainer = {.process = trainer.process + 1, .work = {}};
  if (world_.happens(world_.faults.spool_torn)) lose_what_is_not_synced();
  // Half of them are back at once: then the coordinator still speaks to the dead life.
  world_.after(world_.up_to(world_.chance.below(2) == 0 ? kRestartMax : kWorkerDownMax), [this] { start(); });
}

void WorkerNode::lose_what_is_not_synced() {
  for (auto& [lease, disk] : disk_)
    disk.entries.erase(disk.entries.upper_bound(disk.synced), disk.entries.end());
}

bool WorkerNode::dies() {
  if (!world_.happens(world_.faults.worker_crash)) return false;
  crash();
  return true;
}

void WorkerNode::receive(const AgentInput& input) {
  if (!is_up()) return;
  if (const auto* from = std::get_if<FromCoordinator>(&input)) {
    world_.note(name_.text + " hears " + describe(from->message));
    if (const auto* ack = std::get_if<Ack>(&from->message)) truth_.got_ack(ack->lease, ack->seq);
  }
  AgentEffects effects;
  agent_->step(world_.now(), input, effects);
  if (!act(effects)) return;
  if (agent_->is_drained() || agent_->is_replaced())
    leave();
  else
    wake_later();
}

void WorkerNode::leave() {
  world_.note(name_.text + " leaves");
  agent_.reset();
  for (auto& [slot, trainer] : trainers_) trainer = {.process = trainer.process + 1, .work = {}};
  world_.after(world_.up_to(kWorkerDownMax), [this] { start(); });
}

void WorkerNode::wake_later() {
  const auto due = agent_->next_deadline();
  if (!due) return;
  world_.after(std::max(Duration{0}, *due - world_.now()), [this, life = life_, due] {
    if (is_up() && life == life_ && agent_->next_deadline() == due) receive(AgentWake{});
  });
}

// Returns: whether it survived.
bool WorkerNode::act(const AgentEffects& effects) {
  if (dies()) return false;
  for (const UnitId& unit : effects.over) checkpoints_.erase(StageId{unit.text});
  if (seeded_bug("sync_order") && !speak(effects)) return false;
  spool(effects);
  if (dies()) return false;
  if (!seeded_bug("sync_order") && !speak(effects)) return false;
  for (const TrainerAction& action : effects.trainers) std::visit([this](const auto& a) { on(a); }, action);
  return true;
}

bool WorkerNode::speak(const AgentEffects& effects) {
  for (const WorkerMessage& message : effects.messages) {
    send_(name_, message, agent_->epoch());
    if (dies()) return false;
  }
  return true;
}

void WorkerNode::spool(const AgentEffects& effects) {
  bool must_sync = false;
  for (const SpoolAction& action : effects.spool) {
    if (const auto* append = std::get_if<SpoolAppend>(&action)) must_sync = must_sync || append->sync;
    std::visit([this](const auto& a) { on(a); }, action);
  }
  if (!must_sync) return;
  for (auto& [lease, disk] : disk_)
    if (!disk.entries.empty()) disk.synced = disk.entries.rbegin()->first;
}

void WorkerNode::on(const SpoolAppend& append) {
  disk_[append.lease].entries.emplace(append.seq, append.bytes);
  truth_.on_disk(append.lease, append.seq, append.bytes);
}

void WorkerNode::on(const SpoolDrop& drop) {
  auto& entries = disk_[drop.lease].entries;
  entries.erase(entries.begin(), entries.upper_bound(drop.up_to));
}

// ---- stub trainers

void WorkerNode::on(const StartTrainer& start) {
  Trainer& trainer = trainers_.at(start.slot);
  trainer = {.process = trainer.process + 1, .is_alive = true, .work = {}};
}

void WorkerNode::on(const SendTrainer& send) {
  Trainer& trainer = trainers_.at(send.slot);
  if (!trainer.is_alive) return;
  if (const auto* run = std::get_if<RunWork>(&send.command))
    begin(send.slot, *run);
  else if (trainer.work && trainer.work->lease == std::get<StopWork>(send.command).lease)
    trainer.stops = true;
}

void WorkerNode::on(const KillTrainer& kill) {
  die(kill.slot, OutcomeKind::failed, "killed");
}

void WorkerNode::begin(int slot, const RunWork& run) {
  truth_.started(run.lease, boot());
  Trainer& trainer = trainers_.at(slot);
  trainer.work = run;
  trainer.stops = trainer.hangs = false;
  trainer.step = 0;
  if (run.work.stage && run.work.kind == WorkKind::train) {
    const std::set<Step>& saved = checkpoints_[run.work.stage->id];
    const auto after = saved.upper_bound(run.work.resume_at_most.value_or(run.work.stage->to));
    if (after != saved.begin()) trainer.step = *std::prev(after);
  }
  train_later(slot);
}

void WorkerNode::train_later(int slot) {
  const int process = trainers_.at(slot).process;
  world_.after(world_.up_to(kStepMax), [this, slot, process] {
    if (is_up() && trainers_.at(slot).process == process) train(slot);
  });
}

void WorkerNode::train(int slot) {
  Trainer& trainer = trainers_.at(slot);
  if (!trainer.work || trainer.hangs) return;
  if (world_.happens(world_.faults.trainer_crash)) return die(slot, OutcomeKind::failed, "signal 11");
  if (world_.happens(world_.faults.trainer_hang)) {
    trainer.hangs = true;
    return;
  }
  if (trainer.stops) return end(slot, OutcomeKind::stopped);
  if (world_.happens(world_.faults.input_missing)) return end(slot, OutcomeKind::refused);
  const Work& work = trainer.work->work;
  if (work.kind == WorkKind::evaluate) {
    evaluate_at(slot, work.stage ? work.stage->to : 0);
    return end(slot, OutcomeKind::completed);
  }
  const StageId& stage = work.stage->id;
  if (truth_.is_too_big(stage) && work.microbatch != 1) return end(slot, OutcomeKind::out_of_memory);
  if (trainer.step >= work.stage->to) return end(slot, OutcomeKind::completed);
  ++trainer.step;
  if (truth_.diverges(stage) && trainer.step == kDivergesAt) return end(slot, OutcomeKind::diverged);
  Findings findings{
      .points = {{.step = trainer.step, .name = "loss", .value = truth_.loss_at(stage, trainer.step)}},
      .evals = {},
      .checkpoint = {}};
  for (const BranchOrder& branch : work.branches)
    if (branch.at == trainer.step) checkpoints_[branch.stage].insert(branch.at);
  if (trainer.step % kStepsPerCheckpoint == 0) {
    checkpoints_[stage].insert(trainer.step);  // on the disk before anybody hears of it
    findings.checkpoint = trainer.step;
  }
  find(slot, findings);
  // Hearing it may have ended the worker or the work.
  if (!is_up() || !trainer.work) return;
  evaluate_at(slot, trainer.step);
  if (is_up() && trainer.work) train_later(slot);
}

void WorkerNode::find(int slot, Findings findings) {
  const Lease lease = trainers_.at(slot).work->lease;
  for (const Point& point : findings.points) truth_.said_point(lease, point);
  for (const EvalResult& result : findings.evals) truth_.said_eval(lease, result.id);
  receive(FromTrainer{slot, WorkFound{lease, std::move(findings)}});
}

void WorkerNode::evaluate_at(int slot, Step step) {
  Findings findings;
  for (const EvalOrder& order : trainers_.at(slot).work->work.evals)
    if (order.at == step)
      findings.evals.push_back({.id = order.id, .metric = "loss", .value = score_of(order.id), .n = 1});
  if (!findings.evals.empty()) find(slot, std::move(findings));
}

void WorkerNode::end(int slot, OutcomeKind kind) {
  if (!is_up()) return;
  Trainer& trainer = trainers_.at(slot);
  if (!trainer.work) return;
  const Lease lease = trainer.work->lease;
  Outcome outcome;
  outcome.kind = kind;
  outcome.step = trainer.step;
  if (kind == OutcomeKind::stopped && trainer.work->work.kind == WorkKind::train && trainer.step > 0)
    checkpoints_[trainer.work->work.stage->id].insert(trainer.step);
  truth_.ran_to_its_end(lease, kind);
  trainer.work.reset();
  receive(FromTrainer{slot, WorkEnded{lease, outcome}});
}

void WorkerNode::die(int slot, OutcomeKind kind, const std::string& message) {
  Trainer& trainer = trainers_.at(slot);
  trainer = {.process = trainer.process + 1, .work = {}};
  world_.after(Duration{1}, [this, slot, process = trainer.process, kind, message] {
    if (is_up() && trainers_.at(slot).process == process)
      receive(TrainerDied{.slot = slot, .kind = kind, .message = message, .log_tail = "last line"});
  });
}

}  // namespace ranktide::sim
