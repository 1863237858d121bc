// Where early stopping ends trials, once the eval of a rung has its result.

#include <utility>

#include "common/sweep/identity.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/race.h"

namespace ranktide {

// Listening to records, as note_end() does. What a trial showed before it was listed is looked at too: an
// earlier revision may have stopped it.
void Coordinator::note_rung(const Record& record) {
  if (const auto* finished = std::get_if<EvalFinished>(&record)) at_rung_.push_back(finished->result.id);
  const auto* listed = std::get_if<TrialListed>(&record);
  if (!listed || !listed->trial.race) return;
  const SweepTrial& trial = listed->trial;
  for (const Step at : trial.race->rungs)
    at_rung_.push_back(eval_id(trial.stage, at, trial.race->task.spec_id));
}

void Coordinator::run_races() {
  for (const EvalId& eval : std::exchange(at_rung_, {}))
    for (const SweepNumber number : std::set(state_.evals().at(eval).wanted))
      if (const Sweep& sweep = state_.sweeps().at(number); sweep.racers.contains(eval)) race(sweep, eval);
}

// Its evals are not asked for by this sweep any more; another one that wants the trial has it to its end.
void Coordinator::race(const Sweep& sweep, const EvalId& eval) {
  const Racer racer = sweep.racers.at(eval);
  const Unit& unit = state_.units().at(unit_of(racer.stage));
  if (is_terminal(unit.life) || !unit.wanted.contains(sweep.number)) return;
  const auto standing = standing_at(state_, sweep, eval);
  if (!standing || !standing->is_behind) return;
  const Unit* trunk = state_.find_unit(unit.trunk);  // begun by a revision that stopped nothing
  Running was_running;
  for (const Unit* each : {&unit, trunk})
    if (each && each->life == UnitLife::running) was_running.emplace_back(each->attempt.worker, each->lease());
  decide(TrialStoppedEarly{.sweep = sweep.number,
                           .revision = sweep.revision,
                           .stage = racer.stage,
                           .eval = eval,
                           .at = racer.at,
                           .place = standing->place,
                           .of = standing->of});
  if (trunk && !is_terminal(trunk->life) && trunk->wanted.contains(sweep.number) &&
      !has_open_branch(*trunk, sweep))
    drop_trunk(sweep, trunk->id);
  kill_unwanted(was_running);
  if (is_terminal(unit.life)) backoffs_.erase(unit.id);
  has_room_ = true;
}

}  // namespace ranktide
