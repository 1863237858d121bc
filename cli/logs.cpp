// `ranktide logs TRIAL`: what the trial's trainer printed, attempt by attempt.

#include <deque>
#include <fmt/format.h>
#include <fstream>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/results.h"
#include "common/vocabulary/wire.h"
#include "worker/daemon/work_folder.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct LogOptions {
  std::string trial;
  int tail = 0;
  int attempt = 0;
};

std::string full_trial_id(const Results& results, const std::string& prefix) {
  const auto found = results.trials_with_prefix(prefix);
  if (found.empty())
    throw CommandError(kNotFound, "no trial whose id starts with \"" + prefix +
                                      "\"; `ranktide query SWEEP --trials` lists them");
  if (found.size() > 1)
    throw CommandError(kUsage,
                       fmt::format("\"{}\" begins {} trial ids, {} and {} among them; give more digits", prefix,
                                   found.size(), found[0].substr(0, 16), found[1].substr(0, 16)));
  return found[0];
}

// Returns: the last `count` lines of the file; all of them when count is 0.
std::deque<std::string> last_lines(const fs::path& file, int count) {
  std::ifstream in(file);
  std::deque<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
    if (count > 0 && lines.size() > static_cast<size_t>(count)) lines.pop_front();
  }
  return lines;
}

int run_logs(const LogOptions& options, const GlobalOptions& globals) {
  const fs::path data = data_folder(globals.data_dir);
  const Results results(globals);
  const std::string trial = full_trial_id(results, options.trial);
  Json out = Json::array();
  for (const TrialAttempt& attempt : results.attempts_of(trial)) {
    if (options.attempt > 0 && options.attempt != attempt.lease.attempt) continue;
    const fs::path file =
        WorkFolder::logs_of(data) / attempt.lease.unit.text / fmt::format("{}.log", attempt.lease.attempt);
    if (!fs::exists(file))
      std::cerr << "no log at " << file.string() << "; it lies on the worker that ran the attempt\n";
    const auto lines = last_lines(file, options.tail);
    out.push_back(
        {{"trial", trial}, {"attempt", attempt.lease.attempt}, {"file", file.string()}, {"lines", lines}});
    if (globals.json) continue;
    for (const std::string& line : lines)
      std::cout << fmt::format("[{} attempt {}] {}\n", attempt.worker, attempt.lease.attempt, line);
  }
  if (globals.json) std::cout << out.dump(2) << "\n";
  return kOk;
}

}  // namespace

std::function<int()> setup_logs(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<LogOptions>();
  command.add_option("trial", options->trial, "trial id, or any unique beginning of one")->required();
  command.add_option("--tail", options->tail, "only the last N lines of each attempt")
      ->check(CLI::PositiveNumber);
  command.add_option("--attempt", options->attempt, "only this attempt")->check(CLI::PositiveNumber);
  return [options, &globals] { return run_logs(*options, globals); };
}

}  // namespace ranktide::cli
