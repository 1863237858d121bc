// Where early stopping ends trials (race.h).

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "common/sweep/early_stop.h"
#include "common/sweep/expression.h"
#include "common/sweep/identity.h"
#include "common/vocabulary/check.h"
#include "coordinator/core/coordinator.h"

namespace ranktide {
namespace {

// Returns: how it stands where it stands best; nullopt where it is behind in no contest or not in each.
std::optional<RungStanding> standing_behind(const Races& races, const RungPlace& rung, int eta) {
  std::optional<RungStanding> out;
  for (const std::string& contest : races.scouts.at(rung.stage).contests) {
    const RungStanding standing = standing_of(rung.stage, races.scores.at({contest, rung.k}));
    if (!is_behind(standing, eta)) return std::nullopt;
    if (!out || standing.place < out->place) out = standing;
  }
  return out;
}

bool is_still_wanted(const State& state, const Sweep& sweep, const StageId& stage) {
  const Unit* unit = state.find_unit(unit_of(stage));
  return unit && !is_terminal(unit->life) && unit->wanted.contains(sweep.number);
}

// Whether something of the value would still be computed, so that there is something to save.
bool has_more(const State& state, const Sweep& sweep, const CellId& cell) {
  const std::vector<StageId>& listed = sweep.races.trials.at(cell);
  if (!sweep.is_listed && !sweep.is_stopped && listed.size() < sweep.grid.spec().seeds.size()) return true;
  return std::any_of(listed.begin(), listed.end(),
                     [&](const StageId& stage) { return is_still_wanted(state, sweep, stage); });
}

// Returns: the first rung that a scout which diverged did not come to.
std::optional<RungPlace> rung_missed(const Scout& scout, const StageId& stage, Step diverged_at) {
  for (const auto& [k, at] : scout.rungs)
    if (at > diverged_at) return RungPlace{.stage = stage, .k = k, .at = at};
  return std::nullopt;
}

}  // namespace

// Listening to records, as note_end() does.
void Coordinator::note_rung(const Record& record) {
  if (const auto* finished = std::get_if<EvalFinished>(&record)) {
    for (const SweepNumber number : state_.evals().at(finished->result.id).wanted) {
      const auto& rungs = state_.sweeps().at(number).races.rung_evals;
      if (const auto rung = rungs.find(finished->result.id); rung != rungs.end())
        at_rung_.emplace_back(number, rung->second);
    }
  }
  const auto* ended = std::get_if<UnitFinished>(&record);
  if (!ended || ended->outcome.kind != OutcomeKind::diverged) return;
  const StageId stage{ended->lease.unit.text};
  for (const auto& [number, place] : state_.units().at(ended->lease.unit).wanted) {
    const auto& scouts = state_.sweeps().at(number).races.scouts;
    const auto scout = scouts.find(stage);
    if (scout == scouts.end()) continue;
    if (const auto rung = rung_missed(scout->second, stage, ended->outcome.step))
      at_rung_.emplace_back(number, *rung);
  }
}

void Coordinator::judge_rungs() {
  for (const auto& [number, rung] : std::exchange(at_rung_, {})) judge(state_.sweeps().at(number), rung);
}

void Coordinator::judge(const Sweep& sweep, const RungPlace& rung) {
  const Races& races = sweep.races;
  const auto scout = races.scouts.find(rung.stage);
  if (sweep.is_cancelled || !sweep.run.stop_early || scout == races.scouts.end()) return;
  const CellId cell = scout->second.cell;
  if (races.verdicts.contains(cell) || races.spared.contains(cell) || !has_more(state_, sweep, cell)) return;
  const auto standing = standing_behind(races, rung, sweep.run.stop_early->eta);
  if (!standing) return;
  const double score = races.scores.at({scout->second.contests.front(), rung.k}).at(rung.stage);
  stop_cell(sweep, cell, races.trials.at(cell),
            {.policy = early_stop_policy(sweep.grid.spec()),
             .rung = rung.k,
             .at = rung.at,
             .score = score,
             .place = standing->place,
             .of = standing->of});
}

// Its evals are not asked for by this sweep any more; another one that wants a trial has it to its end.
void Coordinator::stop_cell(const Sweep& sweep, const CellId& cell, std::vector<StageId> stages,
                            EarlyVerdict verdict) {
  const Running were_running = running_of(sweep);
  decide(CellStoppedEarly{.sweep = sweep.number,
                          .revision = sweep.revision,
                          .cell = cell,
                          .verdict = std::move(verdict),
                          .stages = stages});
  for (const UnitId& trunk : open_trunks_of(sweep))  // of another sweep, or of a revision that stopped nothing
    if (!has_open_branch(state_.units().at(trunk), sweep)) drop_trunk(sweep, trunk);
  kill_unwanted(were_running);
  for (const StageId& stage : stages)
    if (const Unit& unit = state_.units().at(unit_of(stage)); is_terminal(unit.life)) backoffs_.erase(unit.id);
  has_room_ = true;
}

// A trial of a value that is out, which this revision has come to only now.
void Coordinator::stop_if_out(const Sweep& sweep, const SweepTrial& trial) {
  const auto verdict = sweep.races.verdicts.find(trial.cell);
  if (verdict != sweep.races.verdicts.end()) stop_cell(sweep, trial.cell, {trial.stage}, verdict->second);
}

namespace {

constexpr int64_t kVerdictLooksMax = 20'000;  // cells of a revision, looked at between two messages

// The highest rung that the trial has shown something at; -1: none.
int rung_reached(const State& state, const SweepTrial& trial) {
  int out = -1;
  for (const Rung& rung : trial.race->rungs) {
    const auto eval = state.evals().find(eval_id(trial.stage, rung.at, trial.race->task.spec_id));
    if (eval != state.evals().end() && eval->second.is_finished) out = std::max(out, rung.k);
  }
  return out;
}

// The scouts of an edited sweep: how far those that are not out have come in each contest, and which contests
// the others have lost.
struct Field {
  std::map<std::string, int> reached;
  std::map<CellId, std::vector<std::string>> lost;
};

Field field_of(const State& state, const Sweep& sweep) {
  Field out;
  const auto seeds = static_cast<int64_t>(sweep.grid.spec().seeds.size());
  for (int64_t raw = 0; raw < sweep.raw_count(); raw += seeds) {
    const auto trial = sweep.trial_at(raw);
    if (!trial || !trial->race) continue;
    if (sweep.races.verdicts.contains(trial->cell)) {
      out.lost[trial->cell] = trial->race->contests;
      continue;
    }
    for (const std::string& contest : trial->race->contests) {
      int& reached = out.reached.try_emplace(contest, -1).first->second;
      reached = std::max(reached, rung_reached(state, *trial));
    }
  }
  return out;
}

// Whether in each of its contests somebody has come as far and is not out.
bool stands(const EarlyVerdict& verdict, const std::vector<std::string>& contests, const Field& field) {
  return std::all_of(contests.begin(), contests.end(), [&](const std::string& contest) {
    const auto reached = field.reached.find(contest);
    return reached != field.reached.end() && reached->second >= verdict.rung;
  });
}

// Returns: the cells that are out, and that nobody is ahead of any more. Of a grid that is too large to be
// looked through, or that does not resolve, all: what is trained in vain is no result that is lost.
std::vector<CellId> out_with_nobody_ahead(const State& state, const Sweep& sweep) {
  std::vector<CellId> out;
  for (const auto& [cell, verdict] : sweep.races.verdicts) out.push_back(cell);
  const auto seeds = static_cast<int64_t>(sweep.grid.spec().seeds.size());
  if (sweep.raw_count() / seeds > kVerdictLooksMax) return out;
  try {
    const Field field = field_of(state, sweep);
    std::erase_if(out, [&](const CellId& cell) {
      const auto lost = field.lost.find(cell);
      return lost == field.lost.end() || stands(sweep.races.verdicts.at(cell), lost->second, field);
    });
  } catch (const SpecError&) {
    return out;
  } catch (const ExpressionError&) {
    return out;
  }
  return out;
}

}  // namespace

// A verdict stands as long as there is somebody to be behind: else an edit that takes the best value out would
// leave those that nobody has seen yet, or none.
void Coordinator::lift_verdicts(const Sweep& sweep) {
  if (sweep.races.verdicts.empty()) return;
  EarlyVerdictsLifted lifted{
      .sweep = sweep.number, .revision = sweep.revision, .cells = out_with_nobody_ahead(state_, sweep)};
  if (!lifted.cells.empty()) decide(std::move(lifted));
}

}  // namespace ranktide
