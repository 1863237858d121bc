#pragma once
// Which fields of a JSON row hold what, by the names that TRL, llm-foundry and the common data sets use, or by
// `data.fields`. Found once per file, from its first row. Free functions; any thread.

#include <map>
#include <string>

#include "common/text/data_files.h"
#include "common/text/prompt_form.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

enum class RowKind { text, prompt, messages };

struct RowShape {
  RowKind kind = RowKind::text;
  std::string text;    // field of kind text
  std::string prompt;  // fields of kind prompt
  std::string input;   // a second part of the prompt, on its own line where it is not empty; may be absent
  std::string completion;
  std::string messages;  // field of kind messages
  Joint joint = Joint::nothing;
};

// `wanted` narrows the search (data.format); `fields` maps roles (prompt, completion, text, messages) to names.
// Throws: DataError that names the fields that were found and those that would do.
RowShape shape_of(const JsonRow& row, DataFormat wanted, const std::map<std::string, std::string>& fields);

// Returns: for people: `text`, `prompt (question + answer)`, `messages`.
std::string description(const RowShape& shape);

// Returns: the prompt of a row of kind prompt, with its input.
std::string prompt_of(const JsonRow& row, const RowShape& shape);

}  // namespace ranktide
