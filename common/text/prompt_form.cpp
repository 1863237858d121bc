#include "common/text/prompt_form.h"

#include <array>
#include <utility>

#include "common/text/data_files.h"
#include "common/text/unicode.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr std::array<std::pair<const char*, const char*>, 3> kPlaces{
    {{"{prompt}", "{completion}"}, {"{query}", "{choice}"}, {"{context}", "{continuation}"}}};

bool occurs_once(const std::string& text, const std::string& part) {
  const size_t at = text.find(part);
  return at != std::string::npos && text.find(part, at + 1) == std::string::npos;
}

std::string joint_text(const std::string& prompt, const std::string& completion, Joint joint) {
  if (joint == Joint::nothing || prompt.empty()) return "";
  const std::string left = valid_utf8(prompt);
  const std::string right = valid_utf8(completion);
  if (trailing_white_space(left) > 0 || leading_white_space(right) > 0) return "";
  return joint == Joint::space ? " " : "\n";
}

}  // namespace

PromptForm::PromptForm(const std::string& form, const std::string& where) {
  if (form == "auto") return;
  if (form == "chat") {
    chat_ = true;
    return;
  }
  for (const auto& [prompt, completion] : kPlaces) {
    if (!occurs_once(form, prompt) || !occurs_once(form, completion)) continue;
    const size_t first = form.find(prompt);
    const size_t second = form.find(completion);
    if (second < first) continue;
    const size_t between = first + std::string(prompt).size();
    template_ = Template{form.substr(0, first), form.substr(between, second - between),
                         form.substr(second + std::string(completion).size())};
    return;
  }
  throw DataError(where + ": template \"" + form +
                  "\" must be auto, chat, or a text with {prompt} and after it {completion}, each once");
}

PromptText PromptForm::apply(const std::string& prompt, const std::string& completion, Joint joint) const {
  RT_CHECK(!chat_);
  if (!template_) return {prompt + joint_text(prompt, completion, joint), completion};
  return {template_->before + prompt + template_->between, completion + template_->after};
}

}  // namespace ranktide
