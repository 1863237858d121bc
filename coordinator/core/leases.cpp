// What attempts say, who is listened to, and how an attempt ends.

#include <algorithm>

#include "common/vocabulary/check.h"
#include "common/vocabulary/seeded_bug.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/microbatches.h"
#include "coordinator/core/scheduler.h"

namespace ranktide {
namespace {

Outcome outcome_of(OutcomeKind kind, std::string message) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.message = std::move(message);
  return outcome;
}

bool was_asked_for(const Unit& unit, const EvalId& eval) {
  const auto& asked = unit.attempt.evals;
  return std::find(asked.begin(), asked.end(), eval) != asked.end();
}

}  // namespace

// ---- the fence

Coordinator::Standing Coordinator::standing(const WorkerName& sender, const Lease& lease) const {
  const Unit* unit = state_.find_unit(lease.unit);
  if (!unit) return Standing::stale;
  if (seeded_bug("fencing") && unit->life == UnitLife::running) return Standing::current;
  if (unit->attempt.number != lease.attempt || unit->attempt.worker != sender) return Standing::stale;
  if (unit->life == UnitLife::running) return Standing::current;
  if (unit->life == UnitLife::ready && unit->attempt.end == AttemptEnd::expired) return Standing::revivable;
  if (unit->life != UnitLife::cancelled && unit->attempt.end == AttemptEnd::ended) return Standing::ended;
  return Standing::stale;
}

// Revives where that is possible, and tells the worker where it is not.
bool Coordinator::is_running_for(const WorkerName& sender, const Lease& lease) {
  const Standing found = standing(sender, lease);
  if (found == Standing::revivable) revive(lease);
  if (found == Standing::current || found == Standing::revivable) return true;
  refuse(sender, lease, found);
  return false;
}

void Coordinator::refuse(const WorkerName& sender, const Lease& lease, Standing why) {
  if (why == Standing::ended) return send(sender, Abandon{lease});
  const Unit* unit = state_.find_unit(lease.unit);
  send(sender, Fenced{lease, unit ? unit->attempt.number : 0});
}

void Coordinator::on_held(const WorkerName& sender, const Held& held) {
  const Standing found = standing(sender, held.lease);
  if (found == Standing::revivable)
    revive(held.lease);
  else if (found != Standing::current)
    return send(sender, Abandon{held.lease});
  Term& term = terms_.at(held.lease.unit);
  // An ack only ever followed a commit, so the worker's count is a floor; what it repeats above it is known by
  // key.
  term.next_seq = std::max(term.next_seq.value_or(1), held.last_acked_seq + 1);
  renew(held.lease.unit);
  send(sender, Resume{held.lease, *term.next_seq});
}

// ---- what attempts say

// Returns: whether this entry is the next one of a running attempt; answers it where it is not.
bool Coordinator::is_next(const WorkerName& sender, const Lease& lease, int64_t seq) {
  const Worker* worker = state_.find_worker(sender);
  const bool is_known = worker && worker->is_joined && sessions_.contains(sender);
  if (!is_known) {
    send(sender, AskHello{});
    return false;
  }
  hear(sender);
  if (!is_running_for(sender, lease)) return false;
  renew(lease.unit);
  const auto expected = terms_.at(lease.unit).next_seq;
  if (!expected)
    send(sender, AskHello{});
  else if (seq < *expected)
    send(sender, Ack{lease, *expected - 1});
  else if (seq > *expected)
    send(sender, Nack{lease, *expected});
  return expected == seq;
}

void Coordinator::on_report(const WorkerName& sender, const Report& report) {
  if (!is_next(sender, report.lease, report.seq)) return;
  terms_.at(report.lease.unit).next_seq = report.seq + 1;
  take_findings(state_.units().at(report.lease.unit).lease(), report.findings);
  send(sender, Ack{report.lease, report.seq});
}

void Coordinator::take_findings(const Lease& lease, const Findings& findings) {
  const Unit& unit = state_.units().at(lease.unit);
  const bool is_training = unit.kind == WorkKind::train;
  if (!findings.points.empty() && is_training) take_points(unit, findings.points);
  for (const EvalResult& result : findings.evals)
    if (was_asked_for(unit, result.id) && unit.evals.contains(result.id) &&
        !state_.evals().at(result.id).is_finished)
      decide(EvalFinished{lease, result});
  const Step checkpoint = findings.checkpoint.value_or(0);
  if (is_training && checkpoint > unit.checkpoint && checkpoint <= unit.stage->to)
    decide(CheckpointSaved{lease, checkpoint});
}

void Coordinator::on_done(const WorkerName& sender, const Done& done) {
  if (standing(sender, done.lease) == Standing::ended) return send(sender, Ack{done.lease, done.seq});
  if (!is_next(sender, done.lease, done.seq)) return;
  end_attempt(state_.units().at(done.lease.unit).lease(), done.outcome);
  send(sender, Ack{done.lease, done.seq});
  leave_if_drained(sender);
}

// ---- how an attempt ends

void Coordinator::end_attempt(const Lease& lease, const Outcome& outcome) {
  const Unit& unit = state_.units().at(lease.unit);
  switch (outcome.kind) {
    case OutcomeKind::completed:
      if (unit.kind == WorkKind::evaluate && !unit.evals.empty())
        return fail_attempt(lease, outcome_of(OutcomeKind::failed, "the eval ended without a result"));
      return finish(lease, outcome);
    case OutcomeKind::diverged:
      return finish(lease, outcome);
    case OutcomeKind::stopped:
      return return_lease(lease, outcome.step);
    case OutcomeKind::failed:
    case OutcomeKind::out_of_memory:
    case OutcomeKind::refused:
      return fail_attempt(lease, outcome);
  }
}

