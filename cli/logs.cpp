// `ranktide logs TRIAL`: what the trial's trainer printed, attempt by attempt, while it runs or afterwards.

#include <chrono>
#include <fmt/format.h>
#include <iostream>
#include <map>
#include <thread>

#include "cli/at_least.h"
#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/results.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace {

constexpr std::chrono::milliseconds kLookAgain{500};
// A worker sends what its trainers printed every two seconds: a log's end comes after its trial's.
constexpr std::chrono::milliseconds kLastWords{5'000};
constexpr int64_t kTailBytesMax = 1 << 20;  // what --tail looks at

struct LogOptions {
  std::string trial;
  int tail = 0;
  int attempt = 0;
  bool follow = false;
};

// The lines of one attempt's log, taken as it grows.
class LogLines {
 public:
  // tail: begin with the last so many lines; 0: with the first line.
  LogLines(const Results& results, TrialAttempt attempt, int tail)
      : results_(results), attempt_(std::move(attempt)), tail_(tail), offset_(tail > 0 ? -kTailBytesMax : 0) {}

  const TrialAttempt& attempt() const { return attempt_; }
  int64_t size() const { return size_; }

  // Returns: the lines that are there and were not taken; a last one that has no end yet when `is_final`.
  std::vector<std::string> take(bool is_final) {
    std::vector<std::string> lines;
    for (;;) {
      const LogPart part = results_.log_part(attempt_.lease, offset_);
      offset_ = part.offset + part.bytes;
      size_ = part.size;
      rest_ += part.text;
      cut_into(lines);
      if (part.bytes == 0) break;
    }
    if (is_final && !rest_.empty()) lines.push_back(std::exchange(rest_, ""));
    if (tail_ > 0 && std::ssize(lines) > tail_) lines.erase(lines.begin(), lines.end() - tail_);
    tail_ = 0;
    return lines;
  }

 private:
  void cut_into(std::vector<std::string>& lines) {
    size_t begin = 0;
    for (size_t end; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1)
      lines.push_back(rest_.substr(begin, end - begin));
    rest_.erase(0, begin);
  }

  const Results& results_;
  TrialAttempt attempt_;
  int tail_ = 0;
  int64_t offset_ = 0;
  int64_t size_ = 0;
  std::string rest_;
};

bool is_asked_for(const LogOptions& options, const TrialAttempt& attempt) {
  return options.attempt == 0 || options.attempt == attempt.lease.attempt;
}

void print_lines(const LogLines& log, const std::vector<std::string>& lines) {
  for (const std::string& line : lines)
    std::cout << fmt::format("[{} attempt {}] {}\n", log.attempt().worker, log.attempt().lease.attempt, line);
  std::cout.flush();
}

int show(const Results& results, const std::string& trial, const LogOptions& options, bool as_json) {
  Json out = Json::array();
  for (const TrialAttempt& attempt : results.history_of(trial).attempts) {
    if (!is_asked_for(options, attempt)) continue;
    LogLines log(results, attempt, options.tail);
    const auto lines = log.take(true);
    if (log.size() == 0)
      std::cerr << fmt::format("nothing of attempt {} has come from {} yet; its log lies there\n",
                               attempt.lease.attempt, attempt.worker);
    out.push_back({{"trial", trial},
                   {"unit", attempt.lease.unit.text},
                   {"attempt", attempt.lease.attempt},
                   {"worker", attempt.worker},
                   {"lines", lines}});
    if (!as_json) print_lines(log, lines);
  }
  if (as_json) std::cout << out.dump(2) << "\n";
  return kOk;
}

// Returns: whether there was anything.
bool print_new(std::map<Attempt, LogLines>& logs, bool is_final) {
  bool has_grown = false;
  for (auto& [number, log] : logs) {
    const auto lines = log.take(is_final);
    print_lines(log, lines);
    has_grown = has_grown || !lines.empty();
  }
  return has_grown;
}

// Prints what comes, attempt after attempt, until the trial is over and its log with it, or nobody reads any
// more. A trial that was over before is not waited for.
int follow(const Results& results, const std::string& trial, const LogOptions& options) {
  std::map<Attempt, LogLines> logs;
  bool was_running = false;
  for (std::chrono::milliseconds quiet{0}; quiet <= kLastWords; std::this_thread::sleep_for(kLookAgain)) {
    const TrialHistory history = results.history_of(trial);
    for (const TrialAttempt& attempt : history.attempts)
      if (is_asked_for(options, attempt))
        logs.try_emplace(attempt.lease.attempt, results, attempt, options.tail);
    const bool has_grown = print_new(logs, false);
    if (!std::cout) return kOk;
    const bool is_past =
        options.attempt > 0 && !logs.empty() && history.attempts.back().lease.attempt > options.attempt;
    const bool is_over = history.is_over || is_past;
    if (is_over && !was_running && has_grown) break;
    was_running = was_running || !is_over;
    quiet = is_over && !has_grown ? quiet + kLookAgain : std::chrono::milliseconds{0};
  }
  print_new(logs, true);
  return kOk;
}

int run_logs(const LogOptions& options, const GlobalOptions& globals) {
  if (options.follow && globals.json) throw CommandError(kUsage, "--follow prints lines; leave out --json");
  Results results(globals);
  const std::string trial = full_trial_id(results, options.trial);
  if (options.follow) results.outlive_restarts({.say = told_on_stderr(globals)});
  return options.follow ? follow(results, trial, options) : show(results, trial, options, globals.json);
}

}  // namespace

std::function<int()> setup_logs(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<LogOptions>();
  command.add_option("trial", options->trial, "trial id, or any unique beginning of one")->required();
  command.add_flag("-f,--follow", options->follow, "go on with what comes, until the trial is over");
  command.add_option("--tail", options->tail, "only the last N lines of each attempt")->check(at_least(1));
  command.add_option("--attempt", options->attempt, "only this attempt")->check(at_least(1));
  return [options, &globals] { return run_logs(*options, globals); };
}

}  // namespace ranktide::cli
