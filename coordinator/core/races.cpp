// Where early stopping ends trials (race.h).

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "common/sweep/early_stop.h"
#include "common/vocabulary/check.h"
#include "coordinator/core/coordinator.h"

namespace ranktide {
namespace {

// Returns: of the value's trials those that are listed; an edited sweep may not have come to any.
std::vector<StageId> listed_of(const Sweep& sweep, const CellId& cell) {
  std::vector<StageId> out;
  if (const auto listed = sweep.races.trials.find(cell); listed != sweep.races.trials.end())
    for (const int64_t raw : listed->second) out.push_back(sweep.trials.at(raw));
  return out;
}

// Whether the value of a scout may still be the one that is chosen. One that is not listed an edit may list
// again: who is stopped for it, and it is gone, goes on once all is listed (lift_verdicts()).
bool may_win(const State& state, const Sweep& sweep, const StageId& scout) {
  const CellId& cell = sweep.races.scouts.at(scout).cell;
  if (sweep.races.verdicts.contains(cell)) return false;
  const auto life = [&](const StageId& stage) { return state.units().at(unit_of(stage)).life; };
  const std::vector<StageId> listed = listed_of(sweep, cell);
  if (listed.empty()) return life(scout) != UnitLife::diverged;
  bool is_sound = !sweep.is_listed && listed.size() < sweep.grid.spec().seeds.size();
  for (const StageId& stage : listed) {
    if (life(stage) == UnitLife::diverged) return false;
    const bool has_ended_without = life(stage) == UnitLife::failed || life(stage) == UnitLife::cancelled;
    is_sound = is_sound || (!has_ended_without && !sweep.dropped.contains(unit_of(stage)));
  }
  return is_sound;
}

// Whether one that may win has shown more at the rung.
bool is_led(const State& state, const Sweep& sweep, const RungPlace& rung, const RungScores& scores) {
  const double own = scores.at(rung.stage);
  return std::any_of(scores.begin(), scores.end(), [&](const auto& other) {
    return other.second > own && may_win(state, sweep, other.first);
  });
}

// Returns: how it stands where it stands best; nullopt where it is behind in no contest or not in each. Nobody
// is stopped for those alone who will have no result.
std::optional<RungStanding> standing_behind(const State& state, const Sweep& sweep, const RungPlace& rung) {
  std::optional<RungStanding> out;
  for (const std::string& contest : sweep.races.scouts.at(rung.stage).contests) {
    const RungScores& scores = sweep.races.scores.at({contest, rung.k});
    const RungStanding standing = standing_of(rung.stage, scores);
    if (!is_behind(standing, sweep.run.stop_early->eta) || !is_led(state, sweep, rung, scores))
      return std::nullopt;
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
  const std::vector<StageId> listed = listed_of(sweep, cell);
  if (!sweep.is_listed && !sweep.is_stopped && listed.size() < sweep.grid.spec().seeds.size()) return true;
  return std::any_of(listed.begin(), listed.end(),
                     [&](const StageId& stage) { return is_still_wanted(state, sweep, stage); });
}

// Returns: the first rung that a scout which diverged did not come to: the step at which it did has not
// happened.
std::optional<RungPlace> rung_missed(const Scout& scout, const StageId& stage, Step diverged_at) {
  for (const auto& [k, at] : scout.rungs)
    if (at >= diverged_at) return RungPlace{.stage = stage, .k = k, .at = at};
  return std::nullopt;
}

}  // namespace

// Listening to records, as note_end() does. Found by what each sweep compares, not by what it wants: an edited
// sweep comes to its trials again one by one.
void Coordinator::note_rung(const Record& record) {
  if (const auto* finished = std::get_if<EvalFinished>(&record))
    for (const auto& [number, sweep] : state_.sweeps())
      if (const auto rung = sweep.races.place_of(finished->result.id)) at_rung_.emplace_back(number, *rung);
  if (const auto* listed = std::get_if<SweepListed>(&record))
    for (const auto& [stage, scout] : state_.sweeps().at(listed->sweep).races.scouts)
      if (state_.sweeps().at(listed->sweep).races.verdicts.contains(scout.cell)) ended_.insert(unit_of(stage));
  const auto* ended = std::get_if<UnitFinished>(&record);
  if (!ended || ended->outcome.kind != OutcomeKind::diverged) return;
  const StageId stage{ended->lease.unit.text};
  for (const auto& [number, sweep] : state_.sweeps()) {
    const auto scout = sweep.races.scouts.find(stage);
    if (scout == sweep.races.scouts.end()) continue;
    if (const auto rung = rung_missed(scout->second, stage, ended->outcome.step))
      at_rung_.emplace_back(number, *rung);
  }
}

namespace {

bool has_diverged(const State& state, const std::vector<StageId>& stages) {
  return std::any_of(stages.begin(), stages.end(), [&](const StageId& stage) {
    return state.units().at(unit_of(stage)).life == UnitLife::diverged;
  });
}

// Returns: of the values of a contest that are out, the one that came furthest, and there was best; nullopt
// where somebody else may still win.
std::optional<CellId> best_left(const State& state, const Sweep& sweep, const std::set<StageId>& field) {
  const Races& races = sweep.races;
  const auto rank = [&](const CellId& cell) {
    return std::pair(races.verdicts.at(cell).rung, races.verdicts.at(cell).score);
  };
  std::optional<CellId> out;
  for (const StageId& scout : field) {
    if (may_win(state, sweep, scout)) return std::nullopt;
    const CellId& cell = races.scouts.at(scout).cell;
    if (!races.verdicts.contains(cell) || has_diverged(state, listed_of(sweep, cell))) continue;
    if (!out || rank(cell) > rank(*out)) out = cell;
  }
  return out;
}

// Returns: the contests of the values that something has ended of.
std::set<std::string> contests_touched(const Sweep& sweep, const std::set<UnitId>& ended) {
  std::set<std::string> out;
  for (const UnitId& unit : ended) {
    const auto cell = sweep.races.cells.find(StageId{unit.text});
    if (cell == sweep.races.cells.end()) continue;
    for (const StageId& stage : listed_of(sweep, cell->second))
      if (const auto scout = sweep.races.scouts.find(stage); scout != sweep.races.scouts.end())
        out.insert(scout->second.contests.begin(), scout->second.contests.end());
  }
  return out;
}

// Values that go on after all: where all others of a contest have ended without a result, its best one.
std::set<CellId> back_in(const State& state, const Sweep& sweep, const std::set<UnitId>& ended) {
  std::set<CellId> out;
  if (sweep.races.verdicts.empty() || sweep.is_cancelled || sweep.is_stopped) return out;
  for (const std::string& contest : contests_touched(sweep, ended))
    if (const auto cell = best_left(state, sweep, sweep.races.fields.at(contest))) out.insert(*cell);
  return out;
}

bool is_stopped_without_result(const State& state, const Sweep& sweep, const StageId& stage) {
  return sweep.races.stopped.contains(stage) && state.units().at(unit_of(stage)).life != UnitLife::completed;
}

// Of those that were stopped, what has no result, in the order of the file. Found by the values, so that a
// million trials of others cost nothing.
std::vector<SweepTrial> stopped_trials(const State& state, const Sweep& sweep,
                                       const std::vector<CellId>& cells) {
  std::set<int64_t> stopped;
  for (const CellId& cell : cells)
    if (const auto listed = sweep.races.trials.find(cell); listed != sweep.races.trials.end())
      for (const int64_t raw : listed->second)
        if (is_stopped_without_result(state, sweep, sweep.trials.at(raw))) stopped.insert(raw);
  std::vector<SweepTrial> out;
  for (const int64_t raw : stopped)  // what an older version listed may be excluded by this one's rules
    if (auto trial = sweep.trial_at(raw)) out.push_back(*std::move(trial));
  return out;
}

}  // namespace

// Who is left alone in a contest goes on to the end, as one that a user tries again: the scores of those who
// have no result would stop it once more.
void Coordinator::judge_rungs() {
  for (const auto& [number, rung] : std::exchange(at_rung_, {})) judge(state_.sweeps().at(number), rung);
  if (ended_.empty()) return;
  for (const auto& [number, sweep] : state_.sweeps())
    for (const CellId& cell : back_in(state_, sweep, ended_)) {
      retry_trials(sweep, ControlTrials{}, stopped_trials(state_, sweep, {cell}));
      if (sweep.races.verdicts.contains(cell)) decide(EarlyVerdictsLifted{number, sweep.revision, {cell}});
      has_room_ = true;
    }
}

void Coordinator::judge(const Sweep& sweep, const RungPlace& rung) {
  const Races& races = sweep.races;
  const auto scout = races.scouts.find(rung.stage);
  if (sweep.is_cancelled || !sweep.run.stop_early || scout == races.scouts.end()) return;
  const CellId cell = scout->second.cell;
  if (races.verdicts.contains(cell) || races.spared.contains(cell) || !has_more(state_, sweep, cell)) return;
  const auto standing = standing_behind(state_, sweep, rung);
  if (!standing) return;
  const double score = races.scores.at({scout->second.contests.front(), rung.k}).at(rung.stage);
  stop_cell(sweep, cell, listed_of(sweep, cell),
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

constexpr size_t kLiftedAtOnce = 100;  // values, between two messages: each of their trials is a record

// Whether the value is listed and somebody better at the rung may win, or is out and goes on before it does.
bool is_ahead(const State& state, const Sweep& sweep, const StageId& scout) {
  const auto cell = sweep.races.cells.find(scout);
  if (cell == sweep.races.cells.end()) return false;
  if (!sweep.races.verdicts.contains(cell->second)) return may_win(state, sweep, scout);
  return !has_diverged(state, listed_of(sweep, cell->second));
}

bool has_somebody_ahead(const State& state, const Sweep& sweep, const EarlyVerdict& verdict,
                        const std::string& contest) {
  const auto shown = sweep.races.scores.find({contest, verdict.rung});
  return shown != sweep.races.scores.end() &&
         std::any_of(shown->second.begin(), shown->second.end(), [&](const auto& score) {
           return score.second > verdict.score && is_ahead(state, sweep, score.first);
         });
}

// Whether it is out for nobody in one of its contests, and would have a result. A value that this revision does
// not list, or without a scout, is left as it is.
bool is_out_for_nobody(const State& state, const Sweep& sweep, const CellId& cell,
                       const EarlyVerdict& verdict) {
  const std::vector<StageId> listed = listed_of(sweep, cell);
  if (has_diverged(state, listed)) return false;
  return std::any_of(listed.begin(), listed.end(), [&](const StageId& stage) {
    const auto scout = sweep.races.scouts.find(stage);
    if (scout == sweep.races.scouts.end()) return false;
    const auto& contests = scout->second.contests;
    return !std::all_of(contests.begin(), contests.end(), [&](const std::string& contest) {
      return has_somebody_ahead(state, sweep, verdict, contest);
    });
  });
}

}  // namespace

// A verdict that an edit has kept stands as long as there is somebody to be behind: else an edit that takes the
// best value out would leave those that nobody has seen yet, or none. Who is there is known once all is listed,
// so that no grid is looked through for it.
bool Coordinator::lift_verdicts(const Sweep& sweep) {
  if (!sweep.races.has_kept) return false;
  EarlyVerdictsLifted lifted{.sweep = sweep.number, .revision = sweep.revision, .cells = {}};
  for (const auto& [cell, verdict] : sweep.races.verdicts)
    if (lifted.cells.size() < kLiftedAtOnce && is_out_for_nobody(state_, sweep, cell, verdict))
      lifted.cells.push_back(cell);
  if (lifted.cells.empty()) return false;
  const std::vector<SweepTrial> trials = stopped_trials(state_, sweep, lifted.cells);
  decide(std::move(lifted));
  retry_trials(sweep, ControlTrials{}, trials);
  has_room_ = true;
  return true;
}

}  // namespace ranktide
