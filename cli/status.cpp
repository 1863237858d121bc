// `ranktide status` and `ranktide list`: where sweeps stand, and what is running.

#include <algorithm>
#include <fmt/format.h>
#include <iostream>
#include <thread>
#include <unistd.h>

#include "cli/changing_text.h"
#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/patient_client.h"
#include "cli/remote_watch.h"
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

std::string stopped_text(const SweepStatus& s) {
  const int64_t stopped = trials_in(s, "stopped_early");
  return stopped > 0 ? fmt::format("  stopped early {}", stopped) : "";
}

std::string status_text(const SweepStatus& s) {
  const int64_t done = trials_in(s, "completed") + trials_in(s, "diverged");
  std::string out =
      fmt::format("{}  {}  {}/{} trials  run {}  diverged {}  failed {}", s.name, s.state, done, s.trials_total,
                  trials_in(s, "running"), trials_in(s, "diverged"), trials_in(s, "failed"));
  out += stopped_text(s);
  if (s.revision > 1) out += fmt::format("  revision {}", s.revision);
  if (const auto left = seconds_left(s)) out += "  ETA " + duration_text(*left);
  out += "\n";
  for (const RunningTrial& t : s.running)
    out += fmt::format("  {}  {}  step {}/{}  attempt {}  {}:{}\n", t.trial.substr(0, 12), t.settings, t.step,
                       t.steps, t.attempt, t.worker, t.slots);
  if (s.waiting) out += "  " + s.waiting->message + "\n";
  if (s.failed_evals) out += "  " + failed_evals_text(*s.failed_evals) + "\n";
  return out;
}

std::string status_text(const std::vector<SweepStatus>& sweeps, const GlobalOptions& globals) {
  std::string text;
  Json json = Json::array();
  for (const SweepStatus& s : sweeps) {
    text += status_text(s);
    json.push_back(status_json(s));
  }
  return globals.json ? json.dump(2) + "\n" : text;
}

int run_status(const std::string& sweep, const GlobalOptions& globals) {
  std::cout << status_text(Results(globals).sweeps(sweep), globals);
  return kOk;
}

// Of all sweeps, until none of them moves.
int watch_all(const GlobalOptions& globals) {
  Terminal terminal = terminal_of(STDOUT_FILENO, globals.color);
  terminal.is_terminal = terminal.is_terminal && !globals.json;
  ChangingText shown(std::cout, terminal);
  PatientClient client(globals, {.say = [&](const std::string& line) {
                         shown.leave();
                         told_on_stderr(globals)(line);
                       }});
  for (;;) {
    const std::vector<SweepStatus> sweeps = ask_status(client, "").value();
    shown.show(status_text(sweeps, globals));
    if (std::all_of(sweeps.begin(), sweeps.end(), is_at_rest)) return kOk;
    std::this_thread::sleep_for(std::chrono::seconds{1});
  }
}

int watch_status(const std::string& sweep, const GlobalOptions& globals) {
  if (sweep.empty()) return watch_all(globals);
  const auto last = watch(PatientClient(globals, {}), sweep, globals, std::nullopt);
  if (globals.json && last) std::cout << status_text({*last}, globals);
  return exit_code_of(last);
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
    std::cout << fmt::format("{:<24} {:<10} {:>6}/{:<6} {:>5} {:>6}  {}{}\n", s.name, s.state, done,
                             s.trials_total, trials_in(s, "running"), trials_in(s, "failed"), s.owner,
                             stopped_text(s));
  }
  return kOk;
}

}  // namespace

std::function<int()> setup_list(CLI::App&, const GlobalOptions& globals) {
  return [&globals] { return run_list(globals); };
}

std::function<int()> setup_status(CLI::App& command, const GlobalOptions& globals) {
  const auto sweep = std::make_shared<std::string>();
  const auto is_watched = std::make_shared<bool>(false);
  command.add_option("sweep", *sweep, "name of a sweep; default: all");
  command.add_flag("-w,--watch", *is_watched, "stay and show what changes, until nothing runs");
  return [=, &globals] { return *is_watched ? watch_status(*sweep, globals) : run_status(*sweep, globals); };
}

}  // namespace ranktide::cli
