#include "cli/sweep_selection.h"

#include "cli/command.h"
#include "cli/hour_budget.h"
#include "cli/plan_file.h"
#include "common/sweep/spec_union.h"

namespace ranktide::cli {

PreparedSweep selected_sweep(SweepSpec spec, const SweepChoice& choice, const ContentSources& sources,
                             const Earlier& earlier) {
  // What an earlier revision lists and did not finish would be left out, were it dear.
  if (choice.extend && !choice.budget.empty())
    throw CommandError(
        kUsage,
        "--extend keeps all that the sweep lists, and --budget takes a part; write the part with "
        "`ranktide plan FILE --budget " +
            choice.budget + " -o part.jsonl`, then give part.jsonl with --extend");
  if (!choice.budget.empty()) read_hour_budget(choice.budget);  // before gigabytes are hashed
  PreparedSweep out = prepared(std::move(spec), choice.file, sources);
  if (is_plan_file(choice.file)) {
    require_inputs(out);
    require_as_planned(choice.file, out.spec);
  }
  if (!choice.extend) return out;
  require_inputs(out);
  const auto old = earlier(out.spec.name);
  if (!old)
    throw CommandError(kNotFound, "--extend: no sweep named " + out.spec.name +
                                      " was submitted before; without --extend it becomes a new one");
  out.spec = extended(*old, std::move(out.spec));
  return out;
}

std::optional<BudgetTaken> take_budget(SweepPlan& plan, const SweepChoice& choice, ComputedOn on) {
  if (choice.budget.empty()) return std::nullopt;
  const HourBudget budget = read_hour_budget(choice.budget);
  BudgetChoice taken = within(plan, budget, on);
  if (std::ssize(taken.taken) < plan.trials()) take_only(plan, taken.taken);
  std::string text = text_of(taken, budget);
  if (!plan.saved.empty())
    text +=
        "  each trial counts as if it trained alone: what trunks save of them is not taken off, "
        "so that the sweep may be over sooner\n";
  return BudgetTaken{.text = std::move(text), .dropped = std::move(taken.dropped)};
}

}  // namespace ranktide::cli
