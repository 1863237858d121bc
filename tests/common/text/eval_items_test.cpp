#include "common/text/eval_items.h"

#include <gmock/gmock.h>

#include "tests/common/text/text_fixture.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EvalItemsTest : public TextTest {
 protected:
  std::vector<EvalItem> load(const std::string& data, EvalSpec spec = {}) const {
    spec.data = data;
    return load_eval_items(spec, tokenizer_);
  }
  std::string refusal(const std::string& data, const EvalSpec& spec = {}) const {
    return message_of<DataError>([&] { load(data, spec); });
  }
  // Returns: "context|scored" of each choice.
  std::vector<std::string> cuts(const EvalItem& item) const {
    std::vector<std::string> out;
    for (const EvalChoice& choice : item.choices) {
      const auto ids = std::span(choice.tokens);
      const auto cut = static_cast<size_t>(choice.scored_from);
      out.push_back(tokenizer_.decode(ids.first(cut)) + "|" + tokenizer_.decode(ids.subspan(cut)));
    }
    return out;
  }
  std::string three_choices() const {
    return file("c.jsonl", R"({"query": "1+1=", "choices": ["2", "3"], "gold": 0}
{"query": "2+2=", "choices": ["3", "4"], "gold": 1}
{"query": "3+3=", "choices": ["6", "7"], "gold": 0}
)");
  }

  Tokenizer tokenizer_ = small_tokenizer("gpt2");
  const EvalSpec choice_{.kind = EvalKind::choice};
};

TEST_F(EvalItemsTest, GivesTheJoiningSpaceToTheChoice) {
  const auto items =
      load(file("a.jsonl", R"({"query": "The sky is", "choices": ["blue", " red"], "gold": 1})"), choice_);
  ASSERT_EQ(items.size(), 1u);
  EXPECT_THAT(cuts(items[0]), ElementsAre("The sky is| blue", "The sky is| red"));
  EXPECT_EQ(items[0].gold, 1);
  EXPECT_EQ(items[0].choices[0].bytes, 4);
}

TEST_F(EvalItemsTest, MovesTrailingSpacesOfTheContextToTheContinuation) {
  EXPECT_THAT(cuts(load(file("a.jsonl", R"({"context": "said. \n ", "continuation": "Aidan"})"))[0]),
              ElementsAre("said.| \n Aidan"));
}

TEST_F(EvalItemsTest, EncodesContextAndContinuationTogether) {
  const EvalChoice choice =
      load(file("a.jsonl", R"({"context": "x th", "continuation": "\tey"})"))[0].choices[0];
  EXPECT_EQ(choice.tokens, tokenizer_.encode("x th\tey", Special::as_text));
  EXPECT_EQ(static_cast<size_t>(choice.scored_from), tokenizer_.encode("x th", Special::as_text).size());
}

TEST_F(EvalItemsTest, ScoresOneContinuationAfterSeveralContexts) {
  const auto items = load(
      file("a.jsonl", R"({"context_options": ["so Sarah", "so Maria"], "continuation": "won.", "gold": 1})"),
      choice_);
  EXPECT_THAT(cuts(items[0]), ElementsAre("so Sarah| won.", "so Maria| won."));
  EXPECT_EQ(items[0].gold, 1);
}

TEST_F(EvalItemsTest, PutsThePrefixTokenInPlaceOfAnEmptyContext) {
  EXPECT_THAT(cuts(load(file("a.jsonl", R"({"context": "", "continuation": "Hi"})"))[0]),
              ElementsAre("<|endoftext|>|Hi"));
}

TEST_F(EvalItemsTest, FillsATemplate) {
  EvalSpec spec = choice_;
  spec.form = "Q: {query}\nA: {choice}";
  EXPECT_THAT(cuts(load(three_choices(), spec)[1]), ElementsAre("Q: 2+2=\nA:| 3", "Q: 2+2=\nA:| 4"));
}

TEST_F(EvalItemsTest, ShowsTheFirstRowsAsShotsAndScoresTheRest) {
  EvalSpec spec = choice_;
  spec.shots = 2;
  const auto items = load(three_choices(), spec);
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(cuts(items[0])[0], "1+1= 2\n\n2+2= 4\n\n3+3=| 6");
  spec.shots = 3;
  EXPECT_THAT(refusal(three_choices(), spec), HasSubstr("has 3 rows, too few for 3 shots and an item"));
}

TEST_F(EvalItemsTest, StopsAtTheLimit) {
  EvalSpec spec = choice_;
  spec.limit = 2;
  EXPECT_EQ(load(three_choices(), spec).size(), 2u);
}

