#include "common/text/documents.h"

#include <gmock/gmock.h>

#include "tests/common/text/text_fixture.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class DocumentsTest : public TextTest {
 protected:
  // Returns: each document's text, its learned part in brackets.
  std::vector<std::string> read(const std::string& data, ReadingRules rules = {}) {
    std::vector<std::string> out;
    const Documents documents = read_documents(data, rules, tokenizer_);
    for (const Document& document : documents.items) {
      std::string text;
      for (const Span& span : document.spans) text += span.learned ? "[" + span.text + "]" : span.text;
      out.push_back(text);
    }
    format_ = documents.format;
    return out;
  }
  std::string refusal(const std::string& data, ReadingRules rules = {}) {
    return message_of<DataError>([&] { read(data, rules); });
  }
  std::string learned_text(const Document& document) const {
    const EncodedDocument encoded = encode_document(document, tokenizer_);
    std::vector<int32_t> ids;
    for (size_t i = 0; i < encoded.tokens.size(); ++i)
      if (encoded.learned[i] != 0) ids.push_back(encoded.tokens[i]);
    return tokenizer_.decode(ids);
  }

  Tokenizer tokenizer_ = small_tokenizer("gpt2");
  std::string format_;
};

TEST_F(DocumentsTest, TakesATextFileAsOneDocumentThatEndsWithEos) {
  EXPECT_THAT(read(file("a.txt", " one\n\ntwo\n")), ElementsAre("[ one\n\ntwo\n][<|endoftext|>]"));
  EXPECT_EQ(format_, "text");
}

TEST_F(DocumentsTest, CutsAFileAtEndOfTextLines) {
  EXPECT_THAT(read(file("a.txt", "one\n<|endoftext|>\r\n\n two \nx <|endoftext|>\n<|endoftext|>\n")),
              ElementsAre("[one][<|endoftext|>]", "[two \nx <|endoftext|>][<|endoftext|>]"));
}

TEST_F(DocumentsTest, ReadsAFolderByName) {
  file("d/b.txt", "second");
  file("d/a/z.md", "first");
  file("d/ignored.bin", "x");
  EXPECT_THAT(read(path("d")), ElementsAre("[first][<|endoftext|>]", "[second][<|endoftext|>]"));
}

TEST_F(DocumentsTest, JoinsPromptAndCompletionAsTheirToolsDo) {
  EXPECT_THAT(read(file("trl.jsonl", R"({"prompt": "The sky is", "completion": " blue"})")),
              ElementsAre("The sky is[ blue][<|endoftext|>]"));
  EXPECT_EQ(format_, "prompt (prompt + completion)");
  EXPECT_THAT(read(file("qa.jsonl", R"({"question": "1+1?", "answer": "2"})")),
              ElementsAre("1+1?\n[2][<|endoftext|>]"));
  EXPECT_THAT(read(file("spaced.jsonl", R"({"question": "1+1? ", "answer": "2"})")),
              ElementsAre("1+1? [2][<|endoftext|>]"));
  EXPECT_THAT(read(file("lm.jsonl", R"({"context": "a", "continuation": "b"})")),
              ElementsAre("a [b][<|endoftext|>]"));
}

TEST_F(DocumentsTest, PutsAnInstructionsInputOnItsOwnLine) {
  EXPECT_THAT(read(file("a.json", R"([{"instruction": "Add.", "input": "1 2", "output": "3"},
                                      {"instruction": "Hi", "input": "", "output": "Yo"}])")),
              ElementsAre("Add.\n1 2\n[3][<|endoftext|>]", "Hi\n[Yo][<|endoftext|>]"));
  EXPECT_EQ(format_, "prompt (instruction + input + output)");
}

TEST_F(DocumentsTest, TakesTheFieldsThatAreNamed) {
  const std::string data = file("a.jsonl", R"({"q": "Q", "a": "A", "text": "other"})");
  EXPECT_THAT(read(data, {.fields = {{"prompt", "q"}, {"completion", "a"}}}),
              ElementsAre("Q\n[A][<|endoftext|>]"));
  EXPECT_THAT(read(data), ElementsAre("[other][<|endoftext|>]"));
}

TEST_F(DocumentsTest, FillsATemplate) {
  EXPECT_THAT(read(file("a.jsonl", R"({"question": "{completion}", "answer": "A"})"),
                   {.form = "Q: {prompt}\n{x}A: {completion}."}),
              ElementsAre("Q: {completion}\n{x}A: [A.][<|endoftext|>]"));
}

TEST_F(DocumentsTest, RendersMessagesByTheChatTemplate) {
  tokenizer_ = small_tokenizer("qwen2");
  const std::string data = file(
      "a.jsonl",
      R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}, {"role": "assistant", "content": "A"}]})");
  EXPECT_THAT(read(data), ElementsAre("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n"
                                      "<|im_start|>assistant\n[A][<|im_end|>]\n"));
  EXPECT_EQ(format_, "messages");
}

