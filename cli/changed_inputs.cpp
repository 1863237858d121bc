#include "cli/changed_inputs.h"

#include <algorithm>

#include "common/sweep/cell_census.h"

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

bool may_name_file(const Setting& setting) {
  return setting.key.starts_with("model.") || setting.key.starts_with("data.") ||
         setting.part == SettingPart::eval;
}

// Trials that read the same files, and one of them.
struct Readers {
  SweepTrial trial;
  int64_t trials = 0;
};

std::vector<Readers> readers_in(const Grid& grid) {
  Telling files;
  for (const Setting& setting : settings())
    if (may_name_file(setting)) files.by_value.emplace(setting.key);
  const CellCensus census(grid, {files});
  std::vector<Readers> out;
  for (const TrialsAlike& alike : census.groups())
    out.push_back({.trial = sample_of(grid, alike), .trials = alike.trials});
  return out;
}

std::string trials_read_text(int64_t trials) {
  return std::to_string(trials) + (trials == 1 ? " trial reads it" : " trials read it");
}

}  // namespace

std::vector<ChangedInput> changed_inputs(const Inputs& from, const Grid& grid) {
  std::vector<ChangedInput> out;
  for (const auto& [path, content] : grid.spec().inputs.contents)
    if (const auto before = from.contents.find(path);
        before != from.contents.end() && before->second.sha256 != content.sha256)
      out.push_back({.path = path});
  if (out.empty()) return out;
  for (const Readers& readers : readers_in(grid))
    for (ChangedInput& changed : out) {
      if (trains_on(readers.trial.settings, changed.path)) changed.trials += readers.trials;
      if (is_evaluated_on(readers.trial, changed.path)) changed.evaluated += readers.trials;
    }
  std::erase_if(out, [](const ChangedInput& changed) { return changed.trials + changed.evaluated == 0; });
  return out;
}

std::string readers_text(const ChangedInput& input) {
  if (input.trials == 0) return "evals of " + trials_read_text(input.evaluated);
  return trials_read_text(input.trials) +
         (input.evaluated > 0 ? ", and evals of " + std::to_string(input.evaluated) : "");
}

}  // namespace ranktide::cli
