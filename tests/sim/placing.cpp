#include "tests/sim/placing.h"

#include <algorithm>

#include "common/sweep/identity.h"

namespace ranktide::sim {

void Placing::learn(const Record& record) {
  if (const auto* submitted = std::get_if<SweepSubmitted>(&record)) {
    listed_.erase(submitted->sweep);
    label_of_sweep_.erase(submitted->sweep);
    const auto label = labels_.find(submitted->spec.name);
    if (label != labels_.end()) label_of_sweep_[submitted->sweep] = label->second;
  } else if (const auto* listed = std::get_if<TrialListed>(&record)) {
    list(listed->sweep, listed->trial);
    if (listed->trunk) ranks_[unit_of(listed->trunk->trunk)] = listed->trial.settings.lora->rank;
  } else if (const auto* retried = std::get_if<TrialRetried>(&record)) {
    list(retried->sweep, retried->trial);
  } else if (const auto* some = std::get_if<TrialsCancelled>(&record)) {
    for (const StageId& stage : some->stages) listed_[some->sweep].erase(unit_of(stage));
  } else if (const auto* cancelled = std::get_if<SweepCancelled>(&record)) {
    label_of_sweep_.erase(cancelled->sweep);
  } else if (const auto* stopped = std::get_if<SweepStopped>(&record)) {
    label_of_sweep_.erase(stopped->sweep);
  }
}

// A label is asked for by stages and by evals of the base; evals of kept weights run where these lie.
void Placing::list(SweepNumber sweep, const SweepTrial& trial) {
  ranks_[unit_of(trial.stage)] = trial.settings.lora->rank;
  std::set<UnitId>& units = listed_[sweep];
  units.insert(unit_of(trial.stage));
  for (const EvalTask& task : trial.evals) units.insert(unit_of(eval_id(base_subject(trial), task.spec_id)));
}

std::string Placing::fault_of(const LeaseGranted& granted) const {
  for (const int index : granted.slots)
    for (const Slot& slot : slots_.at(granted.worker))
      if (slot.index == index)
        if (const std::string fault = fault_of(granted.lease.unit, slot); !fault.empty())
          return granted.lease.unit.brief() + " was granted to slot " + std::to_string(index) + " of " +
                 granted.worker.text + ", " + fault;
  return "";
}

std::string Placing::fault_of(const UnitId& unit, const Slot& slot) const {
  const auto rank = ranks_.find(unit);
  if (rank != ranks_.end() && rank->second > kRankOfSmallSlotMax && slot.memory_bytes == kSmallSlotBytes)
    return "which is too small";
  for (const auto& [sweep, label] : label_of_sweep_) {
    const auto listed = listed_.find(sweep);
    if (listed == listed_.end() || !listed->second.contains(unit)) continue;
    if (std::find(slot.labels.begin(), slot.labels.end(), label) == slot.labels.end())
      return "which has no label " + label;
  }
  return "";
}

}  // namespace ranktide::sim
