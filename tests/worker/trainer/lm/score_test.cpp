#include "worker/trainer/lm/score.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "tests/worker/trainer/lm/tiny.h"

namespace ranktide {
namespace {

// log p of token `i` of the sequence, from whole logits.
double log_p(const std::vector<float>& logits, const std::vector<int32_t>& tokens, size_t i) {
  const size_t vocabulary = logits.size() / tokens.size();
  const auto row = logits.begin() + static_cast<std::ptrdiff_t>((i - 1) * vocabulary);
  double sum = 0;
  for (size_t v = 0; v < vocabulary; ++v) sum += std::exp(double{row[static_cast<std::ptrdiff_t>(v)]});
  return row[tokens[i]] - std::log(sum);
}

std::vector<Question> three_questions() {
  const auto all = tiny::prompt();
  const std::vector<int32_t> head(all.begin(), all.begin() + 17), tail(all.begin() + 30, all.end());
  return {{.tokens = all, .from = 1, .to = 60},
          {.tokens = head, .from = 10, .to = 17},
          {.tokens = tail, .from = 5, .to = 5}};
}

TEST(Score, EqualsWholeLogits) {
  const Model model = Model::untouched(tiny::base());
  const auto questions = three_questions();
  const auto answers = score(model, questions);
  ASSERT_EQ(answers.size(), 3U);
  for (size_t q = 0; q < 2; ++q) {
    const auto logits = model.logits(questions[q].tokens);
    double sum = 0;
    for (int64_t i = questions[q].from; i < questions[q].to; ++i) {
      const double expected = log_p(logits, questions[q].tokens, static_cast<size_t>(i));
      EXPECT_NEAR(answers[q].each[static_cast<size_t>(i - questions[q].from)], expected, 1e-4);
      sum += expected;
    }
    EXPECT_NEAR(answers[q].sum, sum, 1e-3);
  }
  EXPECT_TRUE(answers[2].each.empty());
}

TEST(Score, DoesNotDependOnWhatItIsPackedWith) {
  const Model model = Model::untouched(tiny::base("qwen3"));
  const auto questions = three_questions();
  const auto packed = score(model, questions, 2048), apart = score(model, questions, 1);
  for (size_t q = 0; q < questions.size(); ++q) EXPECT_NEAR(packed[q].sum, apart[q].sum, 1e-4);
}

TEST(Score, KnowsWhetherEveryTokenWasTheFirstChoice) {
  const Model model = Model::untouched(tiny::base());
  auto tokens = tiny::prompt();
  const auto logits = model.logits(tokens);
  const auto last = logits.end() - static_cast<std::ptrdiff_t>(logits.size() / tokens.size());
  tokens.push_back(static_cast<int32_t>(std::max_element(last, logits.end()) - last));
  const std::vector<Question> questions{{.tokens = tokens, .from = 60, .to = 61},
                                        {.tokens = tokens, .from = 1, .to = 61}};
  const auto answers = score(model, questions);
  EXPECT_TRUE(answers[0].greedy);
  EXPECT_FALSE(answers[1].greedy);
}

}  // namespace
}  // namespace ranktide
