#include "common/text/row_shape.h"

#include <array>
#include <optional>

namespace ranktide {
namespace {

struct Pair {
  const char* prompt;
  const char* completion;
  Joint joint;
};
// In the order of search.
constexpr std::array kPairs{
    Pair{"prompt", "completion", Joint::nothing},  Pair{"prompt", "response", Joint::nothing},
    Pair{"context", "continuation", Joint::space}, Pair{"question", "answer", Joint::newline},
    Pair{"instruction", "output", Joint::newline}, Pair{"instruction", "response", Joint::newline},
    Pair{"problem", "solution", Joint::newline},   Pair{"problem", "answer", Joint::newline},
    Pair{"query", "response", Joint::newline},     Pair{"query", "answer", Joint::newline}};
constexpr std::array kTexts{"text", "content", "story"};
constexpr const char* kMessages = "messages";

bool is_open_to(DataFormat wanted, DataFormat format) {
  return wanted == DataFormat::automatic || wanted == format;
}

std::optional<std::string> named(const std::map<std::string, std::string>& fields, const char* role) {
  const auto it = fields.find(role);
  return it == fields.end() ? std::nullopt : std::optional(it->second);
}

Joint joint_of(const std::string& prompt, const std::string& completion) {
  for (const Pair& pair : kPairs)
    if (prompt == pair.prompt && completion == pair.completion) return pair.joint;
  return Joint::newline;
}

RowShape prompt_shape(const JsonRow& row, std::string prompt, std::string completion) {
  RowShape shape{.kind = RowKind::prompt, .prompt = std::move(prompt), .completion = std::move(completion)};
  shape.joint = joint_of(shape.prompt, shape.completion);
  if (shape.prompt == "instruction" && row.value.contains("input")) shape.input = "input";
  return shape;
}

std::optional<RowShape> shape_by_names(const JsonRow& row, const std::map<std::string, std::string>& fields) {
  for (const auto& [role, name] : fields)
    if (role != "prompt" && role != "completion" && role != "text" && role != "messages")
      throw DataError(row.where + ": data.fields names the role \"" + role +
                      "\"; roles are prompt, completion, text, messages");
  if (const auto messages = named(fields, "messages"))
    return RowShape{.kind = RowKind::messages, .messages = *messages};
  if (const auto text = named(fields, "text")) return RowShape{.kind = RowKind::text, .text = *text};
  const auto prompt = named(fields, "prompt");
  const auto completion = named(fields, "completion");
  if (!prompt && !completion) return std::nullopt;
  return prompt_shape(row, prompt.value_or("prompt"), completion.value_or("completion"));
}

std::optional<RowShape> shape_by_convention(const JsonRow& row, DataFormat wanted) {
  if (is_open_to(wanted, DataFormat::messages) && row.value.contains(kMessages))
    return RowShape{.kind = RowKind::messages, .messages = kMessages};
  if (is_open_to(wanted, DataFormat::prompt))
    for (const Pair& pair : kPairs)
      if (row.value.contains(pair.prompt) && row.value.contains(pair.completion))
        return prompt_shape(row, pair.prompt, pair.completion);
  if (is_open_to(wanted, DataFormat::text))
    for (const char* text : kTexts)
      if (row.value.contains(text)) return RowShape{.kind = RowKind::text, .text = text};
  return std::nullopt;
}

std::string field_names(const Json& row) {
  std::string names;
  for (const auto& [name, value] : row.items()) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : names;
}

}  // namespace

RowShape shape_of(const JsonRow& row, DataFormat wanted, const std::map<std::string, std::string>& fields) {
  auto shape = shape_by_names(row, fields);
  if (!shape) shape = shape_by_convention(row, wanted);
  if (!shape)
    throw DataError(row.where + ": no known fields (format " + std::string(text_of(wanted)) +
                    "; found: " + field_names(row.value) +
                    "); name them in the sweep file, as data.fields: {prompt: ..., completion: ...}"
                    " or {text: ...}");
  return *shape;
}

std::string description(const RowShape& shape) {
  switch (shape.kind) {
    case RowKind::text:
      return "text";
    case RowKind::messages:
      return "messages";
    case RowKind::prompt:
      break;
  }
  return "prompt (" + shape.prompt + (shape.input.empty() ? "" : " + " + shape.input) + " + " +
         shape.completion + ")";
}

std::string prompt_of(const JsonRow& row, const RowShape& shape) {
  const std::string prompt = text_field(row, shape.prompt);
  if (shape.input.empty() || !row.value.contains(shape.input)) return prompt;
  const std::string input = text_field(row, shape.input);
  return input.empty() ? prompt : prompt + "\n" + input;
}

}  // namespace ranktide
