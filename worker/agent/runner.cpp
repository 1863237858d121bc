#include "worker/agent/runner.h"

#include <algorithm>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

Outcome outcome(OutcomeKind kind, Step step, std::string message) {
  Outcome out;
  out.kind = kind;
  out.step = step;
  out.message = std::move(message);
  return out;
}

std::string seconds(Duration d) {
  return std::to_string(d.count() / 1000) + " s";
}

}  // namespace

void Runner::take(const Grant& grant, Instant now, AgentEffects& out) {
  waiting_.push_back(grant);
  start_next(now, out);
}

void Runner::start_next(Instant now, AgentEffects& out) {
  if (current_ || waiting_.empty() || process_ == Process::killed) return;
  if (process_ == Process::absent) out.trainers.push_back(StartTrainer{slot_});
  process_ = Process::alive;
  heard_ = now;
  current_ = Current{.lease = waiting_.front().lease, .progress = {}, .kill_at = {}, .verdict = {}};
  out.trainers.push_back(SendTrainer{slot_, RunWork{current_->lease, waiting_.front().work}});
  waiting_.pop_front();
}

std::vector<Said> Runner::on(const FromTrainer& in, Instant now, AgentEffects& out) {
  heard_ = now;
  std::vector<Said> said;
  if (!current_ || process_ != Process::alive) return said;
  if (const auto* progress = std::get_if<WorkProgress>(&in.report)) {
    if (progress->progress.lease == current_->lease) current_->progress = progress->progress;
  } else if (const auto* found = std::get_if<WorkFound>(&in.report)) {
    if (found->lease != current_->lease) return said;
    if (found->findings.checkpoint) current_->checkpoint = *found->findings.checkpoint;
    if (!current_->is_forgotten) said.push_back({found->lease, found->findings});
  } else if (const auto* ended = std::get_if<WorkEnded>(&in.report)) {
    if (ended->lease != current_->lease) return said;
    if (!current_->is_forgotten) said.push_back({ended->lease, ended->outcome});
    current_.reset();
    start_next(now, out);
  }
  return said;
}

std::vector<Said> Runner::on(const TrainerDied& death, Instant now, AgentEffects& out) {
  std::vector<Said> said;
  process_ = Process::absent;
  is_paused_ = false;
  if (current_ && !current_->is_forgotten) said.push_back({current_->lease, outcome_of(death)});
  current_.reset();
  start_next(now, out);
  return said;
}

Outcome Runner::outcome_of(const TrainerDied& death) const {
  Outcome out = current_->verdict
                    ? *current_->verdict
                    : outcome(death.kind, current_->progress.step, "the trainer ended: " + death.message);
  if (out.kind != OutcomeKind::stopped) out.log_tail = death.log_tail;
  return out;
}

std::vector<Said> Runner::stop(const Lease& lease, Instant now, AgentEffects& out) {
  const auto queued =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const Grant& g) { return g.lease == lease; });
  if (queued != waiting_.end()) {
    waiting_.erase(queued);
    return {{lease, outcome(OutcomeKind::stopped, 0, "stopped before it began")}};
  }
  if (current_ && current_->lease == lease) ask_to_stop(StopWork{lease}, now, out);
  return {};
}

void Runner::forget(const Lease& lease, Instant now, AgentEffects& out) {
  std::erase_if(waiting_, [&](const Grant& g) { return g.lease == lease; });
  if (!current_ || current_->lease != lease || current_->is_forgotten) return;
  current_->is_forgotten = true;
  ask_to_stop(StopWork{.lease = lease, .is_unwanted = true}, now, out);
}

std::vector<Said> Runner::stop_everything(Instant now, AgentEffects& out) {
  std::vector<Said> said;
  while (!waiting_.empty())
    for (Said& s : stop(Lease(waiting_.front().lease), now, out)) said.push_back(std::move(s));
  if (current_) ask_to_stop(StopWork{current_->lease}, now, out);
  return said;
}

// A second time only to say that it is unwanted now: the evals of one that gives its lease back run to their
// end.
void Runner::ask_to_stop(StopWork stop, Instant now, AgentEffects& out) {
  if ((current_->kill_at && !stop.is_unwanted) || process_ != Process::alive) return;
  if (!current_->kill_at) current_->kill_at = now + config_.stop_grace;
  out.trainers.push_back(SendTrainer{slot_, std::move(stop)});
}

void Runner::kill(Outcome verdict, AgentEffects& out) {
  RT_CHECK(process_ == Process::alive);
  process_ = Process::killed;
  current_->verdict = std::move(verdict);
  out.trainers.push_back(KillTrainer{slot_});
}

// A paused trainer waits for us, so its silence means nothing.
std::optional<Instant> Runner::silence_ends() const {
  if (!current_ || process_ != Process::alive || is_paused_) return std::nullopt;
  return heard_ + config_.trainer_silence;
}

void Runner::wake(Instant now, AgentEffects& out) {
  if (!current_ || process_ != Process::alive) return;
  if (current_->kill_at && *current_->kill_at <= now) {
    kill(outcome(OutcomeKind::stopped, current_->checkpoint,
                 "did not stop within " + seconds(config_.stop_grace) + " and was killed"),
         out);
  } else if (silence_ends() && *silence_ends() <= now) {
    kill(outcome(OutcomeKind::failed, current_->progress.step,
                 "the trainer said nothing for " + seconds(config_.trainer_silence) + " and was killed"),
         out);
  }
}

std::optional<Instant> Runner::next_deadline() const {
  auto out = silence_ends();
  if (current_ && process_ == Process::alive && current_->kill_at && (!out || *current_->kill_at < *out))
    out = current_->kill_at;
  return out;
}

void Runner::pause(AgentEffects& out) {
  if (is_paused_ || process_ != Process::alive) return;
  is_paused_ = true;
  out.trainers.push_back(PauseTrainer{slot_});
}

void Runner::resume(Instant now, AgentEffects& out) {
  if (!is_paused_) return;
  is_paused_ = false;
  heard_ = now;
  out.trainers.push_back(ResumeTrainer{slot_});
}

std::optional<Progress> Runner::progress() const {
  if (!current_ || current_->is_forgotten || current_->progress.lease != current_->lease) return std::nullopt;
  return current_->progress;
}

}  // namespace ranktide
