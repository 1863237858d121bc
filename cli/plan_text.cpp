#include "cli/plan_text.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/terminal.h"
#include "common/sweep/overrides.h"
#include "common/sweep/tuning_check.h"

namespace ranktide::cli {
namespace {

using Row = std::array<std::string, 7>;
constexpr std::array kRightAligned{false, false, true, false, true, false, false};

std::string size_text(int64_t bytes) {
  return bytes_text(static_cast<double>(bytes));
}

std::string between_text(const std::string& least, const std::string& most) {
  return least == most ? least : least + " to " + most;
}

// Slots are counted in hours, however many: a day of a slot is nobody's day.
std::string slot_time_text(double seconds) {
  constexpr double kHour = 3600;
  if (seconds < kHour) return duration_text(seconds);
  return fmt::format("{:.{}f} h", seconds / kHour, seconds < 100 * kHour ? 1 : 0);
}

bool is_known(TimeBasis basis) {
  return basis == TimeBasis::products || basis == TimeBasis::trials;
}

std::string equal_text(const BlockCount& block) {
  std::vector<std::string> parts;
  for (const auto& [other, cells] : block.equal_to) parts.push_back(fmt::format("{} of {}", cells, other));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string axes_text(const BlockCount& block) {
  std::string out = fmt::format("{}", fmt::join(block.axes, " x "));
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : " ") + part; };
  if (block.is_drawn)
    add(block.drawn_of ? fmt::format("({} drawn of {})", block.cells - block.included, *block.drawn_of)
                       : fmt::format("({} drawn)", block.cells - block.included));
  if (block.included > 0) add(fmt::format("+ {} included", block.included));
  return out;
}

std::string trial_text(const CostRange& range) {
  const std::string memory = between_text(size_text(range.memory_bytes_min), size_text(range.memory_bytes_max));
  if (!is_known(range.basis)) return memory;
  return between_text(duration_text(range.seconds_min), duration_text(range.seconds_max)) + ", " + memory;
}

Row row_of(const SweepPlan& plan, const BlockCount& block) {
  Row out{block.block,
          axes_text(block),
          std::to_string(block.cells),
          equal_text(block),
          std::to_string(block.trials),
          "",
          ""};
  if (const auto range = cost_range(plan, block.block)) {
    out[5] = "a trial " + trial_text(*range);
    if (is_known(range->basis))
      out[6] = fmt::format("{} of slots ±{:.0f} %", slot_time_text(range->slot_seconds), 100 * range->spread);
  }
  return out;
}

std::string rules_text(const SweepPlan& plan, const BlockCount& count) {
  std::string out;
  const auto block = std::find_if(plan.spec.blocks.begin(), plan.spec.blocks.end(),
                                  [&](const Block& b) { return b.name == count.block; });
  for (size_t r = 0; r < count.excluded_by_rule.size(); ++r) {
    if (count.excluded_by_rule[r] == 0) continue;
    const Rule& rule = block->exclude[r];
    out +=
        fmt::format("  {} \"{}\" removes {} of {} cells\n", rule.where == kOnlyRule ? "--only" : "exclude",
                    shown_rule(rule), count.excluded_by_rule[r], count.cells - count.included + count.excluded);
  }
  return out;
}

// Columns as wide as their widest cell; what is empty in all rows is left out.
std::string table_text(const std::vector<Row>& rows, const std::vector<std::string>& below) {
  std::array<size_t, std::tuple_size_v<Row>> widths{};
  for (size_t r = 1; r < rows.size(); ++r)
    for (size_t c = 0; c < widths.size(); ++c) widths[c] = std::max(widths[c], rows[r][c].size());
  for (size_t c = 0; c < widths.size(); ++c)
    if (widths[c] > 0) widths[c] = std::max(widths[c], rows[0][c].size());
  std::string out;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (size_t c = 0; c < widths.size(); ++c) {
      if (widths[c] == 0) continue;
      const std::string gap = line.empty() ? "" : "  ";
      line += gap + (kRightAligned[c] ? fmt::format("{:>{}}", rows[r][c], widths[c])
                                      : fmt::format("{:<{}}", rows[r][c], widths[c]));
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n" + below[r];
  }
  return out;
}

std::string blocks_text(const SweepPlan& plan) {
  std::vector<Row> rows{{"block", "axes", "cells", "equal", "trials", "", ""}};
  std::vector<std::string> below{""};
  for (const BlockCount& block : plan.blocks) {
    rows.push_back(row_of(plan, block));
    below.push_back(rules_text(plan, block));
  }
  return table_text(rows, below);
}

// Every line under the table begins with what it speaks of, as the table's lines do.
std::string head_text(const SweepPlan& plan, const std::string& word) {
  size_t width = 5;
  for (const BlockCount& block : plan.blocks) width = std::max(width, block.block.size());
  return fmt::format("{:<{}}  ", word, width);
}

std::string sum_text(const SweepPlan& plan) {
  int64_t cells = 0, distinct = 0;
  for (const BlockCount& block : plan.blocks) cells += block.cells, distinct += block.distinct();
  const auto total = plan.trials();
  const int64_t running = plan.count(Fate::running);
  const int64_t stopped = plan.count(Fate::stopped_early);
  return head_text(plan, "sum") +
         fmt::format("{} cells, {}{} distinct x {}{} {}: {} done, {}{} resumable, {}{} new\n", cells,
                     distinct < cells ? fmt::format("{} equal, ", cells - distinct) : "", distinct,
                     counted(static_cast<int64_t>(plan.spec.seeds.size()), "seed"),
                     plan.spec.taken ? ", taken" : " =", counted(total, "trial"), total - plan.left() - stopped,
                     stopped > 0 ? fmt::format("{} stopped early, ", stopped) : "", plan.count(Fate::resumable),
                     running > 0 ? fmt::format("{} running, ", running) : "", plan.count(Fate::fresh));
}

std::string tuning_text(const SweepPlan& plan) {
  if (!plan.spec.tune) return "";
  const Tuning& tune = *plan.spec.tune;
  return head_text(plan, "tune") +
         fmt::format("{} by {}{}\n", fmt::join(tune.axes, ", "), tune.by.empty() ? "learning" : tune.by,
                     may_be_extended(plan.spec)
                         ? fmt::format("; up to {} more values where the best one is an end: not counted here",
                                       tune.extend)
                         : "");
}

std::string not_kept_text(const SweepPlan& plan) {
  const int64_t trials = plan.not_kept();
  if (trials == 0) return "";
  return fmt::format(
      "note: {} finished trial{} left less than run.keep: {} asks for now, and a finished trial is not trained "
      "again; another --data-dir trains {} anew\n",
      trials, trials == 1 ? "" : "s", text_of(plan.spec.run.keep), trials == 1 ? "it" : "them");
}

std::string evals_text(const SweepPlan& plan) {
  std::string out;
  if (const int64_t n = plan.count(Fate::evals); n > 0)
    out += fmt::format("evals  {} get{} only new evals (from kept weights)\n", counted(n, "trial"),
                       n == 1 ? "s" : "");
  const int64_t lost = plan.count(Fate::evals_lost);
  if (lost == 0) return out;
  double seconds = 0;
  bool is_costed = true;
  for (const PlannedGroup& group : plan.groups) {
    if (group.fate != Fate::evals_lost) continue;
    is_costed = is_costed && group.cost && is_known(group.cost->basis);
    seconds += group.cost ? static_cast<double>(group.trials) * group.seconds() : 0;
  }
  return out +
         fmt::format(
             "evals  {} ended without weights to run new evals on (run.keep), so that these stay missing; "
             "training {} again, in another --data-dir, {}\n",
             counted(lost, "trial"), lost == 1 ? "it" : "them",
             is_costed ? "takes " + slot_time_text(seconds) + " of slots" : "is not predicted");
}

std::string basis_text(const SweepEstimate& e, const TimedSlots& slots) {
  std::string out = phrase_of(e.basis, slots);
  if (e.basis == TimeBasis::trials)
    out =
        fmt::format("{}, {}{}", out, e.trials, e.is_same_shape ? " of the same shape" : " of other shapes too");
  if (is_known(e.basis)) out += fmt::format(", ±{:.0f} %", 100 * e.spread);
  return out;
}

std::string time_text(const SweepEstimate& e, const Makespan& makespan) {
  if (e.basis == TimeBasis::none || makespan.slots == 0) return "no time";
  const double least = e.slot_seconds > 0 ? e.slot_seconds_min / e.slot_seconds : 1;
  const double most = e.slot_seconds > 0 ? e.slot_seconds_max / e.slot_seconds : 1;
  return fmt::format(
      "{} ({})", duration_text(makespan.seconds),
      between_text(duration_text(makespan.seconds * least), duration_text(makespan.seconds * most)));
}

std::string kept_text(const SweepPlan& plan, const Makespan& makespan) {
  const SweepEstimate& e = *plan.estimate;
  const int64_t at_once = std::min(makespan.slots, plan.left());
  const std::string what = plan.spec.run.keep == Keep::none
                               ? "nothing is kept"
                               : "run.keep: " + std::string(text_of(plan.spec.run.keep));
  return fmt::format("disk   {} stay ({}); up to {} of checkpoints while trials run\n", size_text(e.kept_bytes),
                     what, size_text(e.checkpoint_bytes * at_once));
}

std::string unplaced_text(const Unplaced& unplaced) {
  if (unplaced.trials == 0) return "";
  const std::string who =
      fmt::format("memory {}: {} need", fmt::join(unplaced.blocks, ", "), counted(unplaced.trials, "trial"));
  if (unplaced.lacks_slots)
    return fmt::format("{}{} a slot as run.needs says, and none is there: {} for one\n", who,
                       unplaced.trials == 1 ? "s" : "", unplaced.trials == 1 ? "it waits" : "they wait");
  return fmt::format("{}{} up to {} on one device, largest slot has {}: {} for a larger one\n", who,
                     unplaced.trials == 1 ? "s" : "", size_text(unplaced.memory_bytes),
                     size_text(unplaced.slot_bytes_max), unplaced.trials == 1 ? "it waits" : "they wait");
}

std::string estimate_text(const SweepPlan& plan, const SlotsThere& there) {
  if (!plan.estimate || plan.left() == 0) return "";
  const Makespan makespan = makespan_of(plan, there);
  const SweepEstimate& e = *plan.estimate;
  return fmt::format("estimate  {} on {}{} (basis: {}); about {} ±{:.0f} % of memory a trial\n",
                     time_text(e, makespan), counted(makespan.slots, "slot"),
                     there.are_workers ? " of workers" : "", basis_text(e, plan.timing->slots),
                     size_text(e.memory_bytes), 100 * e.memory_spread) +
         kept_text(plan, makespan) + unplaced_text(makespan.unplaced);
}

}  // namespace

std::string shown_rule(const Rule& rule) {
  constexpr std::string_view kNot = "not (";
  if (rule.where != kOnlyRule || !rule.text.starts_with(kNot)) return rule.text;
  return rule.text.substr(kNot.size(), rule.text.size() - kNot.size() - 1);
}

std::string plan_text(const SweepPlan& plan, const SlotsThere& there) {
  std::string out = blocks_text(plan) + sum_text(plan) + tuning_text(plan);
  for (const std::string& line : plan.sharing) out += "sharing: " + line + "\n";
  if (plan.worked_out < plan.kinds)
    out += fmt::format(
        "note: {} kinds of trials cost apart, of which {} were worked out; the others count as those "
        "beside them, and the largest may need more memory\n",
        plan.kinds, plan.worked_out);
  for (const std::string& message : plan.warnings) out += message + "\n";
  for (const std::string& message : plan.unreadable) out += "warning: " + message + "\n";
  out += evals_text(plan) + not_kept_text(plan);
  if (!plan.unreadable.empty()) out += "ids are provisional until these inputs can be read; `run` refuses\n";
  return out + estimate_text(plan, there);
}

}  // namespace ranktide::cli