void Coordinator::finish(const Lease& lease, Outcome outcome) {
  if (state_.units().at(lease.unit).microbatch > 0) outcome.exact = false;
  const bool has_branches = outcome.kind == OutcomeKind::completed && outcome.exact;
  const std::vector<WorkerName> copies = state_.copies_elsewhere(state_.units().at(lease.unit));
  forget_term(lease.unit);
  decide(UnitFinished{lease, std::move(outcome)});
  for (const WorkerName& name : copies) drop_copies(name, lease);
  if (has_branches) open_branches(lease);
}

// It goes on from none of them. Who is away hears of it when it joins again (Worker::left_behind).
void Coordinator::drop_copies(const WorkerName& name, const Lease& lease) {
  const Worker* worker = state_.find_worker(name);
  if (worker && worker->is_joined) send(name, Stop{lease, StopKind::kill});
}

void Coordinator::return_lease(const Lease& lease, Step step) {
  const Unit& unit = state_.units().at(lease.unit);
  const bool is_untouched = step <= unit.attempt.at_hand;
  if (is_untouched && is_out_of_infra_budget(unit)) return give_up_on_lost_workers(lease);
  forget_term(lease.unit);
  decide(LeaseReturned{lease, step});
}

void Coordinator::expire(const Lease& lease) {
  const Unit& unit = state_.units().at(lease.unit);
  const bool lacks_only_its_done = unit.kind == WorkKind::evaluate && unit.evals.empty();
  if (lacks_only_its_done) return finish(lease, outcome_of(OutcomeKind::completed, "its result had arrived"));
  if (is_out_of_infra_budget(unit)) return give_up_on_lost_workers(lease);
  forget_term(lease.unit);
  decide(LeaseExpired{lease});
}

void Coordinator::revive(const Lease& lease) {
  decide(LeaseRevived{lease});
  backoffs_.erase(lease.unit);
  renew(lease.unit);
}

bool Coordinator::is_out_of_infra_budget(const Unit& unit) const {
  return !unit.wanted.empty() && unit.infra_losses >= policy_of(state_, unit).retry.infra;
}

void Coordinator::give_up_on_lost_workers(const Lease& lease) {
  const int losses = state_.units().at(lease.unit).infra_losses + 1;
  const std::string message =
      "lost its worker " + std::to_string(losses) + " times; raise run.retry.infra to go on";
  forget_term(lease.unit);
  decide(AttemptFailed{.lease = lease, .outcome = outcome_of(OutcomeKind::failed, message), .last = true});
  stop_hopeless_sweeps(lease.unit);
}

// A crash or hang spends the unit's own budget. Running out of memory does so only when nothing smaller is
// left, and a refusal only when no other worker may have what this one lacks. What would fail again has no
// budget.
void Coordinator::fail_attempt(const Lease& lease, const Outcome& outcome) {
  const Unit& unit = state_.units().at(lease.unit);
  AttemptFailed failed{.lease = lease, .outcome = outcome};
  const WorkerName worker = unit.attempt.worker;
  const bool is_refused = outcome.kind == OutcomeKind::refused;
  const bool is_for_others = is_refused && !state_.would_be_refused_by_all(unit.id, worker);
  if (is_refused) rests_.set(worker, now_ + config_.backoff_min);
  const bool is_wanted = !unit.wanted.empty();
  const RunPolicy policy = is_wanted ? policy_of(state_, unit) : RunPolicy{};
  if (outcome.kind == OutcomeKind::out_of_memory && !policy.require_exact)
    failed.microbatch_next = microbatch_of_attempt(unit) / 2;  // 0 when there is nothing smaller
  if (failed.microbatch_next == 0 && !is_for_others) {
    failed.last = outcome.lasting || unit.own_failures + 1 > policy.retry.own;
    const auto doublings = std::min(unit.own_failures, 20);
    const Duration wait = std::min(config_.backoff_max, config_.backoff_min * (int64_t{1} << doublings));
    if (!failed.last) failed.retry_after_ms = wait.count();
  }
  if (outcome.kind == OutcomeKind::out_of_memory)
    failed.outcome.message = out_of_memory_text(state_, unit, failed);
  forget_term(lease.unit);
  decide(failed);
  const bool goes_on = state_.units().at(lease.unit).life == UnitLife::ready;
  if (goes_on && failed.retry_after_ms > 0) backoffs_.set(lease.unit, now_ + Duration{failed.retry_after_ms});
  if (failed.last) stop_hopeless_sweeps(lease.unit);
}

// ---- terms

// Two heartbeats may be lost or late before anybody is given up, whatever a sweep says.
Duration Coordinator::term_of(const Unit& unit) const {
  if (unit.wanted.empty()) return config_.lease;
  return std::max(3 * config_.heartbeat, Duration{policy_of(state_, unit).lease_ms});
}

void Coordinator::renew(const UnitId& unit) {
  const Duration length = term_of(state_.units().at(unit));
  terms_.try_emplace(unit);
  expiries_.set(unit, now_ + length);
}

void Coordinator::forget_term(const UnitId& unit) {
  terms_.erase(unit);
  expiries_.erase(unit);
  has_room_ = true;
}

}  // namespace ranktide
