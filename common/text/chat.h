#pragma once
// Chat turns -> spans, by the two families of templates that are built in: ChatML (SmolLM2, Qwen2, Qwen2.5) and
// Llama 3. Equal to what transformers' apply_chat_template renders; every other Jinja template is refused with
// what to do instead. Immutable; any thread.

#include <string>
#include <vector>

#include "common/text/span.h"
#include "common/text/tokenizer.h"

namespace ranktide {

struct Message {
  std::string role;
  std::string content;
};

class ChatTemplate {
 public:
  // Throws: DataError when the tokenizer has no chat template or one that is not built in.
  static ChatTemplate of(const Tokenizer& tokenizer);

  // Returns: all turns. What the assistant says is learned, with the token that ends its turn.
  std::vector<Span> render(const std::vector<Message>& messages) const;
  // Returns: all turns and the opening of the assistant's next one; nothing is learned.
  std::vector<Span> render_prompt(const std::vector<Message>& messages) const;

 private:
  enum class Family { chatml, llama3 };
  std::vector<Span> opening(const std::string& role) const;
  std::vector<Span> turn(const Message& message) const;

  Family family_ = Family::chatml;
  std::string default_system_;  // chatml: spoken when the first message is not the system's; may be empty
  std::string bos_;             // llama3: in front of everything
};

}  // namespace ranktide