TEST_F(DocumentsTest, LeavesEmptyDocumentsOut) {
  EXPECT_THAT(read(file("a.jsonl", "{\"text\": \" \"}\n\n{\"text\": \"x\"}\n")),
              ElementsAre("[x][<|endoftext|>]"));
}

TEST_F(DocumentsTest, NeverLetsUserTextEndATurn) {
  tokenizer_ = small_tokenizer("smollm2");
  const Document document{
      .kind = DocumentKind::example,
      .spans = ChatTemplate::of(tokenizer_).render({{"user", "<|im_end|>"}, {"assistant", "A"}})};
  const EncodedDocument encoded = encode_document(document, tokenizer_);
  EXPECT_EQ(std::count(encoded.tokens.begin(), encoded.tokens.end(), *tokenizer_.id_of("<|im_end|>")), 3);
}

TEST_F(DocumentsTest, EncodesSpansTogetherAndGivesTheStraddlingTokenToTheLaterOne) {
  const Document document{.kind = DocumentKind::example,
                          .spans = {{"x th", SpanKind::text, false}, {"e", SpanKind::text, true}}};
  EXPECT_EQ(encode_document(document, tokenizer_).tokens, tokenizer_.encode("x the", Special::as_text));
  EXPECT_EQ(learned_text(document), " the");
}

TEST_F(DocumentsTest, BeginsWithBosOnceWhereTheFamilyDoes) {
  tokenizer_ = small_tokenizer("llama3");
  const int32_t bos = *tokenizer_.bos();
  EXPECT_EQ(encode_document({.spans = {{"x", SpanKind::text, true}}}, tokenizer_).tokens.front(), bos);
  const Document chat{.spans = ChatTemplate::of(tokenizer_).render({{"user", "x"}})};
  const EncodedDocument encoded = encode_document(chat, tokenizer_);
  EXPECT_EQ(std::count(encoded.tokens.begin(), encoded.tokens.end(), bos), 1);
}

TEST_F(DocumentsTest, SaysWhereAndWhatIsWrong) {
  EXPECT_THAT(
      refusal(file("bad.jsonl", "{\"text\": \"a\"}\n{\"text\": oops}\n")),
      AllOf(HasSubstr("bad.jsonl:2:10: malformed JSON"), HasSubstr("one complete object on each line")));
  EXPECT_THAT(refusal(file("array.json", "[{\"text\": \"a\"},\n 7 7]")),
              HasSubstr("array.json:2:4: malformed JSON"));
  EXPECT_THAT(refusal(file("miss.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n")),
              HasSubstr("miss.jsonl:2:1: the field \"text\" is missing"));
  EXPECT_THAT(refusal(file("type.jsonl", "{\"prompt\": \"a\", \"completion\": 4}")),
              HasSubstr("type.jsonl:1:1: the field \"completion\" must be text, it is number"));
  EXPECT_THAT(
      refusal(file("names.jsonl", "{\"a\": \"b\", \"c\": 1}")),
      AllOf(HasSubstr("no known fields (format auto; found: a, c)"), HasSubstr("data.fields: {prompt: ...")));
  EXPECT_THAT(refusal(file("row.jsonl", "[1]\n")), HasSubstr("row.jsonl: row 1: a row must be a JSON object"));
  EXPECT_THAT(refusal(file("turns.jsonl", R"({"messages": [{"role": "user"}]})")), HasSubstr("chat template"));
  EXPECT_THAT(refusal(path("absent.txt")), HasSubstr("absent.txt: no such file or folder"));
  EXPECT_THAT(refusal(file("x.parquet", "")),
              HasSubstr("known are .txt .md .rst .py (text), .jsonl .json (rows)"));
  EXPECT_THAT(refusal(file("empty.jsonl", "\n")), HasSubstr("has no rows"));
  EXPECT_THAT(refusal(file("t.txt", "x"), {.format = DataFormat::prompt}), HasSubstr("data.format is prompt"));
  EXPECT_THAT(refusal(file("t.txt", "x"), {.form = "{prompt}"}),
              HasSubstr("template \"{prompt}\" must be auto, chat"));
}

TEST(SharedData, ReadsGsm8kAsQuestionsAndAnswers) {
  const std::filesystem::path data = RANKTIDE_SHARED_DATA "/gsm8k/train.jsonl";
  if (!std::filesystem::exists(data))
    GTEST_SKIP() << "needs ../shared/data/gsm8k/train.jsonl beside the checkout";
  const Tokenizer tokenizer = Tokenizer::load(RANKTIDE_SOURCE_DIR "/tests/golden/tokenizer/smollm2");
  const Documents documents = read_documents(data, {}, tokenizer);
  EXPECT_EQ(documents.items.size(), 7473u);
  EXPECT_EQ(documents.format, "prompt (question + answer)");
}

}  // namespace
}  // namespace ranktide
