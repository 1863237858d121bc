// The part of State that remembers which worker lacks an input of which unit.

#include <algorithm>

#include "coordinator/core/needs.h"

namespace ranktide {

bool State::has_refused(const WorkerName& worker, const UnitId& unit) const {
  const auto found = refusals_.find(unit);
  return found != refusals_.end() && found->second.contains(worker);
}

bool State::would_be_refused_by_all(const UnitId& unit, const WorkerName& worker) const {
  const WorkerName& home = units_.at(unit).home;
  return std::none_of(workers_.begin(), workers_.end(), [&](const auto& entry) {
    const Worker& other = entry.second;
    const bool may_run_it = other.is_joined && (home.empty() || home == other.name) &&
                            fits_somewhere(*this, units_.at(unit), other);
    return may_run_it && other.name != worker && !has_refused(other.name, unit);
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
