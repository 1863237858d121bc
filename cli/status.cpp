// `ranktide status` and `ranktide list`: where sweeps stand, and what is running.

#include <fmt/format.h>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/results.h"
#include "cli/terminal.h"

namespace ranktide::cli {
namespace {

Json status_json(const SweepStatus& s) {
  Json out = to_json(s);
  const auto left = seconds_left(s);
  out["seconds_left"] = left ? Json(*left) : Json(nullptr);
  return out;
}

void print_status(const SweepStatus& s) {
  const int64_t done = trials_in(s, "completed") + trials_in(s, "diverged");
  std::cout << fmt::format("{}  {}  {}/{} trials  run {}  diverged {}  failed {}", s.name, s.state, done,
                           s.trials_total, trials_in(s, "running"), trials_in(s, "diverged"),
                           trials_in(s, "failed"));
  if (s.revision > 1) std::cout << fmt::format("  revision {}", s.revision);
  if (const auto left = seconds_left(s)) std::cout << "  ETA " << duration_text(*left);
  std::cout << "\n";
  for (const RunningTrial& t : s.running)
    std::cout << fmt::format("  {}  {}  step {}/{}  attempt {}  {}:{}\n", t.trial.substr(0, 12), t.settings,
                             t.step, t.steps, t.attempt, t.worker, t.slots);
  if (s.waiting) std::cout << "  " << s.waiting->message << "\n";
}

int run_status(const std::string& sweep, const GlobalOptions& globals) {
  const auto found = Results(globals).sweeps(sweep);
  if (globals.json) {
    Json out = Json::array();
    for (const SweepStatus& s : found) out.push_back(status_json(s));
    std::cout << out.dump(2) << "\n";
    return kOk;
  }
  for (const SweepStatus& s : found) print_status(s);
  return kOk;
}

// One line a sweep, for many sweeps.
int run_list(const GlobalOptions& globals) {
  const auto found = Results(globals).sweeps("");
  if (globals.json) {
    Json out = Json::array();
    for (const SweepStatus& s : found) out.push_back(status_json(s));
    std::cout << out.dump(2) << "\n";
    return kOk;
  }
  std::cout << fmt::format("{:<24} {:<10} {:>13} {:>5} {:>6}  {}\n", "SWEEP", "STATE", "TRIALS", "RUN",
                           "FAILED", "OWNER");
  for (const SweepStatus& s : found) {
    const int64_t done = trials_in(s, "completed") + trials_in(s, "diverged");
    std::cout << fmt::format("{:<24} {:<10} {:>6}/{:<6} {:>5} {:>6}  {}\n", s.name, s.state, done,
                             s.trials_total, trials_in(s, "running"), trials_in(s, "failed"), s.owner);
  }
  return kOk;
}

}  // namespace

std::function<int()> setup_list(CLI::App&, const GlobalOptions& globals) {
  return [&globals] { return run_list(globals); };
}

std::function<int()> setup_status(CLI::App& command, const GlobalOptions& globals) {
  const auto sweep = std::make_shared<std::string>();
  command.add_option("sweep", *sweep, "name of a sweep; default: all");
  return [sweep, &globals] { return run_status(*sweep, globals); };
}

}  // namespace ranktide::cli