TEST_F(EvalItemsTest, ScoresTheCompletionOfPromptRows) {
  EXPECT_THAT(cuts(load(file("a.jsonl", R"({"question": "1+1?", "answer": "2"})"))[0]),
              ElementsAre("1+1?|\n2"));
}

TEST_F(EvalItemsTest, ScoresTheLastTurnOfMessages) {
  tokenizer_ = small_tokenizer("llama3");
  const std::string data = file(
      "a.jsonl", R"({"messages": [{"role": "user", "content": "U"}, {"role": "assistant", "content": "A"}]})");
  EXPECT_THAT(cuts(load(data)[0]),
              ElementsAre("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|>"
                          "<|start_header_id|>assistant<|end_header_id|>\n\n|A"));
}

TEST_F(EvalItemsTest, PredictsEveryTokenOfATextButItsFirst) {
  EXPECT_EQ(load(file("a.jsonl", R"({"text": "one two three"})"))[0].choices[0].scored_from, 1);
  tokenizer_ = small_tokenizer("llama3");
  const EvalChoice choice = load(file("a.jsonl", R"({"text": "one two"})"))[0].choices[0];
  EXPECT_EQ(choice.tokens.front(), *tokenizer_.bos());
  EXPECT_EQ(choice.bytes, 7);
}

TEST_F(EvalItemsTest, CutsTextFilesIntoWindowsWithoutOverlap) {
  std::string text;
  for (int i = 0; i < 1200; ++i) text += "- ";
  const auto items = load(file("a.txt", text));
  const size_t tokens = tokenizer_.encode(text, Special::as_text).size();
  ASSERT_EQ(items.size(), (tokens + kEvalWindowTokens - 1) / kEvalWindowTokens);
  EXPECT_EQ(items[0].choices[0].tokens.size(), static_cast<size_t>(kEvalWindowTokens));
  EvalSpec spec;
  spec.limit = 1;
  EXPECT_EQ(load(file("a.txt", text), spec).size(), 1u);
}

TEST_F(EvalItemsTest, SaysWhereAndWhatIsWrong) {
  EXPECT_THAT(refusal(path("absent.jsonl")), HasSubstr("absent.jsonl: no such file"));
  EXPECT_THAT(refusal(file("a.jsonl", "{\"query\": \"q\"}\n"), choice_),
              HasSubstr("a.jsonl:1:1: kind choice needs rows"));
  EXPECT_THAT(refusal(file("a.jsonl", R"({"query": "q", "choices": ["a", "b"], "gold": 2})"), choice_),
              HasSubstr("\"gold\" must be the index of the right option, 0 to 1"));
  EXPECT_THAT(refusal(file("a.jsonl", R"({"query": "q", "choices": ["a"], "gold": 0})"), choice_),
              HasSubstr("a list of at least two texts"));
  EXPECT_THAT(refusal(file("a.jsonl", R"({"query": "q", "choices": ["a", ""], "gold": 0})"), choice_),
              HasSubstr("a.jsonl:1:1: the continuation is empty"));
  EXPECT_THAT(refusal(file("a.txt", "x"), choice_), HasSubstr("kind choice needs a .jsonl file"));
  EXPECT_THAT(refusal(file("a.txt", "")), HasSubstr("nothing to score"));
  EXPECT_THAT(refusal(file("a.txt", "x"), {.shots = 1}), HasSubstr("shots are supported for kind choice only"));
  EXPECT_THAT(refusal(file("a.txt", "x"), {.kind = EvalKind::code}), HasSubstr("kind code is not built yet"));
}

TEST(SharedData, CutsEveryChoiceFileIntoItems) {
  const std::filesystem::path folder = RANKTIDE_SHARED_DATA;
  if (!std::filesystem::exists(folder / "arc")) GTEST_SKIP() << "needs ../shared/data beside the checkout";
  const Tokenizer tokenizer = Tokenizer::load(RANKTIDE_SOURCE_DIR "/tests/golden/tokenizer/smollm2");
  const std::vector<std::pair<const char*, size_t>> files = {{"arc/arc_easy_test.jsonl", 467},
                                                             {"winogrande/winogrande_val.jsonl", 221},
                                                             {"piqa/piqa_val.jsonl", 370},
                                                             {"copa/copa_val.jsonl", 100}};
  for (const auto& [name, rows] : files) {
    EvalSpec spec{.kind = EvalKind::choice};
    spec.data = (folder / name).string();
    EXPECT_EQ(load_eval_items(spec, tokenizer).size(), rows) << name;
  }
}

}  // namespace
}  // namespace ranktide
