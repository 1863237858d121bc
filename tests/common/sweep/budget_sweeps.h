#pragma once
// Sweeps whose budgets vary, and what trunks save of them by the plain definition: every trial by itself is
// asked for its trunk, as the coordinator asks.

#include <algorithm>

#include "common/sweep/shared_work.h"
#include "common/sweep/trunk.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {

inline SweepSpec budgets(const std::string& train, const std::string& more = "",
                         const std::string& axis = "[10, 20, 40]") {
  return with_a_data_index(
      sweep("version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\ntrain: {lr: 1e-4, " + train +
            "}\naxes: {budget.steps: " + axis + "}\nmethod: lora\nlora.rank: 8\n" + more));
}

inline std::vector<TrialBranch> branches_in(const SweepSpec& spec, size_t of = 0) {
  const Grid grid(spec);
  return branches_of(trials_beside(grid, trials_of(spec).at(of)));
}

// Requires: every input of the spec was read.
inline SharedWork shared_work_of_each(const SweepSpec& spec) {
  const Grid grid(spec);
  SharedWork out;
  for (const SweepTrial& trial : trials_of(spec)) {
    const std::vector<TrialBranch> branches = branches_of(trials_beside(grid, trial));
    if (branches.empty()) continue;
    const auto own = std::find_if(branches.begin(), branches.end(),
                                  [&](const TrialBranch& branch) { return branch.trial.index == trial.index; });
    const Step trunk = own == branches.begin() ? own->place.to : 0;  // computed once, for the first of them
    ++out.trials;
    out.trunks += own == branches.begin() ? 1 : 0;
    out.alone += trial.steps;
    out.shared += trial.steps - own->place.at + trunk;
    out.saved[trial.blocks.front()] += own->place.at - trunk;
  }
  std::erase_if(out.saved, [](const auto& item) { return item.second == 0; });
  return out;
}

}  // namespace ranktide
