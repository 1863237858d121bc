#pragma once
// Which part of a sweep a command takes, and what it adds to an earlier one: --extend, --budget and plan files,
// the same for plan, run and submit. Asks what it is given to ask; one thread.

#include <functional>
#include <optional>
#include <string>

#include "cli/makespan.h"
#include "cli/sweep_choice.h"
#include "cli/sweep_plan.h"

namespace ranktide::cli {

// Returns: the newest revision of the sweep of that name; nullopt when there is none.
using Earlier = std::function<std::optional<SweepSpec>(const std::string& name)>;

// Returns: the chosen sweep with its inputs, as it would be submitted. Requires: `spec` from chosen_sweep.
// Throws: SpecError, CommandError: of code kNotFound when there is nothing to extend.
PreparedSweep selected_sweep(SweepSpec spec, const SweepChoice& choice, const ContentSources& sources,
                             const Earlier& earlier);

// Leaves in the plan what --budget has room for. Returns: what was dropped; nullopt without a budget. Requires:
// predict() was told of all there is. Throws: CommandError, as within (hour_budget.h).
struct BudgetTaken {
  std::string text;
  std::vector<std::string> dropped;
};
std::optional<BudgetTaken> take_budget(SweepPlan& plan, const SweepChoice& choice, ComputedOn on);

}  // namespace ranktide::cli
