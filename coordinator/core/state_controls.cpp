// The part of State that users' hands on running sweeps and workers change.

#include <algorithm>

#include "common/vocabulary/check.h"
#include "coordinator/core/state.h"

namespace ranktide {

// For this sweep the unit is cancelled, even where it runs on for another; nobody's unit ends.
void State::drop(Sweep& sweep, Unit& unit) {
  const auto place = unit.wanted.find(sweep.number);
  if (place == unit.wanted.end() || is_terminal(unit.life)) return;
  LifeCounts& counts = sweep.counts_of(unit);
  --counts[static_cast<size_t>(unit.life)];
  ++counts[static_cast<size_t>(UnitLife::cancelled)];
  sweep.dropped.insert(unit.id);
  sweep.ready.erase({place->second, unit.id});
  unit.wanted.erase(place);
  if (unit.life == UnitLife::ready && !is_wanted_again(unit)) return set_life(unit, UnitLife::cancelled);
  if (unit.life == UnitLife::running && unit.wanted.empty())
    end_attempt(unit, AttemptEnd::ended, UnitLife::cancelled);
}

bool State::is_wanted_again(const Unit& unit) const {
  return std::any_of(unit.wanted.begin(), unit.wanted.end(),
                     [&](const auto& want) { return !sweeps_.at(want.first).is_stopped; });
}

void State::on(const SweepCancelled& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(!sweep.is_cancelled);
  sweep.is_cancelled = true;
  for (const UnitId& id : sweep.units) drop(sweep, units_.at(id));
  unwant_everything(sweep);
  requeue(sweep);
}

// The sweep asks for them no more, and other sweeps may.
void State::drop_evals(Sweep& sweep, const Unit& unit) {
  for (const auto& [id, order] : unit.evals) {
    evals_.at(id).wanted.erase(sweep.number);
    sweep.evals.erase(id);
  }
}

// Those that wait in its queue, and what workers run of it: few, however many trials it has had.
std::set<UnitId> State::open_units_of(const Sweep& sweep) const {
  std::set<UnitId> out;
  for (const auto& [place, id] : sweep.ready) out.insert(id);
  for (const auto& [name, worker] : workers_)
    for (const UnitId& id : worker.running)
      if (units_.at(id).wanted.contains(sweep.number)) out.insert(id);
  return out;
}

void State::on(const TrialsCancelled& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(!sweep.is_over());
  drop_trials(sweep, {r.stages.begin(), r.stages.end()});
}

// A trial's units that are not over know their stage; the base's evals have none, for they are everybody's.
void State::drop_trials(Sweep& sweep, const std::set<StageId>& stages) {
  for (const UnitId& id : open_units_of(sweep)) {
    Unit& unit = units_.at(id);
    if (!unit.stage || !stages.contains(unit.stage->id)) continue;
    drop_evals(sweep, unit);
    drop(sweep, unit);
  }
  requeue(sweep);
}

void State::on(const SweepPaused& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(!sweep.is_paused);
  sweep.is_paused = true;
}

void State::on(const SweepResumed& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(sweep.is_paused);
  sweep.is_paused = false;
}

void State::on(const SweepStopped& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(!sweep.is_over());
  sweep.is_stopped = true;
  for (const UnitId& id : sweep.units) {
    Unit& unit = units_.at(id);
    if (unit.life == UnitLife::ready) drop(sweep, unit);
  }
  requeue(sweep);
}

void State::on(const PolicyChanged& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  queue_.erase({-sweep.run.priority, sweep.number});
  sweep.run.priority = r.priority;
  sweep.run.max_parallel = r.max_parallel;
  requeue(sweep);
}

void State::on(const QuotaSet& r) {
  if (r.max_slots)
    quotas_[r.owner] = *r.max_slots;
  else
    RT_CHECK(quotas_.erase(r.owner) == 1);
}

void State::on(const WorkerDrainAsked& r) {
  Worker& worker = workers_.at(r.worker);
  RT_CHECK(worker.is_joined);
  RT_CHECK(worker.boot == r.boot);
  worker.is_drain_asked = true;
}

// One that never joined is known by its key only, and there is nothing of it in here. What it had kept is out
// of reach: no eval waits for it from now on.
void State::on(const WorkerForgotten& r) {
  const auto worker = workers_.find(r.worker);
  if (worker == workers_.end()) return;
  RT_CHECK(!worker->second.is_joined);
  RT_CHECK(worker->second.running.empty());
  for (auto& [id, unit] : units_) {
    if (unit.attempt.worker == r.worker) unit.kept = Keep::none;
    unit.saved.erase(r.worker);
  }
  workers_.erase(worker);
  forget_refusals_of(r.worker);
}

}  // namespace ranktide
