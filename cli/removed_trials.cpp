#include "cli/removed_trials.h"

#include <algorithm>
#include <set>

#include "cli/coordinator_choice.h"
#include "cli/request.h"
#include "common/sweep/grid.h"

namespace ranktide::cli {
namespace {

constexpr size_t kTrialsOfARequest = 1'000;  // as a coordinator takes them

std::set<std::string> ids_listed(const SweepSpec& spec) {
  std::set<std::string> out;
  const Grid grid(spec);
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw)
    if (const auto trial = grid.at(raw)) out.insert(trial->id.text);
  return out;
}

}  // namespace

std::vector<std::string> removed_trials(const SweepSpec& old, const SweepSpec& spec,
                                        const std::vector<TrialStanding>& standings) {
  const std::set<std::string> before = ids_listed(old), now = ids_listed(spec);
  std::vector<std::string> out;
  for (const TrialStanding& trial : standings)
    if ((trial.state == "running" || trial.state == "ready") && before.contains(trial.trial) &&
        !now.contains(trial.trial))
      out.push_back(trial.trial);
  return out;
}

int64_t cancel_removed(const GlobalOptions& globals, const std::string& sweep,
                       const std::vector<std::string>& trials) {
  const HttpClient coordinator = require_coordinator(globals);
  for (size_t begin = 0; begin < trials.size(); begin += kTrialsOfARequest) {
    const size_t end = std::min(trials.size(), begin + kTrialsOfARequest);
    const Json named(std::vector<std::string>(trials.begin() + static_cast<std::ptrdiff_t>(begin),
                                              trials.begin() + static_cast<std::ptrdiff_t>(end)));
    post_command(coordinator, sweep_target(sweep, "cancel"), {{"trials", named}});
  }
  return static_cast<int64_t>(trials.size());
}

}  // namespace ranktide::cli
