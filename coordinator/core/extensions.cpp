// Where tuning adds to sweeps, once the values it has to judge have ended.

#include <algorithm>
#include <utility>

#include "common/sweep/identity.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/tuning.h"

namespace ranktide {
namespace {

bool may_grow(const Sweep& sweep) {
  return sweep.is_listed && !sweep.is_cancelled && !sweep.is_stopped && !sweep.tuned.empty();
}

// max_trials holds for what is added too.
bool has_room_for(const Sweep& sweep, size_t cells) {
  const SweepSpec& spec = sweep.grid.spec();
  return sweep.raw_count() + static_cast<int64_t>(cells * spec.seeds.size()) <= spec.max_trials;
}

bool is_of_eval(const State& state, const UnitId& id) {
  const Unit* unit = state.find_unit(id);
  return unit && unit->kind == WorkKind::evaluate;
}

// An eval leased by itself is of one trial, or of the untouched base and so of many groups.
bool concerns(const State& state, const std::set<UnitId>& ended, const std::vector<TunedTrial>& group) {
  const bool has_evals =
      std::any_of(ended.begin(), ended.end(), [&](const UnitId& id) { return is_of_eval(state, id); });
  return std::any_of(group.begin(), group.end(), [&](const TunedTrial& t) {
    if (ended.contains(t.unit)) return true;
    return has_evals && std::any_of(t.evals.begin(), t.evals.end(), [&](const TunedEval& e) {
             return ended.contains(unit_of(e.own)) || ended.contains(unit_of(e.base));
           });
  });
}

}  // namespace

// Listening to records rather than to what decides them: units end in many ways.
void Coordinator::note_end(const Record& record) {
  if (const auto* finished = std::get_if<UnitFinished>(&record)) ended_.insert(finished->lease.unit);
  if (const auto* failed = std::get_if<AttemptFailed>(&record); failed && failed->last)
    ended_.insert(failed->lease.unit);
  if (const auto* cancelled = std::get_if<TrialsCancelled>(&record))
    for (const StageId& stage : cancelled->stages) ended_.insert(unit_of(stage));
  if (const auto* stopped = std::get_if<CellStoppedEarly>(&record))
    for (const StageId& stage : stopped->stages) ended_.insert(unit_of(stage));
}

// In the step in which a group's last trial ends, so that its sweep is never over before it has grown.
void Coordinator::extend_tuned_sweeps() {
  const std::set<UnitId> ended = std::exchange(ended_, {});
  if (ended.empty()) return;
  for (const auto& [number, sweep] : state_.sweeps())
    if (may_grow(sweep)) extend(sweep, ended);
}

// What ended before the last index was touched is judged now: until then something else was there to start.
void Coordinator::extend_listed(const Sweep& sweep) {
  if (may_grow(sweep)) extend(sweep, {});
}

// `ended`: only groups that these units are of; none: all.
void Coordinator::extend(const Sweep& sweep, const std::set<UnitId>& ended) {
  SweepExtended extended{.sweep = sweep.number, .revision = sweep.revision, .cells = {}};
  std::set<StageId> stages;  // a trial of two groups may be the best of both
  for (const auto& [name, group] : sweep.tuned) {
    if (!ended.empty() && !concerns(state_, ended, group)) continue;
    for (AddedCell& cell : next_cells(state_, sweep, name))
      if (has_room_for(sweep, extended.cells.size() + 1) &&
          stages.insert(*stage_of(sweep.grid.spec(), cell)).second)
        extended.cells.push_back(std::move(cell));
  }
  add_cells(std::move(extended));
}

void Coordinator::add_cells(SweepExtended extended) {
  if (extended.cells.empty()) return;
  const Sweep& sweep = state_.sweeps().at(extended.sweep);
  extended.trials = static_cast<int64_t>(extended.cells.size() * sweep.grid.spec().seeds.size());
  decide(std::move(extended));
  has_room_ = true;
}

}  // namespace ranktide
