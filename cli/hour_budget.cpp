#include "cli/hour_budget.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/trial_label.h"
#include "common/sweep/scalar_text.h"

namespace ranktide::cli {
namespace {

constexpr double kSecondsPerHour = 3600;
constexpr size_t kDroppedShown = 20;

// A cell as it stands in the plan: its seeds are neighbours.
struct CellOfPlan {
  SweepTrial first;
  std::vector<int64_t> raw;
  double seconds = 0;  // of what is not trained
};

template <class Visit>
void for_each_cell(const SweepPlan& plan, const Visit& visit) {
  CellOfPlan cell;
  for_each_trial(plan, [&](const PlannedTrial& planned) {
    if (!cell.raw.empty() && planned.trial.cell != cell.first.cell) {
      visit(cell);
      cell = {};
    }
    if (cell.raw.empty()) cell.first = planned.trial;
    cell.raw.push_back(planned.trial.index);
    if (!is_trained(planned.fate)) cell.seconds += planned.cost->seconds;
  });
  if (!cell.raw.empty()) visit(cell);
}

void refuse_unpredicted(const SweepPlan& plan, const HourBudget& budget, ComputedOn on) {
  const std::string head = "--budget " + budget.text + ": ";
  if (!plan.estimate)
    throw CommandError(kUsage,
                       head + "no time is predicted while an input cannot be read: `ranktide plan` names it");
  if (budget.on && *budget.on != on)
    throw CommandError(kUsage,
                       head + (on == ComputedOn::cpu ? "the trials would run on CPU cores; write cpuh or h"
                                                     : "the trials would run on GPUs; write gpuh or h"));
  if (plan.estimate->basis == TimeBasis::none)
    throw CommandError(kUsage, head + "no time is predicted for GPUs before a trial has finished on one");
  if (plan.estimate->basis == TimeBasis::guess)
    throw CommandError(
        kUsage, head + "times are a first guess, which is no budget; " + remedy_of_guess(plan.timing->slots));
}

std::string hours_text(double seconds) {
  const double hours = seconds / kSecondsPerHour;
  return fmt::format("{:.{}f} h", hours, hours < 0.1 ? 4 : hours < 10 ? 2 : 1);
}

std::string label_of_cell(const SweepTrial& trial) {
  const std::string label = label_of(trial);
  return label.substr(0, label.rfind(" seed "));
}

}  // namespace

HourBudget read_hour_budget(const std::string& text) {
  const size_t unit = std::min(text.find_first_not_of("0123456789._eE+-"), text.size());
  const auto number = read_number(text.substr(0, unit));
  const std::string word = text.substr(unit);
  if (!number || !(*number > 0) || !std::isfinite(*number) || (word != "h" && word != "gpuh" && word != "cpuh"))
    throw CommandError(
        kUsage, "--budget " + text + ": write hours of slots: 20h, or 20gpuh of GPUs, or 20cpuh of CPU slots");
  HourBudget out{.hours = *number, .on = {}, .text = text};
  if (word == "gpuh") out.on = ComputedOn::gpu;
  if (word == "cpuh") out.on = ComputedOn::cpu;
  return out;
}

BudgetChoice within(const SweepPlan& plan, const HourBudget& budget, ComputedOn on) {
  refuse_unpredicted(plan, budget, on);
  BudgetChoice out;
  double left = budget.hours * kSecondsPerHour;
  for_each_cell(plan, [&](const CellOfPlan& cell) {
    if (cell.seconds > left) {
      out.dropped.push_back(cell.first.blocks.front() + "  " + label_of_cell(cell.first) + "  " +
                            hours_text(cell.seconds));
      return;
    }
    left -= cell.seconds;
    out.taken.insert(out.taken.end(), cell.raw.begin(), cell.raw.end());
  });
  if (out.taken.empty())
    throw CommandError(
        kUsage, "--budget " + budget.text + ": not one cell fits; the first would take " + out.dropped.front());
  out.hours = budget.hours - left / kSecondsPerHour;
  return out;
}

std::string text_of(const BudgetChoice& choice, const HourBudget& budget) {
  std::string out =
      fmt::format("--budget {} takes {} trial{}, about {}", budget.text, choice.taken.size(),
                  choice.taken.size() == 1 ? "" : "s", hours_text(choice.hours * kSecondsPerHour));
  if (choice.dropped.empty()) return out + ": all of them\n";
  out += fmt::format("; {} cell{} left out:\n", choice.dropped.size(),
                     choice.dropped.size() == 1 ? " is" : "s are");
  const size_t shown = std::min(choice.dropped.size(), kDroppedShown);
  for (size_t i = 0; i < shown; ++i) out += "  " + choice.dropped[i] + "\n";
  if (shown < choice.dropped.size())
    out += fmt::format("  and {} more; --json lists them\n", choice.dropped.size() - shown);
  return out;
}

}  // namespace ranktide::cli
