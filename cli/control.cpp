// What users do to a sweep while it runs: pause, resume, stop, cancel, retry, set. Each is one request to the
// coordinator, which decides; the words are those of coordinator/core/coordinator.h.

#include <fmt/format.h>
#include <iostream>

#include "cli/at_least.h"
#include "cli/command.h"
#include "cli/consent.h"
#include "cli/coordinator_choice.h"
#include "cli/exit_codes.h"
#include "cli/request.h"

namespace ranktide::cli {
namespace {

struct ControlOptions {
  std::string sweep;
  std::vector<std::string> trials;  // --trial
  bool failed = false;              // --failed
  bool is_sure = false;             // --yes
};

void require_consent_to_cancel(const ControlOptions& options) {
  const std::string what = options.trials.empty()
                               ? "sweep " + options.sweep
                               : std::to_string(options.trials.size()) + " trials of sweep " + options.sweep;
  require_consent("cancel " + what + " and kill what runs of it?", options.is_sure,
                  "nothing was cancelled; `stop` lets what runs come to its end");
}

int tell(const GlobalOptions& globals, const std::string& sweep, const std::string& action, const Json& body) {
  const Json answer = post_command(require_coordinator(globals), sweep_target(sweep, action), body);
  if (globals.json)
    std::cout << answer.dump(2) << "\n";
  else if (!globals.quiet)
    std::cerr << answer.value("now", "") << "\n";
  return kOk;
}

// Returns: the choice of trials; empty for the whole sweep.
Json choice_of(const ControlOptions& options) {
  Json out = Json::object();
  if (!options.trials.empty()) out["trials"] = options.trials;
  if (options.failed) out["failed"] = true;
  return out;
}

std::function<int()> setup_action(CLI::App& app, const GlobalOptions& globals, const char* action) {
  const auto options = std::make_shared<ControlOptions>();
  const bool is_destructive = std::string(action) == "cancel";
  const bool is_retry = std::string(action) == "retry";
  app.add_option("sweep", options->sweep, "name of the sweep")->required();
  if (is_destructive || is_retry)
    app.add_option("--trial", options->trials, "only this trial: its id or the beginning of it; repeatable")
        ->allow_extra_args(false);
  if (is_retry) app.add_flag("--failed", options->failed, "only what failed, also while the sweep runs");
  if (is_destructive) app.add_flag("--yes", options->is_sure, "do not ask");
  return [options, &globals, action, is_destructive] {
    if (is_destructive) require_consent_to_cancel(*options);
    return tell(globals, options->sweep, action, choice_of(*options));
  };
}

struct PolicyOptions {
  std::string sweep;
  std::optional<int> priority;
  std::optional<int> max_parallel;
};

int set_policy(const PolicyOptions& options, const GlobalOptions& globals) {
  if (!options.priority && !options.max_parallel)
    throw CommandError(kUsage, "nothing to set: give --priority, --max-parallel, or both");
  if (options.priority) tell(globals, options.sweep, "priority", {{"priority", *options.priority}});
  if (options.max_parallel)
    tell(globals, options.sweep, "max_parallel", {{"max_parallel", *options.max_parallel}});
  return kOk;
}

}  // namespace

std::function<int()> setup_pause(CLI::App& command, const GlobalOptions& globals) {
  return setup_action(command, globals, "pause");
}
std::function<int()> setup_resume(CLI::App& command, const GlobalOptions& globals) {
  return setup_action(command, globals, "resume");
}
std::function<int()> setup_stop(CLI::App& command, const GlobalOptions& globals) {
  return setup_action(command, globals, "stop");
}
std::function<int()> setup_cancel(CLI::App& command, const GlobalOptions& globals) {
  return setup_action(command, globals, "cancel");
}
std::function<int()> setup_retry(CLI::App& command, const GlobalOptions& globals) {
  return setup_action(command, globals, "retry");
}

std::function<int()> setup_set(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<PolicyOptions>();
  command.add_option("sweep", options->sweep, "name of the sweep")->required();
  command.add_option("--priority", options->priority, "higher goes first");
  command.add_option("--max-parallel", options->max_parallel, "slots at a time; 0: no limit")
      ->check(at_least(0));
  return [options, &globals] { return set_policy(*options, globals); };
}

}  // namespace ranktide::cli
