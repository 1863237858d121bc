#include "coordinator/core/state.h"

#include <algorithm>

#include "common/vocabulary/check.h"
#include "coordinator/core/microbatches.h"
#include "coordinator/core/warm_sources.h"

namespace ranktide {
namespace {

// Which lives may follow which. Row: from; column: to, in the order of UnitLife.
constexpr bool kMayFollow[6][6] = {
    //            ready  running completed diverged failed cancelled
    /* ready     */ {false, true, false, false, false, true},
    /* running   */ {true, false, true, true, true, true},
    /* completed */ {true, false, false, false, false, false},  // trunks only
    /* diverged  */ {false, false, false, false, false, false},
    /* failed    */ {true, false, false, false, false, false},
    /* cancelled */ {true, false, false, false, false, false},
};

template <class Map, class Key>
auto* find_in(Map& map, const Key& key) {
  const auto it = map.find(key);
  return it == map.end() ? nullptr : &it->second;
}

}  // namespace

const Unit* State::find_unit(const UnitId& unit) const {
  return find_in(units_, unit);
}
const Worker* State::find_worker(const WorkerName& worker) const {
  return find_in(workers_, worker);
}
const Sweep* State::find_sweep(const std::string& name) const {
  const auto* number = find_in(sweep_names_, name);
  return number ? find_in(sweeps_, *number) : nullptr;
}

void State::apply(const Record& record) {
  std::visit([this](const auto& r) { on(r); }, record);
}

void State::on(const EpochStarted& r) {
  RT_CHECK(r.epoch > epoch_);
  epoch_ = r.epoch;
}

// ---- workers

void State::on(const WorkerJoined& r) {
  Worker& worker = workers_[r.worker];
  RT_CHECK(!worker.is_joined);
  if (!worker.boot.empty() && worker.boot != r.boot) {
    worker.past_boots.push_back(worker.boot);
    if (worker.past_boots.size() > kPastBootsMax) worker.past_boots.erase(worker.past_boots.begin());
  }
  worker.name = r.worker;
  worker.boot = r.boot;
  worker.version = r.version;
  worker.slots = r.slots;
  worker.is_joined = true;
  worker.is_drain_asked = false;
  worker.left_behind.clear();
  forget_refusals_of(r.worker);
}

void State::on(const WorkerLeft& r) {
  Worker& worker = workers_.at(r.worker);
  RT_CHECK(worker.is_joined);
  RT_CHECK(worker.boot == r.boot);
  RT_CHECK(r.reason == LeaveReason::replaced || worker.running.empty());
  worker.is_joined = false;
  forget_memory_of(r.worker);
}

// ---- the life of a unit

void State::count(const Unit& unit, int64_t by) {
  for (const auto& [number, place] : unit.wanted) {
    Sweep& sweep = sweeps_.at(number);
    sweep.counts_of(unit)[static_cast<size_t>(unit.life)] += by;
    if (unit.life == UnitLife::ready && by > 0) sweep.ready.emplace(place, unit.id);
    if (unit.life == UnitLife::ready && by < 0) sweep.ready.erase({place, unit.id});
    if (unit.is_trunk()) continue;  // one that failed is no trial that failed
    if (unit.life == UnitLife::failed && by > 0) sweep.failed.insert(unit.id);
    if (unit.life == UnitLife::failed && by < 0) sweep.failed.erase(unit.id);
  }
}

void State::set_life(Unit& unit, UnitLife life) {
  RT_CHECK(kMayFollow[static_cast<size_t>(unit.life)][static_cast<size_t>(life)]);
  RT_CHECK(unit.life != UnitLife::completed || unit.is_trunk());
  count(unit, -1);
  unit.life = life;
  count(unit, +1);
  if (is_terminal(life)) {
    unit.set_stage(std::nullopt);
    unit.evals.clear();
    if (life != UnitLife::failed) unit.saved.clear();  // else it may be tried again, and go on from them
    refusals_.erase(unit.id);
  }
  for (const auto& [number, place] : unit.wanted) requeue(sweeps_.at(number));
}

Unit& State::running_unit(const Lease& lease) {
  Unit& unit = units_.at(lease.unit);
  RT_CHECK(unit.life == UnitLife::running);
  RT_CHECK(unit.attempt.number == lease.attempt);
  return unit;
}

void State::end_attempt(Unit& unit, AttemptEnd end, UnitLife life) {
  unit.attempt.end = end;
  RT_CHECK(workers_.at(unit.attempt.worker).running.erase(unit.id) == 1);
  // A revision, a stop or a cancel may have dropped the unit while it ran; then it does not queue again.
  const bool back_to_nobody = life == UnitLife::ready && !is_wanted_again(unit);
  set_life(unit, back_to_nobody ? UnitLife::cancelled : life);
}

void State::on(const LeaseGranted& r) {
  Unit& unit = units_.at(r.lease.unit);
  Worker& worker = workers_.at(r.worker);
  RT_CHECK(unit.life == UnitLife::ready);
  RT_CHECK(r.lease.attempt == unit.attempt.number + 1);
  RT_CHECK(worker.is_joined);
  RT_CHECK(worker.boot == r.boot);
  if (r.trunk_to) end_trunk_at(unit, *r.trunk_to);
  // Fewer than were asked for: its steps are computed so from now on, and it is not exact. None: all of them,
  // for somebody asks for exactness by now, and what was computed with fewer is begun anew.
  if (unit.kind == WorkKind::train && r.microbatch != microbatch_by_hand(*this, unit))
    unit.microbatch = r.microbatch;
  std::vector<BranchOrder> branches = branches_of_attempt(unit);
  const auto saved = unit.saved.find(r.worker);
  const Step at_hand = saved == unit.saved.end() ? 0 : saved->second;
  unit.attempt = {.number = r.lease.attempt,
                  .end = AttemptEnd::open,
                  .worker = r.worker,
                  .boot = r.boot,
                  .slots = r.slots,
                  .evals = r.evals,
                  .microbatch = r.microbatch,
                  .keep = r.keep,
                  .began_at = std::max(unit.checkpoint, at_hand),
                  .at_hand = at_hand,
                  .branches = std::move(branches)};
  worker.running.insert(unit.id);
  set_life(unit, UnitLife::running);
}

void State::on(const LeaseExpired& r) {
  Unit& unit = running_unit(r.lease);
  ++unit.infra_losses;
  end_attempt(unit, AttemptEnd::expired, UnitLife::ready);
}

void State::on(const LeaseRevived& r) {
  Unit& unit = units_.at(r.lease.unit);
  RT_CHECK(unit.attempt.number == r.lease.attempt);
  RT_CHECK(unit.attempt.end == AttemptEnd::expired);
  --unit.infra_losses;  // it was not lost after all
  unit.attempt.end = AttemptEnd::open;
  workers_.at(unit.attempt.worker).running.insert(unit.id);
  set_life(unit, UnitLife::running);
}

void State::on(const LeaseReturned& r) {
  Unit& unit = running_unit(r.lease);
  // Giving back work that moved on is free; giving it back untouched, again and again, is not.
  if (r.step <= unit.attempt.at_hand) ++unit.infra_losses;
  unit.checkpoint = std::max(unit.checkpoint, r.step);
  if (r.step > 0) unit.saved[unit.attempt.worker] = r.step;  // one that it never came to load is still there
  end_attempt(unit, AttemptEnd::ended, UnitLife::ready);
}

void State::on(const CheckpointSaved& r) {
  Unit& unit = running_unit(r.lease);
  RT_CHECK(r.step > unit.checkpoint);
  unit.checkpoint = r.step;
  unit.saved[unit.attempt.worker] = r.step;
}

void State::on(const EvalFinished& r) {
  Unit& unit = running_unit(r.lease);
  EvalState& eval = evals_.at(r.result.id);
  RT_CHECK(!eval.is_finished);
  eval.is_finished = true;
  eval.value = r.result.value;
  eval.sign = r.result.sign;
  note_rung(r.result.id, eval);
  for (const SweepNumber number : eval.wanted) ++sweeps_.at(number).evals_finished;
  RT_CHECK(unit.evals.erase(r.result.id) == 1);
  forget_eval(unit, r.result.id);
}

void State::on(const UnitFinished& r) {
  Unit& unit = running_unit(r.lease);
  const bool is_completed = r.outcome.kind == OutcomeKind::completed;
  RT_CHECK(is_completed || r.outcome.kind == OutcomeKind::diverged);
  unit.outcome = r.outcome.kind;
  for (const WorkerName& name : copies_elsewhere(unit)) leave_behind_at(name, r.lease);
  if (is_completed && unit.stage) {
    if (leaves_weights(unit.attempt.keep, unit.stage->settings.method)) unit.kept = unit.attempt.keep;
    lease_left_over_evals(unit, *unit.stage);
  }
  end_attempt(unit, AttemptEnd::ended, is_completed ? UnitLife::completed : UnitLife::diverged);
  if (is_completed) return;
  for (auto& [number, sweep] : sweeps_) lose_race(sweep, StageId{unit.id.text});
}

void State::on(const AttemptFailed& r) {
  Unit& unit = running_unit(r.lease);
  if (r.outcome.kind == OutcomeKind::out_of_memory) take_out_of_memory(unit);
  if (r.microbatch_next > 0) {
    unit.microbatch = r.microbatch_next;
  } else if (r.outcome.kind == OutcomeKind::refused) {
    take_refusal(unit);
  } else {
    ++unit.own_failures;
  }
  if (r.last) unit.outcome = r.outcome.kind;
  end_attempt(unit, AttemptEnd::ended, r.last ? UnitLife::failed : UnitLife::ready);
}

}  // namespace ranktide
