#include "cli/sweep_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "cli/inputs.h"
#include "cli/terminal.h"
#include "common/sweep/sweep_yaml.h"
#include "coordinator/edge/reader.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct KnownTrials {
  std::set<std::string> done;
  std::set<std::string> resumable;
};

KnownTrials known_trials(const fs::path& data_folder) {
  KnownTrials known;
  if (!fs::exists(data_folder / "ranktide.db")) return known;
  const Reader reader(data_folder);
  for (const auto& row : reader.select("SELECT trial, state, step FROM v_trial").rows) {
    const auto& state = std::get<std::string>(row[1]);
    if (state == "completed" || state == "diverged")
      known.done.insert(std::get<std::string>(row[0]));
    else if (const auto* step = std::get_if<int64_t>(&row[2]); step && *step > 0)
      known.resumable.insert(std::get<std::string>(row[0]));
  }
  return known;
}

std::string equal_text(const BlockCount& block) {
  std::vector<std::string> parts;
  for (const auto& [other, cells] : block.equal_to) parts.push_back(fmt::format("{} of {}", cells, other));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string estimate_text(const SweepEstimate& e, int slots) {
  const std::string basis = e.measured ? "from trials measured here, ±30 %"
                                       : "from formulas, nothing measured here yet: within a factor of two";
  return fmt::format("estimate  {} on {} slot{} ({}); about {} of memory a trial\n",
                     duration_text(e.slot_seconds / slots), slots, slots == 1 ? "" : "s", basis,
                     bytes_text(static_cast<double>(e.memory_bytes)));
}

}  // namespace

SweepPlan make_plan(const std::string& file, const std::vector<std::string>& overrides,
                    const fs::path& data_folder, const std::function<void(const std::string&)>& say) {
  SweepPlan plan{.spec = read_sweep(file, overrides)};
  InputsRead read = read_inputs(plan.spec, data_folder / "cache", say);
  plan.spec.inputs = std::move(read.inputs);
  plan.unreadable = std::move(read.unreadable);
  const Grid grid(plan.spec);
  plan.blocks = grid.counts();
  const KnownTrials known = known_trials(data_folder);
  std::vector<SweepTrial> open;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    const auto trial = grid.at(raw);
    if (!trial) continue;
    plan.trials.push_back(*trial);
    if (known.done.contains(trial->id.text))
      ++plan.done;
    else
      open.push_back(*trial);
    if (known.resumable.contains(trial->id.text)) ++plan.resumable;
  }
  plan.estimate = estimate(open, plan.spec.inputs, measured_rates(data_folder));
  return plan;
}

std::string plan_text(const SweepPlan& plan, int slots) {
  size_t name_width = 5;
  for (const BlockCount& b : plan.blocks) name_width = std::max(name_width, b.block.size());
  std::string out;
  int64_t cells = 0, distinct = 0;
  for (const BlockCount& b : plan.blocks) {
    cells += b.cells, distinct += b.distinct();
    out += fmt::format("{:<{}}  {:>4} cells  {}", b.block, name_width, b.cells, fmt::join(b.axes, " x "));
    if (b.excluded > 0) out += fmt::format("  {} excluded", b.excluded);
    if (!b.equal_to.empty()) out += "  equal: " + equal_text(b);
    out += "\n";
  }
  const auto total = static_cast<int64_t>(plan.trials.size());
  out += fmt::format(
      "{:<{}}  {:>4} cells, {} distinct x {} seed{} = {} trials: {} done, {} resumable, {} new\n", "sum",
      name_width, cells, distinct, plan.spec.seeds.size(), plan.spec.seeds.size() == 1 ? "" : "s", total,
      plan.done, plan.resumable, total - plan.done - plan.resumable);
  for (const std::string& message : plan.unreadable) out += "warning: " + message + "\n";
  if (!plan.unreadable.empty()) out += "ids are provisional until these inputs can be read; `run` refuses\n";
  if (plan.estimate && total > plan.done) out += estimate_text(*plan.estimate, slots);
  return out;
}

}  // namespace ranktide::cli
