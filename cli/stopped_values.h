#pragma once
// Which values of a file stay stopped early when it is submitted. Weighs them as the coordinator does
// (coordinator/core/races.cpp), by what the past tells: a value stays out as long as, in each of its contests,
// somebody in the file has shown more at its rung and no seed of that one diverged. A part of known_trials.cpp.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cli/sweep_plan.h"

namespace ranktide::cli {

// Values that are looked at one by one, some 0.1 ms each. Of more that are out or have shown something nobody
// is looked at, and all that are out stay so.
inline constexpr size_t kWeighedMax = 20'000;

class StoppedValues {
 public:
  // Outlives: the grid outlives this.
  explicit StoppedValues(const Grid& grid);

  // `raw`: where the grid has this trial of the past.
  void add(int64_t raw, const TrialStanding& trial);

  // Tells what is stopped early, and adds the trials of values that are out which were never listed. Requires:
  // `known` are the trials that were added. Leaves them in any order.
  void mark(std::vector<KnownTrial>& known) const;

 private:
  using BestShown = std::map<std::pair<std::string, int>, double>;  // by contest and rung
  std::optional<Race> race_of(int64_t cell) const;
  BestShown best_shown() const;
  bool is_behind(int64_t cell, const StandingVerdict& verdict, const BestShown& best) const;
  std::set<int64_t> staying_out() const;

  const Grid& grid_;
  int64_t seeds_;
  std::string stopper_;  // how the past names this sweep by what its file says; empty: it stops nothing
  // By number of the cell over all blocks:
  std::map<int64_t, StandingVerdict> out_;
  std::map<int64_t, std::vector<StandingScore>> shown_;  // by the scout
  std::set<int64_t> diverged_cells_;
  std::set<int64_t> diverged_;  // raw indices
};

}  // namespace ranktide::cli
