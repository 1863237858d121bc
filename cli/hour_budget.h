#pragma once
// --budget 20h: the part of a sweep that fits so many hours of slots. Not a limit on what runs: trials that
// take longer than predicted take longer. Pure but for an error, which names what would measure this machine.

#include <cstdint>
#include <string>
#include <vector>

#include "cli/sweep_plan.h"

namespace ranktide::cli {

struct HourBudget {
  double hours = 0;              // of one slot
  std::optional<ComputedOn> on;  // gpuh, cpuh; nullopt: h, whatever the slots are
  std::string text;
};
// Returns: of `20h`, `20gpuh` (hours of GPUs) or `20cpuh` (of slots of CPU cores).
// Throws: CommandError of code kUsage for anything else.
HourBudget read_hour_budget(const std::string& text);

struct BudgetChoice {
  std::vector<int64_t> taken;        // raw indices
  std::vector<std::string> dropped;  // cells, each in a few words with what its seeds would take
  double hours = 0;                  // predicted of what is taken and not done
};
// Returns: whole cells in file order: each that fits what the ones before it have left, with all its seeds.
// What is done costs nothing. Throws: CommandError of code kUsage where times are not predicted, for a budget
// of another device than the plan's, and when not one cell fits.
BudgetChoice within(const SweepPlan& plan, const HourBudget& budget, ComputedOn on);

// Returns: `--budget 20h takes 40 of 234 trials, about 19.2 h; it leaves out`, a line for each cell, cut short.
std::string text_of(const BudgetChoice& choice, const HourBudget& budget);

}  // namespace ranktide::cli
