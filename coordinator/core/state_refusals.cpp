// The part of State that remembers which worker lacks an input of which unit.

#include <algorithm>

#include "coordinator/core/needs.h"

namespace ranktide {

bool State::has_refused(const WorkerName& worker, const UnitId& unit) const {
  const auto found = refusals_.find(unit);
  return found != refusals_.end() && found->second.contains(worker);
}

// Only its home would get it, unless that has gone, or the unit went to another all the same: for then the
// coordinator has what it needs, and others may be asked.
bool State::would_be_refused_by_all(const UnitId& id, const WorkerName& worker) const {
  const Unit& unit = units_.at(id);
  const Worker* home = find_worker(unit.home);
  const bool is_for_home = home && home->is_joined && !home->is_drain_asked && worker == unit.home;
  return std::none_of(workers_.begin(), workers_.end(), [&](const auto& entry) {
    const Worker& other = entry.second;
    const bool may_run_it =
        other.is_joined && (!is_for_home || other.name == unit.home) && fits_somewhere(*this, unit, other);
    return may_run_it && other.name != worker && !has_refused(other.name, id);
  });
}

// When nobody is left it counts as a failure of the unit's own, and everybody is asked anew: people may have
// put the file there meanwhile.
void State::take_refusal(Unit& unit) {
  if (!would_be_refused_by_all(unit.id, unit.attempt.worker)) {
    refusals_[unit.id].insert(unit.attempt.worker);
    return;
  }
  refusals_.erase(unit.id);
  ++unit.own_failures;
}

// A new life of a worker may see other folders.
void State::forget_refusals_of(const WorkerName& worker) {
  for (auto it = refusals_.begin(); it != refusals_.end();) {
    it->second.erase(worker);
    it = it->second.empty() ? refusals_.erase(it) : std::next(it);
  }
}

}  // namespace ranktide
