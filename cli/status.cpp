// `ranktide status`: where sweeps stand, and what is running.

#include <fmt/format.h>

#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/terminal.h"
#include "common/vocabulary/wire.h"
#include "coordinator/edge/query_status.h"

namespace ranktide::cli {
namespace {

int64_t count_of(const SweepStatus& s, const std::string& state) {
  const auto found = s.trials.find(state);
  return found == s.trials.end() ? 0 : found->second;
}

std::optional<double> seconds_left(const SweepStatus& s) {
  if (!s.seconds_per_step || s.slots_at_work == 0) return std::nullopt;
  return static_cast<double>(s.steps_left) * *s.seconds_per_step / static_cast<double>(s.slots_at_work);
}

Json status_json(const SweepStatus& s) {
  Json running = Json::array();
  for (const RunningTrial& t : s.running)
    running.push_back({{"trial", t.trial}, {"attempt", t.attempt}, {"worker", t.worker}, {"slots", t.slots},
                       {"step", t.step}, {"steps", t.steps}, {"settings", t.settings}});
  const auto left = seconds_left(s);
  return {{"sweep", s.name}, {"revision", s.revision}, {"state", s.state}, {"trials", s.trials},
          {"trials_total", s.trials_total}, {"evals_missing", s.evals_missing}, {"running", running},
          {"seconds_left", left ? Json(*left) : Json(nullptr)}};
}

void print_status(const SweepStatus& s) {
  const int64_t done = count_of(s, "completed") + count_of(s, "diverged");
  std::cout << fmt::format("{}  {}  {}/{} trials  run {}  diverged {}  failed {}", s.name, s.state, done, s.trials_total,
                           count_of(s, "running"), count_of(s, "diverged"), count_of(s, "failed"));
  if (s.revision > 1) std::cout << fmt::format("  revision {}", s.revision);
  if (const auto left = seconds_left(s)) std::cout << "  ETA " << duration_text(*left);
  std::cout << "\n";
  for (const RunningTrial& t : s.running)
    std::cout << fmt::format("  {}  {}  step {}/{}  attempt {}  {}:{}\n", t.trial.substr(0, 12), t.settings, t.step,
                             t.steps, t.attempt, t.worker, t.slots);
}

int run_status(const std::string& sweep, const GlobalOptions& globals) {
  const Reader reader(data_folder(globals.data_dir));
  std::vector<SweepStatus> found;
  if (sweep.empty()) {
    found = all_sweep_status(reader);
  } else {
    auto one = sweep_status(reader, sweep);
    if (!one) throw CommandError(kNotFound, "no sweep named \"" + sweep + "\"; `ranktide status` lists them");
    found.push_back(*one);
  }
  if (globals.json) {
    Json out = Json::array();
    for (const SweepStatus& s : found) out.push_back(status_json(s));
    std::cout << out.dump(2) << "\n";
    return kOk;
  }
  for (const SweepStatus& s : found) print_status(s);
  return kOk;
}

}  // namespace

std::function<int()> setup_status(CLI::App& command, const GlobalOptions& globals) {
  const auto sweep = std::make_shared<std::string>();
  command.add_option("sweep", *sweep, "name of a sweep; default: all");
  return [sweep, &globals] { return run_status(*sweep, globals); };
}

}  // namespace ranktide::cli
