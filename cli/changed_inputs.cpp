#include "cli/changed_inputs.h"

#include <algorithm>

namespace ranktide::cli {
namespace {

// A folder stands in the settings, its files in the inputs.
bool stands_below(const std::string& root, const std::string& path) {
  return path == root || (!root.empty() && path.starts_with(root + "/"));
}

bool trains_on(const TrialSettings& settings, const std::string& path) {
  if (stands_below(settings.model.path, path) || stands_below(settings.model.tokenizer, path)) return true;
  if (settings.data.replay && stands_below(settings.data.replay->path, path)) return true;
  return std::any_of(settings.data.train.begin(), settings.data.train.end(),
                     [&](const DataSource& source) { return stands_below(source.path, path); });
}

bool is_evaluated_on(const SweepTrial& trial, const std::string& path) {
  return std::any_of(trial.evals.begin(), trial.evals.end(),
                     [&](const EvalTask& task) { return task.spec.data == path; });
}

std::string trials_read_text(int64_t trials) {
  return std::to_string(trials) + (trials == 1 ? " trial reads it" : " trials read it");
}

}  // namespace

std::vector<ChangedInput> changed_inputs(const Inputs& from, const Inputs& to,
                                         const std::vector<SweepTrial>& trials) {
  std::vector<ChangedInput> out;
  for (const auto& [path, content] : to.contents) {
    const auto before = from.contents.find(path);
    if (before == from.contents.end() || before->second.sha256 == content.sha256) continue;
    ChangedInput changed{.path = path};
    for (const SweepTrial& trial : trials) {
      changed.trials += trains_on(trial.settings, path) ? 1 : 0;
      changed.evaluated += is_evaluated_on(trial, path) ? 1 : 0;
    }
    if (changed.trials + changed.evaluated > 0) out.push_back(changed);
  }
  return out;
}

std::string readers_text(const ChangedInput& input) {
  if (input.trials == 0) return "evals of " + trials_read_text(input.evaluated);
  return trials_read_text(input.trials) +
         (input.evaluated > 0 ? ", and evals of " + std::to_string(input.evaluated) : "");
}

}  // namespace ranktide::cli
