// The renderings are those of jinja2 on the templates in tests/golden/tokenizer, written down here.

#include "common/text/chat.h"

#include <gmock/gmock.h>

#include "common/text/data_files.h"
#include "tests/common/text/text_fixture.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

class ChatTest : public TextTest {
 protected:
  static std::string text_of(const std::vector<Span>& spans) {
    std::string text;
    for (const Span& span : spans) text += span.text;
    return text;
  }
  static std::string learned_text_of(const std::vector<Span>& spans) {
    std::string text;
    for (const Span& span : spans) text += span.learned ? span.text : "";
    return text;
  }
};

TEST_F(ChatTest, RendersChatMlWithTheTemplatesOwnSystemPrompt) {
  const auto spans =
      ChatTemplate::of(small_tokenizer("smollm2")).render({{"user", " Hi "}, {"assistant", "Yo"}});
  EXPECT_EQ(text_of(spans),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            "<|im_start|>user\n Hi <|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n");
  EXPECT_EQ(learned_text_of(spans), "Yo<|im_end|>");
}

TEST_F(ChatTest, LetsAGivenSystemPromptReplaceTheTemplates) {
  EXPECT_EQ(
      text_of(ChatTemplate::of(small_tokenizer("qwen2")).render({{"system", "Be brief."}, {"user", "Hi"}})),
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n");
}

TEST_F(ChatTest, RendersLlama3Trimmed) {
  const ChatTemplate chat = ChatTemplate::of(small_tokenizer("llama3"));
  EXPECT_EQ(text_of(chat.render_prompt({{"user", " \n Hi\u00A0\t"}})),
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

TEST_F(ChatTest, RefusesTemplatesThatAreNotBuiltIn) {
  EXPECT_THAT(message_of<DataError>([&] { ChatTemplate::of(small_tokenizer("gpt2")); }),
              HasSubstr("has no chat template; built in are ChatML"));
}

}  // namespace
}  // namespace ranktide
