#pragma once
// What fits where, by the simulation's own arithmetic: it knows what users asked for and which slots workers
// really have, and judges grants by that. Not the scheduler's formulas.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/records.h"

namespace ranktide::sim {

// With the model of sweep_for_tests a trial of rank 4 fits a small slot, and one of rank 8 does not.
inline constexpr int64_t kSmallSlotBytes = 3'535'000'000;
inline constexpr int64_t kLargeSlotBytes = 64'000'000'000;
inline constexpr int kRankOfSmallSlotMax = 4;

class Placing {
 public:
  void has_slots(const WorkerName& worker, const std::vector<Slot>& slots) { slots_[worker] = slots; }
  void asks_for_label(const std::string& sweep, const std::string& label) { labels_[sweep] = label; }

  void learn(const Record& record);
  // Returns: what is wrong with a grant; empty when its slots fit.
  std::string fault_of(const LeaseGranted& granted) const;

 private:
  void list(SweepNumber sweep, const SweepTrial& trial);
  std::string fault_of(const UnitId& unit, const Slot& slot) const;

  std::map<WorkerName, std::vector<Slot>> slots_;
  std::map<std::string, std::string> labels_;          // by name of the sweep that asks
  std::map<SweepNumber, std::string> label_of_sweep_;  // of those in force
  std::map<SweepNumber, std::set<UnitId>> listed_;     // by sweeps that ask for a label
  std::map<UnitId, int> ranks_;                        // of stages
};

}  // namespace ranktide::sim
