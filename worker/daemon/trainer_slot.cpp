#include "worker/daemon/trainer_slot.h"

#include <spdlog/spdlog.h>
#include <utility>

#include "common/vocabulary/check.h"

namespace ranktide {

TrainerSlot::TrainerSlot(int index, ChildConfig config, std::filesystem::path logs)
    : index_(index), config_(std::move(config)), logs_(std::move(logs)) {}

void TrainerSlot::on(const StartTrainer&) {
  RT_CHECK(!child_);
  try {
    child_ = std::make_unique<Child>(config_);
    spdlog::info("slot {}: started trainer {}", index_, child_->pid());
  } catch (const ChildError& error) {
    failed_ = TrainerDied{.slot = index_, .kind = OutcomeKind::failed, .message = error.what(), .log_tail = ""};
  }
}

void TrainerSlot::on(const SendTrainer& send) {
  if (!child_) return;  // it died this very turn, and the agent hears of it next
  if (const auto* run = std::get_if<RunWork>(&send.command))
    log_.begin(logs_ / run->lease.unit.text / (std::to_string(run->lease.attempt) + ".log"));
  child_->send(send.command);
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
  return child_ ? child_->pollfds() : std::vector<pollfd>{};
}

std::vector<AgentInput> TrainerSlot::take_inputs() {
  std::vector<AgentInput> out;
  if (failed_) out.emplace_back(*std::exchange(failed_, std::nullopt));
  if (!child_) return out;
  try {
    for (TrainerReport& report : child_->exchange(log_))
      out.emplace_back(FromTrainer{.slot = index_, .report = std::move(report)});
  } catch (const ProtocolError& error) {
    spdlog::error("slot {}: the trainer speaks nonsense and is killed: {}", index_, error.what());
    child_->kill();
  }
  if (const auto end = child_->take_end(log_)) {
    out.emplace_back(death(*end));
    child_.reset();
  }
  return out;
}

TrainerDied TrainerSlot::death(const ChildEnd& end) const {
  spdlog::info("slot {}: the trainer ended: {}", index_, end.message);
  return {.slot = index_,
          .kind = end.kind == EndKind::out_of_memory ? OutcomeKind::out_of_memory : OutcomeKind::failed,
          .message = end.message,
          .log_tail = log_.tail()};
}

}  // namespace ranktide
