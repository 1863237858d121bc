#include "common/sweep/eval_tasks.h"

#include <algorithm>
#include <array>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

struct EvalTaskDefaults {
  std::string_view name;
  EvalKind kind;
  int shots;
  std::string_view items;  // of which published set
};

// Shots are those of lm-evaluation-harness; a sweep that follows another source writes its own.
constexpr std::array<EvalTaskDefaults, 6> kTasks{{
    {"hellaswag", EvalKind::choice, 0, "HellaSwag, validation"},
    {"arc_challenge", EvalKind::choice, 0, "ARC-Challenge, test"},
    {"winogrande", EvalKind::choice, 0, "WinoGrande XL, validation"},
    {"mmlu", EvalKind::choice, 0, "MMLU, test"},
    {"gsm8k", EvalKind::generate, 5, "GSM8K, test"},
    {"humaneval", EvalKind::code, 0, "HumanEval"},
}};

const EvalTaskDefaults* find_task(std::string_view name) {
  const auto it = std::find_if(kTasks.begin(), kTasks.end(), [&](auto& task) { return task.name == name; });
  return it == kTasks.end() ? nullptr : &*it;
}

std::string rows_of(const EvalTaskDefaults& task) {
  if (task.name == "winogrande") return "{context_options, continuation, gold}";
  if (task.kind == EvalKind::choice) return "{query, choices, gold}";
  return "{prompt, completion}";
}

}  // namespace

Json with_task_defaults(const std::string& name, Json entry) {
  const EvalTaskDefaults* const task = find_task(name);
  if (!task) return entry;
  const std::string kind(text_of(task->kind));
  if (entry.value("kind", kind) == kind) {
    entry["kind"] = kind;
    if (task->shots > 0) entry.emplace("shots", task->shots);
  }
  entry.emplace("data", std::string(kTaskPrefix).append(name));
  return entry;
}

std::vector<std::string_view> task_names() {
  std::vector<std::string_view> out;
  for (const auto& task : kTasks) out.push_back(task.name);
  return out;
}

std::string missing_items(const std::string& data) {
  RT_CHECK(is_task_text(data));
  const EvalTaskDefaults* const task = find_task(std::string_view(data).substr(kTaskPrefix.size()));
  if (!task) return data + ": there is no built-in task of this name; write data: FILE";
  return "eval " + std::string(task->name) + ": its items (" + std::string(task->items) +
         ") are not part of ranktide; write data: FILE.jsonl with one row " + rows_of(*task) + " an item";
}

bool is_generated(EvalKind kind) {
  return kind == EvalKind::generate || kind == EvalKind::code;
}

bool is_of_generated_answers(std::string_view key) {
  return key == "samples" || key == "temperature" || key == "top_p";
}

std::optional<std::string> unbuilt(const EvalSpec& spec) {
  if (!is_generated(spec.kind)) return std::nullopt;
  const std::string name = is_task_text(spec.data) ? spec.data.substr(kTaskPrefix.size()) : spec.data;
  return "eval " + name + ": kind " + std::string(text_of(spec.kind)) +
         " can be planned, not run yet, since no trainer writes answers; take kind: loss with a file of rows "
         "{prompt, completion}, or leave the eval out";
}

}  // namespace ranktide
