// The part of State that sweeps, their listings and their wishes change.

#include <algorithm>

#include "common/sweep/identity.h"
#include "common/sweep/tuning_check.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/core/state.h"
#include "coordinator/core/tuning.h"
#include "coordinator/core/warm_sources.h"

namespace ranktide {
namespace {

constexpr int64_t kBeforeStages = -1;  // place of base evals: raw indices start at 0

Stage stage_of(const SweepTrial& trial) {
  return {.id = trial.stage,
          .trial = trial.id,
          .base = trial.base,
          .tokenizer_sha256 = trial.tokenizer_sha256,
          .data_sha256 = trial.data_sha256,
          .from = 0,
          .to = trial.steps,
          .settings = trial.settings,
          .start = trial.start};
}

// A client of an older version predicts nothing, and must not make the others forget.
PredictedMemory larger(const PredictedMemory& a, const PredictedMemory& b) {
  std::optional<int64_t> as_it_is;
  if (a.as_it_is_bytes || b.as_it_is_bytes)
    as_it_is = std::max(a.as_it_is_bytes.value_or(a.train_bytes), b.as_it_is_bytes.value_or(b.train_bytes));
  return {.train_bytes = std::max(a.train_bytes, b.train_bytes),
          .forward_bytes = std::max(a.forward_bytes, b.forward_bytes),
          .microbatch = std::max(a.microbatch, b.microbatch),
          .as_it_is_bytes = as_it_is};
}

// What is predicted with rows that one sweep sets by hand counts while nobody wants the trial otherwise.
void take_memory(const Sweep& sweep, Unit& unit, const PredictedMemory& memory) {
  if (!sweep.run.microbatch) {
    unit.memory = larger(unit.memory, memory);
    return;
  }
  unit.memory_by_hand.insert_or_assign(sweep.number, memory);
  unit.memory.forward_bytes = std::max(unit.memory.forward_bytes, memory.forward_bytes);
}

// Somebody wants it again: budgets start anew, what was learnt (checkpoint, micro-batch) stays.
void forget_failures(Unit& unit) {
  unit.own_failures = 0;
  unit.infra_losses = 0;
  unit.outcome.reset();
}

}  // namespace

int64_t Sweep::running_units() const {
  constexpr auto running = static_cast<size_t>(UnitLife::running);
  return stages[running] + eval_units[running] + trunks[running];
}

int64_t Sweep::open_units() const {
  constexpr auto ready_life = static_cast<size_t>(UnitLife::ready);
  return stages[ready_life] + eval_units[ready_life] + running_units() -
         trunks[static_cast<size_t>(UnitLife::running)];
}

void State::requeue(Sweep& sweep) {
  const std::pair key{-sweep.run.priority, sweep.number};
  if (sweep.is_over())
    queue_.erase(key);
  else
    queue_.insert(key);
}

std::string sha256_of(const SweepSpec& spec) {
  SweepSpec same = spec;
  for (auto& [key, data] : same.inputs.data) data.labels = {};
  return sha256_hex(to_json(same).dump());
}

// The record's own hash is of the JSON that its writer wrote.
void State::on(const SweepSubmitted& r) {
  const std::string spec_sha256 = sha256_of(r.spec);
  if (r.revision == 1) {
    RT_CHECK(r.sweep == static_cast<SweepNumber>(sweeps_.size()) + 1);
    RT_CHECK(sweep_names_.emplace(r.spec.name, r.sweep).second);
    sweeps_.emplace(r.sweep, Sweep{.number = r.sweep,
                                   .owner = r.owner,
                                   .spec_sha256 = spec_sha256,
                                   .grid = Grid(r.spec),
                                   .run = r.spec.run,
                                   .trial_count = r.trial_count});
  } else {
    Sweep& old = sweeps_.at(r.sweep);
    RT_CHECK(r.revision == old.revision + 1);
    queue_.erase({-old.run.priority, old.number});
    std::set<UnitId> trunks_before = trunks_of(old);
    unwant_everything(old);
    for (const UnitId& id : r.removed) end_removed(units_.at(id));
    std::set<UnitId> left_running = left_running_by(old);
    Races races = races_after(old, r.spec);
    old = Sweep{.number = r.sweep,
                .revision = r.revision,
                .owner = r.owner,
                .spec_sha256 = spec_sha256,
                .grid = Grid(r.spec),
                .run = r.spec.run,
                .trial_count = r.trial_count,
                .left_running = std::move(left_running),
                .trunks_before = std::move(trunks_before),
                .races = std::move(races)};
  }
  submissions_[r.request_id] = {.spec_sha256 = spec_sha256,
                                .sweep = r.sweep,
                                .revision = r.revision,
                                .cancels_removed = r.cancel_removed.value_or(!r.removed.empty())};
  requeue(sweeps_.at(r.sweep));
}

// Ready units that nobody else wants, or only stopped sweeps, leave the queue; running ones go on to their end,
// unless they were removed.
void State::unwant_everything(Sweep& sweep) {
  for (const UnitId& id : sweep.units) {
    Unit& unit = units_.at(id);
    unit.wanted.erase(sweep.number);
    if (unit.life == UnitLife::ready && !is_wanted_again(unit)) set_life(unit, UnitLife::cancelled);
  }
  for (const EvalId& id : sweep.evals) evals_.at(id).wanted.erase(sweep.number);
}

void State::end_removed(Unit& unit) {
  RT_CHECK(unit.life == UnitLife::running);
  RT_CHECK(unit.wanted.empty());
  end_attempt(unit, AttemptEnd::ended, UnitLife::cancelled);
}

std::set<UnitId> State::left_running_by(const Sweep& revision) const {
  std::set<UnitId> out;
  for (const std::set<UnitId>* units : {&revision.units, &revision.left_running})
    for (const UnitId& id : *units)
      if (const Unit& unit = units_.at(id); unit.life == UnitLife::running && unit.wanted.empty())
        out.insert(id);
  return out;
}

void State::on(const SweepListed& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(sweep.revision == r.revision);
  RT_CHECK(!sweep.is_listed);
  sweep.is_listed = true;
  sweep.trunks_before.clear();
  sweep.cursor = sweep.raw_count();
  sweep.races.keep_listed();
  requeue(sweep);
}

void State::on(const TrialListed& r) {
  const SweepTrial& trial = r.trial;
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(sweep.revision == r.revision);
  RT_CHECK(!sweep.is_listed);
  RT_CHECK(trial.index >= sweep.cursor);
  RT_CHECK(!trial.provisional);
  if (!r.ahead) sweep.cursor = trial.index + 1;
  RT_CHECK(sweep.trials.emplace(trial.index, trial.stage).second);
  want_trial(sweep, trial, r.memory);
  if (may_be_extended(sweep.grid.spec()))
    for (const std::string& group : tuned_groups(sweep.grid.spec(), trial))
      sweep.tuned[group].push_back(tuned_trial(sweep.grid.spec(), trial));
  if (r.trunk) want_trunk(sweep, trial, *r.trunk);
  enter_race(sweep, trial);
}

void State::on(const TrialRetried& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(sweep.revision == r.revision);
  RT_CHECK(!sweep.is_cancelled && !sweep.is_stopped);
  RT_CHECK(sweep.trials.at(r.trial.index) == r.trial.stage);
  spare(sweep, r.trial);
  want_trial(sweep, r.trial, r.memory);
}

void State::want_trial(Sweep& sweep, const SweepTrial& trial, const PredictedMemory& memory) {
  Unit& unit = units_[unit_of(trial.stage)];
  unit.id = unit_of(trial.stage);
  unit.base = trial.base;
  unit.tokenizer_sha256 = trial.tokenizer_sha256;
  unit.model = trial.settings.model;
  take_memory(sweep, unit, memory);
  if (unit.life == UnitLife::failed || unit.life == UnitLife::cancelled) {
    forget_failures(unit);
    set_life(unit, UnitLife::ready);
  }
  if (!is_terminal(unit.life)) unit.set_stage(stage_of(trial));
  if (trial.start) unit.home = home_of(*this, *trial.start);
  want(sweep, unit, trial.index);
  list_evals(sweep, trial);
  if (unit.life == UnitLife::completed) lease_left_over_evals(unit, stage_of(trial));
  if (is_terminal(unit.life)) unit.evals.clear();  // no weights of it will come any more
  begin_anew_for_evals(unit);
}

void State::want(Sweep& sweep, Unit& unit, int64_t place) {
  if (sweep.dropped.erase(unit.id) > 0) --sweep.counts_of(unit)[static_cast<size_t>(UnitLife::cancelled)];
  count(unit, -1);
  unit.wanted.emplace(sweep.number, place);
  count(unit, +1);
  sweep.units.insert(unit.id);
  requeue(sweep);
}

// Step 0 is the untouched base, whatever the trial: one unit for everybody. Later steps ride on the stage's
// attempt.
void State::list_evals(Sweep& sweep, const SweepTrial& trial) {
  for (const Step at : trial.eval_at)
    for (const EvalTask& task : trial.evals) list_eval(sweep, trial, task, at);
  if (!trial.race) return;
  for (const Rung& rung : trial.race->rungs) list_eval(sweep, trial, trial.race->task, rung.at);
}

void State::list_eval(Sweep& sweep, const SweepTrial& trial, const EvalTask& task, Step at) {
  const EvalId id =
      at == 0 ? eval_id(base_subject(trial), task.spec_id) : eval_id(trial.stage, at, task.spec_id);
  want_eval(sweep, id);
  if (evals_.at(id).is_finished) return;
  const EvalOrder order{.id = id, .at = at, .spec = task.spec};
  if (at == 0)
    want(sweep, eval_unit(order, units_.at(unit_of(trial.stage))), kBeforeStages);
  else
    units_.at(unit_of(trial.stage)).evals.insert_or_assign(id, order);
}

void State::want_eval(Sweep& sweep, const EvalId& id) {
  EvalState& eval = evals_[id];
  eval.wanted.insert(sweep.number);
  if (sweep.evals.insert(id).second && eval.is_finished) ++sweep.evals_finished;
}

// The eval leased by itself, on the model of `stage_unit`.
Unit& State::eval_unit(const EvalOrder& order, const Unit& stage_unit) {
  Unit& unit = units_[unit_of(order.id)];
  unit.id = unit_of(order.id);
  unit.kind = WorkKind::evaluate;
  unit.base = stage_unit.base;
  unit.tokenizer_sha256 = stage_unit.tokenizer_sha256;
  unit.model = stage_unit.model;
  unit.memory = larger(unit.memory, stage_unit.memory);
  if (unit.life == UnitLife::failed || unit.life == UnitLife::cancelled) {
    forget_failures(unit);
    set_life(unit, UnitLife::ready);
  }
  if (!is_terminal(unit.life)) unit.evals.insert_or_assign(order.id, order);
  return unit;
}

// Evals that were asked for after the attempt was granted, or that it did not get to. They need the weights of
// the stage's end, so they run where those lie; an earlier step's weights are gone, and so are those that
// nobody kept.
void State::lease_left_over_evals(Unit& stage_unit, const Stage& stage) {
  for (const auto& [id, order] : stage_unit.evals) {
    if (order.at != stage.to || stage_unit.kept == Keep::none || !is_wanted_again(stage_unit)) continue;
    Unit& unit = eval_unit(order, stage_unit);
    unit.set_stage(stage);
    unit.home = stage_unit.attempt.worker;
    for (const SweepNumber number : evals_.at(id).wanted)
      if (!sweeps_.at(number).is_stopped) want(sweeps_.at(number), unit, stage_unit.wanted.at(number));
  }
  stage_unit.evals.clear();
}

}  // namespace ranktide
