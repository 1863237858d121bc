#pragma once
// The eval tasks that are known by name, and which kinds of eval can be run so far. A task brings how it is
// asked; its items are a file of the user's, for nothing is downloaded. Not the items (common/text/eval_items)
// and not their scores. Pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/vocabulary/trial.h"
#include "common/vocabulary/wire.h"

namespace ranktide {

// Stands where the file of a task's items would: `task:hellaswag`. A sweep with one is planned, not run.
inline constexpr std::string_view kTaskPrefix = "task:";
inline bool is_task_text(std::string_view data) {
  return data.starts_with(kTaskPrefix);
}

// Returns: the settings of an eval of this name with what its task brings filled in, where there is such a
// task: its data, and the rest as long as `kind` is the task's own.
Json with_task_defaults(const std::string& name, Json entry);

// Returns: every task's name.
std::vector<std::string_view> task_names();

// Returns: which file a task lacks and what stands in it. Requires: is_task_text(data).
std::string missing_items(const std::string& data);

// Returns: whether the model writes answers, in place of having texts scored.
bool is_generated(EvalKind kind);
// Returns: whether a key of an eval means something for generated answers only.
bool is_of_generated_answers(std::string_view key);

// Returns: why nobody can run the eval yet, and what to do instead; nullopt when it can be run. A sweep with
// such an eval is planned; `run`, `submit` and the coordinator refuse it.
std::optional<std::string> unbuilt(const EvalSpec& spec);

}  // namespace ranktide
