#include "common/text/chat.h"

#include <algorithm>
#include <string_view>

#include "common/text/data_files.h"
#include "common/text/unicode.h"

namespace ranktide {
namespace {

constexpr const char* kRemedy =
    "; built in are ChatML (SmolLM2, Qwen2, Qwen2.5) and Llama 3; give the form yourself as data.template with "
    "{prompt} "
    "and {completion}";

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

Span control(std::string token) {
  return {.text = std::move(token), .kind = SpanKind::control};
}
Span text(std::string words) {
  return {.text = std::move(words)};
}

// jinja's `trim` is Python's str.strip(), whose white space includes the four separators U+001C to U+001F.
bool python_strips(char32_t c) {
  return is_white_space(c) || (c >= 0x1C && c <= 0x1F);
}

std::string trimmed(const std::string& content) {
  const std::string valid = valid_utf8(content);
  std::string_view rest = valid;
  while (!rest.empty() && python_strips(first_code_point(rest).value))
    rest.remove_prefix(first_code_point(rest).bytes);
  while (!rest.empty() && python_strips(last_code_point(rest).value))
    rest.remove_suffix(last_code_point(rest).bytes);
  return std::string(rest);
}

// The system prompt that a ChatML template speaks when the conversation brings none: the literal text that
// stands in it between its own <|im_start|>system and <|im_end|>.
std::string default_system_of(const std::string& jinja) {
  for (const std::string_view start : {"<|im_start|>system\n", "<|im_start|>system\\n"}) {
    for (size_t at = jinja.find(start); at != std::string::npos; at = jinja.find(start, at + 1)) {
      const size_t from = at + start.size();
      const size_t to = jinja.find("<|im_end|>", from);
      const std::string words = to == std::string::npos ? "" : jinja.substr(from, to - from);
      // A quote or brace means that the text is put together from variables: the branch for a given system
      // message.
      if (!words.empty() && words.find_first_of("'\"{}\\") == std::string::npos) return words;
    }
  }
  return "";
}

void require_tokens(const Tokenizer& tokenizer, const std::vector<std::string>& tokens) {
  for (const std::string& token : tokens)
    if (!tokenizer.id_of(token))
      throw DataError("the chat template speaks of \"" + token + "\", which the tokenizer lacks" + kRemedy);
}

}  // namespace

ChatTemplate ChatTemplate::of(const Tokenizer& tokenizer) {
  const std::string& jinja = tokenizer.chat_template();
  if (jinja.empty()) throw DataError(std::string("the tokenizer has no chat template") + kRemedy);
  ChatTemplate chat;
  // Templates that rewrite what is said (reasoning blocks, dates, trimming where the family has none) are not
  // rendered.
  const bool rewrites = has(jinja, "think") || has(jinja, "Cutting Knowledge") || has(jinja, "strftime");
  if (has(jinja, "<|im_start|>") && !rewrites && !has(jinja, "trim") && !has(jinja, ".strip(")) {
    require_tokens(tokenizer, {"<|im_start|>", "<|im_end|>"});
    chat.default_system_ = default_system_of(jinja);
    return chat;
  }
  if (has(jinja, "<|start_header_id|>") && !rewrites && has(jinja, "| trim") && tokenizer.bos()) {
    require_tokens(tokenizer, {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"});
    chat.family_ = Family::llama3;
    chat.bos_ = tokenizer.decode(std::vector<int32_t>{*tokenizer.bos()});
    return chat;
  }
  throw DataError(std::string("the tokenizer's chat template is not one of those that are built in") + kRemedy);
}

std::vector<Span> ChatTemplate::opening(const std::string& role) const {
  if (family_ == Family::chatml) return {control("<|im_start|>"), text(role + "\n")};
  return {control("<|start_header_id|>"), text(role), control("<|end_header_id|>"), text("\n\n")};
}

std::vector<Span> ChatTemplate::turn(const Message& message) const {
  std::vector<Span> spans = opening(message.role);
  const bool learned = message.role == "assistant";
  const bool chatml = family_ == Family::chatml;
  spans.push_back({chatml ? message.content : trimmed(message.content), SpanKind::text, learned});
  spans.push_back({chatml ? "<|im_end|>" : "<|eot_id|>", SpanKind::control, learned});
  if (chatml) spans.push_back(text("\n"));
  return spans;
}

std::vector<Span> ChatTemplate::render(const std::vector<Message>& messages) const {
  std::vector<Span> spans;
  const auto append = [&](std::vector<Span> more) {
    std::move(more.begin(), more.end(), std::back_inserter(spans));
  };
  if (!bos_.empty()) spans.push_back(control(bos_));
  const bool brings_system = !messages.empty() && messages.front().role == "system";
  if (!default_system_.empty() && !brings_system) append(turn({"system", default_system_}));
  for (const Message& message : messages) append(turn(message));
  return spans;
}

std::vector<Span> ChatTemplate::render_prompt(const std::vector<Message>& messages) const {
  std::vector<Span> spans = render(messages);
  for (Span& span : spans) span.learned = false;
  for (Span& span : opening("assistant")) spans.push_back(std::move(span));
  return spans;
}

}  // namespace ranktide
