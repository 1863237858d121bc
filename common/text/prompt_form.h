#pragma once
// How a prompt and its completion become one text: the joint of `auto`, or a template of the user. Chat is
// chat.h's. Immutable; any thread.

#include <optional>
#include <string>

namespace ranktide {

// What stands between two fields of a row unless white space is there already.
enum class Joint { nothing, space, newline };

// The text of an example, cut where the completion begins.
struct PromptText {
  std::string context;
  std::string continuation;
};

class PromptForm {
 public:
  // `form` is auto, chat, or a template with {prompt} and {completion}, each once and in this order; {query}
  // and {choice}, {context} and {continuation} mean the same two. Other braces stand for themselves. Throws:
  // DataError that begins with `where`.
  PromptForm(const std::string& form, const std::string& where);

  bool is_chat() const { return chat_; }
  // Returns: by template, the text before, between and, with the continuation, after the two; else joined by
  // `joint`. Requires: !is_chat().
  PromptText apply(const std::string& prompt, const std::string& completion, Joint joint) const;

 private:
  struct Template {
    std::string before, between, after;
  };
  bool chat_ = false;
  std::optional<Template> template_;
};

}  // namespace ranktide
