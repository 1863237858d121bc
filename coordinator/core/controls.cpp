// Users' hands on running sweeps and on workers.

#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/core/coordinator.h"

namespace ranktide {
namespace {

Rejected no_sweep(const std::string& name) {
  return {"there is no sweep \"" + name + "\"; `ranktide status` lists them"};
}

// Returns: why the action makes no sense now; empty when it does.
std::string refusal(const Sweep& sweep, SweepAction action) {
  if (action == SweepAction::retry)
    return sweep.is_over() ? "" : "is still running; retry when it has ended, or cancel it first";
  const bool is_so_already = (action == SweepAction::cancel && sweep.is_cancelled) ||
                             (action == SweepAction::stop && sweep.is_stopped);
  return sweep.is_over() && !is_so_already ? "has ended; there is nothing to " + std::string(text_of(action))
                                           : "";
}

}  // namespace

void Coordinator::on(const ControlSweep& control) {
  const Sweep* sweep = state_.find_sweep(control.sweep);
  if (!sweep) return reply(control.reply_to, no_sweep(control.sweep));
  const std::string why_not = refusal(*sweep, control.action);
  if (!why_not.empty()) return reply(control.reply_to, Rejected{"sweep \"" + control.sweep + "\" " + why_not});
  reply(control.reply_to, act(*sweep, control));
}

Controlled Coordinator::act(const Sweep& sweep, const ControlSweep& control) {
  const SweepNumber number = sweep.number;
  const auto now = [&](const std::string& how) { return Controlled{"sweep " + control.sweep + " " + how}; };
  switch (control.action) {
    case SweepAction::pause:
      if (!sweep.is_paused) decide(SweepPaused{number, control.request_id, control.actor});
      return now("is paused; what runs goes on");
    case SweepAction::resume:
      if (sweep.is_paused) decide(SweepResumed{number, control.request_id, control.actor});
      has_room_ = true;
      return now("goes on");
    case SweepAction::stop:
      if (!sweep.is_stopped) decide(SweepStopped{number, control.request_id, control.actor});
      has_room_ = true;  // what it asked of slots is gone, and other sweeps may want the same units
      return now("is stopped; what runs goes on to its end");
    case SweepAction::cancel:
      if (!sweep.is_cancelled) cancel_sweep(sweep, control.request_id, control.actor);
      has_room_ = true;  // as above
      return now("is cancelled");
    case SweepAction::retry: {
      const SweepSpec& spec = sweep.grid.spec();
      begin_revision({.sweep = number,
                      .revision = sweep.revision + 1,
                      .request_id = control.request_id,
                      .owner = sweep.owner,
                      .spec_sha256 = sweep.spec_sha256,
                      .spec = spec});
      return now("tries again what failed or was cancelled");
    }
  }
  RT_CHECK(false);
}

void Coordinator::on(const ChangePolicy& change) {
  const Sweep* sweep = state_.find_sweep(change.sweep);
  if (!sweep) return reply(change.reply_to, no_sweep(change.sweep));
  PolicyChanged changed{.sweep = sweep->number,
                        .request_id = change.request_id,
                        .actor = change.actor,
                        .priority = change.priority.value_or(sweep->run.priority),
                        .max_parallel = change.max_parallel ? change.max_parallel : sweep->run.max_parallel};
  if (changed.max_parallel == 0) changed.max_parallel.reset();
  if (change.max_parallel.value_or(0) < 0)
    return reply(change.reply_to, Rejected{"max_parallel must be at least 1, or 0 for no limit"});
  decide(changed);
  has_room_ = true;
  reply(change.reply_to,
        Controlled{"sweep " + change.sweep + " has priority " + std::to_string(changed.priority)});
}

void Coordinator::on(const SetQuota& quota) {
  const auto known = state_.quotas().find(quota.owner);
  const bool is_so = known == state_.quotas().end() ? !quota.max_slots : quota.max_slots == known->second;
  if (is_so) return;
  decide(QuotaSet{quota.owner, quota.max_slots});
  has_room_ = true;
}

void Coordinator::on(const DrainWorker& drain) {
  const Worker* worker = state_.find_worker(drain.worker);
  if (!worker || !worker->is_joined)
    return reply(drain.reply_to,
                 Rejected{"no worker \"" + drain.worker.text + "\" is here; `ranktide worker list`"});
  if (!worker->is_drain_asked)
    decide(WorkerDrainAsked{worker->name, worker->boot, drain.request_id, drain.actor});
  say_drain(*worker);
  reply(drain.reply_to,
        Controlled{"worker " + drain.worker.text + " gives back its " + std::to_string(worker->running.size()) +
                   " running attempts and gets no more until it is started again"});
}

// Said again with every heartbeat until nothing runs there.
void Coordinator::say_drain(const Worker& worker) {
  for (const UnitId& unit : worker.running)
    send(worker.name, Stop{state_.units().at(unit).lease(), StopKind::checkpoint});
}

// Its connection is not listened to any more, so nothing can revive what it held.
void Coordinator::on(const RevokeWorker& revoke) {
  const Worker* worker = state_.find_worker(revoke.worker);
  if (!worker || !worker->is_joined) return;
  const std::set<UnitId> running = worker->running;
  for (const UnitId& unit : running) expire(state_.units().at(unit).lease());
  leave(state_.workers().at(revoke.worker), LeaveReason::revoked);
}

void Coordinator::cancel_sweep(const Sweep& sweep, const std::string& request_id, const std::string& actor) {
  const SweepNumber number = sweep.number;
  const std::set<UnitId> units = sweep.units;
  std::vector<std::pair<WorkerName, Lease>> were_running;
  for (const UnitId& id : units) {
    const Unit& unit = state_.units().at(id);
    if (unit.life == UnitLife::running) were_running.emplace_back(unit.attempt.worker, unit.lease());
  }
  decide(SweepCancelled{number, request_id, actor});
  for (const auto& [worker, lease] : were_running) {
    if (state_.units().at(lease.unit).life == UnitLife::running) continue;  // another sweep wants it
    forget_term(lease.unit);
    send(worker, Stop{lease, StopKind::kill});
    leave_if_drained(worker);
  }
  for (const UnitId& id : units)
    if (is_terminal(state_.units().at(id).life)) backoffs_.erase(id);
}

// run.max_failures: so many failed trials mean that the sweep itself is wrong.
void Coordinator::stop_hopeless_sweeps(const UnitId& failed) {
  const auto wanted = state_.units().at(failed).wanted;
  for (const auto& [number, place] : wanted) {
    const Sweep& sweep = state_.sweeps().at(number);
    const auto& limit = sweep.run.max_failures;
    const auto failures = sweep.stages[static_cast<size_t>(UnitLife::failed)];
    if (limit && failures >= *limit && !sweep.is_over())
      cancel_sweep(sweep, "max_failures", "run.max_failures");
  }
}

}  // namespace ranktide
