#include "worker/daemon/trainer_slot.h"

#include <spdlog/spdlog.h>
#include <sysexits.h>
#include <utility>

#include "common/vocabulary/check.h"
#include "worker/daemon/trainer_start.h"

namespace ranktide {

TrainerSlot::TrainerSlot(int index, ChildConfig trainer, InputSlot inputs, std::filesystem::path logs)
    : index_(index),
      config_(on_its_device(std::move(trainer))),
      logs_(std::move(logs)),
      inputs_(std::move(inputs)) {}

void TrainerSlot::on(const StartTrainer&) {
  RT_CHECK(!child_);
  is_heard_ = false;
  try {
    child_ = std::make_unique<Child>(config_);
    spdlog::info("slot {}: started trainer {}", index_, child_->pid());
  } catch (const ChildError& error) {
    untold_.emplace_back(TrainerDied{.slot = index_,
                                     .kind = error.is_lasting ? OutcomeKind::stopped : OutcomeKind::failed,
                                     .message = error.what(),
                                     .log_tail = ""});
  }
}

void TrainerSlot::on(const SendTrainer& send) {
  if (!child_) return;  // it died this very turn, and the agent hears of it next
  if (const auto* run = std::get_if<RunWork>(&send.command)) {
    log_.begin(logs_ / run->lease.unit.text / (std::to_string(run->lease.attempt) + ".log"));
    if (inputs_.is_needed_by(run->work)) return inputs_.begin(*run);
  } else if (inputs_.is_busy()) {
    return give_up_preparing(std::get<StopWork>(send.command).lease);
  }
  child_->send(send.command);
}

// Nothing was trained yet; what was fetched stays and is not fetched again.
void TrainerSlot::give_up_preparing(const Lease& lease) {
  inputs_.cancel();
  Outcome outcome;
  outcome.kind = OutcomeKind::stopped;
  outcome.message = "stopped while its inputs were looked for";
  untold_.emplace_back(FromTrainer{.slot = index_, .report = WorkEnded{lease, outcome}});
}

void TrainerSlot::on(const KillTrainer&) {
  if (child_) child_->kill();
}

void TrainerSlot::on(const PauseTrainer&) {
  if (child_) child_->pause();
}

void TrainerSlot::on(const ResumeTrainer&) {
  if (child_) child_->resume();
}

std::vector<pollfd> TrainerSlot::pollfds() const {
  std::vector<pollfd> out = inputs_.pollfds();
  if (!child_) return out;
  for (const pollfd& item : child_->pollfds()) out.push_back(item);
  return out;
}

std::vector<AgentInput> TrainerSlot::take_inputs() {
  std::vector<AgentInput> out = std::exchange(untold_, {});
  hear_of_inputs(out);
  if (!child_) return out;
  try {
    for (TrainerReport& report : child_->exchange(log_)) {
      is_heard_ = true;
      out.emplace_back(FromTrainer{.slot = index_, .report = std::move(report)});
    }
  } catch (const ProtocolError& error) {
    spdlog::error("slot {}: the trainer speaks nonsense and is killed: {}", index_, error.what());
    child_->kill();
  }
  if (const auto end = child_->take_end(log_)) {
    out.emplace_back(death(*end));
    child_.reset();
    inputs_.cancel();
  }
  return out;
}

void TrainerSlot::hear_of_inputs(std::vector<AgentInput>& out) {
  for (TrainerReport& report : inputs_.take_reports(log_)) {
    if (const auto* prepared = std::get_if<WorkPrepared>(&report))
      child_->send(RunWork{prepared->lease, prepared->work});
    else
      out.emplace_back(FromTrainer{.slot = index_, .report = std::move(report)});
  }
}

TrainerDied TrainerSlot::death(const ChildEnd& end) const {
  spdlog::info("slot {}: the trainer ended: {}", index_, end.message);
  TrainerDied out{.slot = index_, .message = end.message, .log_tail = log_.tail()};
  if (end.kind == EndKind::out_of_memory) out.kind = OutcomeKind::out_of_memory;
  if (could_not_start(end)) out.kind = OutcomeKind::stopped;
  return out;
}

// As worker/trainer/program/serve.h has it: its folders or its device are not to be had here. Or the loader's:
// a library of it is missing.
bool TrainerSlot::could_not_start(const ChildEnd& end) const {
  constexpr int kNotLoaded = 127;
  return !is_heard_ && end.kind == EndKind::exited && (end.status == EX_CONFIG || end.status == kNotLoaded);
}

}  // namespace ranktide
