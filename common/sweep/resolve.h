#pragma once
// From the settings that a cell sets to a trial: defaults, effects, types, steps, evals. Knows no grid, no file
// and no ids (identity.h). Pure functions.

#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"
#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

// Returns: every training setting that has an effect, defaults filled in; what has none is left out. The seed
// is not among them. Throws: SpecError when a required key is missing or the budget is not given exactly once.
SettingValues complete(const SettingValues& set);

// The two halves of complete(). Returns: one setting's value, nullopt where it has no effect or is off.
// Throws: SpecError when it is required and nothing sets it.
std::optional<Json> effective_value(const Setting& setting, const SettingValues& set);
// Throws: SpecError unless exactly one budget is set.
void check_budget(const SettingValues& set);

// Returns: the typed settings. Requires: `values` from complete(), with or without "seed".
TrialSettings trial_settings(const SettingValues& values);

// Returns: the same settings, these values among them. Requires: of what is optional as a whole (lora) `values`
// has everything or nothing.
TrialSettings with_values(TrialSettings settings, const SettingValues& values);

// What the inputs say of a trial's model and data; nullptr while they are unread.
struct TrialInputs {
  const ModelInput* model = nullptr;
  const DataInput* data = nullptr;
};
// Outlives: the inputs outlive what is returned.
TrialInputs inputs_of(const TrialSettings& settings, const Inputs& inputs);

// Returns: optimizer steps of the budget; 0 when it needs a data index that is unknown (nullptr) or empty.
//   epochs e: ceil(e * ceil(rows / batch))      tokens n: fewest steps whose expected tokens reach n
Step steps_of(const TrialSettings& settings, const DataInput* data);

// Returns: the evals that a cell sets, learn before retain, by name; with spec ids.
// Throws: SpecError when two evals have one name.
std::vector<EvalTask> evals_of(const SettingValues& set, const Inputs& inputs);

// Returns: the steps of eval.at and 0, sorted and distinct, cut at `steps`. Requires: steps > 0.
std::vector<Step> eval_steps(const SettingValues& set, const TrialSettings& settings, const DataInput* data,
                             Step steps);

// Returns: the label of a data regime without a rows axis of that name: stem of the data file and form of its
// rows.
std::string regime_label(const DataSettings& data);

}  // namespace ranktide
