// Users' hands on running sweeps and on workers.

#include <algorithm>

#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/core/coordinator.h"

namespace ranktide {
namespace {

// Returns: why the action makes no sense now; empty when it does.
std::string refusal(const Sweep& sweep, SweepAction action) {
  const bool is_so_already = (action == SweepAction::cancel && sweep.is_cancelled) ||
                             (action == SweepAction::stop && sweep.is_stopped);
  return sweep.is_over() && !is_so_already ? "has ended; there is nothing to " + std::string(text_of(action))
                                           : "";
}

// What runs on kept weights runs where these lie. Sweeps that are over wait for none.
std::set<UnitId> units_that_wait_for(const State& state, const WorkerName& worker) {
  std::set<UnitId> out;
  for (const auto& [priority, number] : state.queue())
    for (const auto& [place, unit] : state.sweeps().at(number).ready)
      if (state.units().at(unit).home == worker) out.insert(unit);
  return out;
}

bool has_kept_weights(const State& state, const WorkerName& worker) {
  return std::any_of(state.units().begin(), state.units().end(), [&](const auto& entry) {
    return entry.second.kept != Keep::none && entry.second.attempt.worker == worker;
  });
}

std::string counted(int64_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

// Returns: "1 eval waits", "2 trials and 1 eval wait".
std::string waiting_text(const State& state, const std::set<UnitId>& units) {
  const int64_t evals = std::count_if(units.begin(), units.end(), [&](const UnitId& id) {
    return state.units().at(id).kind == WorkKind::evaluate;
  });
  const int64_t trials = std::ssize(units) - evals;
  std::string out = trials > 0 ? counted(trials, "trial") : "";
  if (evals > 0) out += (out.empty() ? "" : " and ") + counted(evals, "eval");
  return out + (units.size() == 1 ? " waits" : " wait");
}

}  // namespace

Rejected Coordinator::no_sweep(const std::string& name) {
  return {"there is no sweep \"" + name + "\"; `ranktide status` lists them"};
}

void Coordinator::on(const ControlSweep& control) {
  const Sweep* sweep = state_.find_sweep(control.sweep);
  if (!sweep) return reply(control.reply_to, no_sweep(control.sweep));
  if (control.action == SweepAction::retry) return reply(control.reply_to, retry_sweep(*sweep, control));
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
      if (!sweep.is_stopped) {
        const Running were_running = running_of(sweep);
        decide(SweepStopped{number, control.request_id, control.actor});
        for (const UnitId& trunk : open_trunks_of(sweep))  // nothing will begin with it any more
          if (!has_open_branch(state_.units().at(trunk), sweep)) drop_trunk(sweep, trunk);
        kill_unwanted(were_running);
      }
      has_room_ = true;  // what it asked of slots is gone, and other sweeps may want the same units
      return now("is stopped; what runs goes on to its end");
    case SweepAction::cancel:
      if (!sweep.is_cancelled) cancel_sweep(sweep, control.request_id, control.actor);
      has_room_ = true;  // as above
      return now("is cancelled");
    case SweepAction::retry:
      break;  // retry_sweep()
  }
  RT_CHECK(false);
}

// A new revision of the same grid. Its request id is spent like a submission's: asked again, the answer is the
// same and nothing is done.
decltype(Reply::answer) Coordinator::retry_sweep(const Sweep& sweep, const ControlSweep& control) {
  const Controlled now{"sweep " + control.sweep + " tries again what failed or was cancelled"};
  const auto earlier = state_.submissions().find(control.request_id);
  if (earlier != state_.submissions().end() && earlier->second.sweep == sweep.number) return now;
  if (earlier != state_.submissions().end())
    return Rejected{"request " + control.request_id + " was used for another sweep; ask with a new request id"};
  if (!sweep.is_over())
    return Rejected{"sweep \"" + control.sweep +
                    "\" is still running; retry some trials (--failed, --trial), or cancel it first"};
  begin_revision({.sweep = sweep.number,
                  .revision = sweep.revision + 1,
                  .request_id = control.request_id,
                  .owner = sweep.owner,
                  .spec_sha256 = sweep.spec_sha256,
                  .spec = sweep.grid.spec(),
                  .actor = control.actor,
                  .trial_count = sweep.grid_trial_count()});
  return now;
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

void Coordinator::on(const RevokeWorker& revoke) {
  decide(WorkerRevoked{revoke.worker, revoke.request_id, revoke.actor});
  cut_off(revoke.worker);
  reply(revoke.reply_to, Controlled{"worker " + revoke.worker.text +
                                    " is revoked: its key is not let in again, and others get what it ran"});
}

void Coordinator::on(const ForgetWorker& forget) {
  const Worker* worker = state_.find_worker(forget.worker);
  const std::string name = "worker " + forget.worker.text;
  if (worker && worker->is_joined)
    return reply(
        forget.reply_to,
        Rejected{name + " is joined, or was so a moment ago; drain or revoke it first, or wait until it "
                        "counts as silent (`ranktide worker list`)"});
  if (const auto units = units_that_wait_for(state_, forget.worker); !units.empty())
    return reply(forget.reply_to, Rejected{name + " has kept the weights that " + waiting_text(state_, units) +
                                           " for; start it again, or cancel their trials first"});
  const std::string lost =
      has_kept_weights(state_, forget.worker)
          ? "; no eval reads the weights that it kept any more, and a trial starts from them only where the "
            "coordinator has a copy"
          : "";
  decide(WorkerForgotten{forget.worker, forget.request_id, forget.actor});
  reply(forget.reply_to,
        Controlled{name + " is forgotten; to come back it needs a new `ranktide invite`" + lost});
}

void Coordinator::on(const KeysRevoked& revoked) {
  cut_off(revoked.worker);
}

// Its connection is not listened to any more, so nothing can revive what it held.
void Coordinator::cut_off(const WorkerName& name) {
  const Worker* worker = state_.find_worker(name);
  if (!worker || !worker->is_joined) return;
  for_each_running(name, [&](const Unit& unit) { expire(unit.lease()); });
  const Worker& idle = state_.workers().at(name);
  if (idle.is_joined) leave(idle, LeaveReason::revoked);  // one that drains may have left by itself just now
}

void Coordinator::cancel_sweep(const Sweep& sweep, const std::string& request_id, const std::string& actor) {
  const SweepNumber number = sweep.number;
  const std::set<UnitId> units = sweep.units;
  const Running were_running = running_of(sweep);
  for (const UnitId& trunk : open_trunks_of(sweep)) drop_trunk(sweep, trunk);
  decide(SweepCancelled{number, request_id, actor});
  kill_unwanted(were_running);
  for (const UnitId& id : units)
    if (is_terminal(state_.units().at(id).life)) backoffs_.erase(id);
}

// By unit, as everything that is said of several.
Coordinator::Running Coordinator::running_of(const Sweep& sweep) const {
  std::set<UnitId> running;
  for (const auto& [name, worker] : state_.workers())
    for (const UnitId& unit : worker.running)
      if (sweep.units.contains(unit) || sweep.left_running.contains(unit)) running.insert(unit);
  Running out;
  for (const UnitId& id : running) {
    const Unit& unit = state_.units().at(id);
    out.emplace_back(unit.attempt.worker, unit.lease());
  }
  return out;
}

void Coordinator::kill_unwanted(const Running& were_running) {
  for (const auto& [worker, lease] : were_running) {
    if (state_.units().at(lease.unit).life == UnitLife::running) continue;  // another sweep wants it
    forget_term(lease.unit);
    send(worker, Stop{lease, StopKind::kill});
    leave_if_drained(worker);
  }
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
