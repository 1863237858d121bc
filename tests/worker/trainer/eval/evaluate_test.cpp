// Evaluation against transformers' log-likelihoods of the same rows (tests/golden/make_eval_goldens.py).

#include "worker/trainer/eval/evaluate.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "tests/worker/trainer/tiny_model.h"
#include "worker/trainer/lm/engine.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr double kTolerance = 2e-4;  // fp32 here against fp64 log-softmax there, summed over up to 60 tokens

class Evaluate : public testing::Test {
 protected:
  void SetUp() override {
    start_engine(1);
    write_tiny_model(folder_.path());
    tokenizer_.emplace(Tokenizer::load(folder_.path()));
    model_.emplace(Model::untouched(Base::load(folder_.path(), Dtype::fp32)));
  }

  std::vector<EvalItem> items(const std::string& name, EvalKind kind) const {
    EvalSpec spec;
    spec.data = goldens_folder() / (name + ".jsonl");
    spec.kind = kind;
    return load_eval_items(spec, *tokenizer_);
  }
  Evaluation run(const std::string& name, EvalKind kind, EvalNorm norm = EvalNorm::tokens) const {
    return *evaluate(*model_, items(name, kind), kind, norm);
  }

  static fs::path goldens_folder() { return fs::path(RANKTIDE_SOURCE_DIR) / "tests/golden/eval"; }
  static Json goldens(const std::string& name) {
    return Json::parse(read_file(goldens_folder() / "goldens.json")).at(name);
  }

  ScratchFolder folder_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<Model> model_;
};

void expect_equal(const Evaluation& evaluation, const Json& goldens) {
  ASSERT_EQ(evaluation.items.size(), goldens.size());
  for (size_t i = 0; i < goldens.size(); ++i) {
    const ItemScore& item = evaluation.items[i];
    EXPECT_EQ(Json(item.tokens), goldens[i]["tokens"]) << "item " << i;
    ASSERT_EQ(item.loglik.size(), goldens[i]["loglik"].size()) << "item " << i;
    for (size_t c = 0; c < item.loglik.size(); ++c)
      EXPECT_NEAR(item.loglik[c], goldens[i]["loglik"][c].get<double>(), kTolerance) << "item " << i;
  }
}

TEST_F(Evaluate, AgreesWithTransformersOnTexts) {
  expect_equal(run("text", EvalKind::loss), goldens("text"));
}

// The last row is longer than the model's context and loses its beginning, as in lm_eval.
TEST_F(Evaluate, AgreesWithTransformersOnContinuations) {
  expect_equal(run("context", EvalKind::loss), goldens("context"));
}

TEST_F(Evaluate, AgreesWithTransformersOnChoices) {
  expect_equal(run("choice", EvalKind::choice), goldens("choice"));
  expect_equal(run("schema", EvalKind::choice), goldens("schema"));
}

TEST_F(Evaluate, PicksTheWinnerByTheNormAskedFor) {
  const std::pair<EvalNorm, const char*> norms[] = {
      {EvalNorm::tokens, "by_tokens"}, {EvalNorm::bytes, "by_bytes"}, {EvalNorm::none, "by_none"}};
  for (const auto& [norm, golden] : norms) {
    const Evaluation evaluation = run("choice", EvalKind::choice, norm);
    const std::vector<EvalItem> asked = items("choice", EvalKind::choice);
    for (size_t i = 0; i < asked.size(); ++i) {
      EXPECT_EQ(evaluation.items[i].choice, goldens("choice")[i][golden].get<int>())
          << golden << " of item " << i;
      EXPECT_EQ(evaluation.items[i].correct, evaluation.items[i].choice == asked[i].gold);
    }
  }
}

TEST_F(Evaluate, ALossItemIsCorrectWhenEveryTokenIsTheFirstChoice) {
  const std::vector<int32_t> prompt{5, 6, 7};
  const std::vector<float> logits = model_->logits(prompt);
  const auto last = logits.end() - kTinyVocabulary;
  const auto best = static_cast<int32_t>(std::max_element(last, logits.end()) - last);
  const auto item = [&](int32_t token) { return EvalItem{.choices = {{{5, 6, 7, token}, 3, 1}}, .gold = 0}; };
  const std::vector<EvalItem> asked{item(best), item((best + 1) % 900)};
  const Evaluation evaluation = *evaluate(*model_, asked, EvalKind::loss, EvalNorm::tokens);
  EXPECT_TRUE(evaluation.items[0].correct);
  EXPECT_FALSE(evaluation.items[1].correct);
}

TEST_F(Evaluate, GivesTheSameBitsEachTime) {
  const Evaluation a = run("choice", EvalKind::choice), b = run("choice", EvalKind::choice);
  for (size_t i = 0; i < a.items.size(); ++i) EXPECT_EQ(a.items[i].loglik, b.items[i].loglik);
}

TEST_F(Evaluate, EndsWithoutAResultWhenToldToStop) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(
      evaluate(*model_, items("text", EvalKind::loss), EvalKind::loss, EvalNorm::tokens, stop.get_token()));
}

// After out of memory: the same numbers from more and smaller forward passes.
TEST_F(Evaluate, SmallerForwardPassesFindTheSame) {
  const auto asked = items("choice", EvalKind::choice);
  const Evaluation whole = run("choice", EvalKind::choice);
  size_t passes = 0;
  const Evaluation parts = *evaluate(
      *model_, asked, EvalKind::choice, EvalNorm::tokens, {}, [&](size_t, size_t) { ++passes; }, 32);
  EXPECT_GT(passes, 4u);
  EXPECT_EQ(parts.value, whole.value);
  for (size_t i = 0; i < asked.size(); ++i)
    for (size_t c = 0; c < asked[i].choices.size(); ++c)
      EXPECT_NEAR(parts.items[i].loglik[c], whole.items[i].loglik[c], kTolerance) << "item " << i;
}

TEST_F(Evaluate, SaysHowFarItIs) {
  size_t last = 0;
  const auto asked = items("choice", EvalKind::choice);
  size_t choices = 0;
  for (const EvalItem& item : asked) choices += item.choices.size();
  evaluate(*model_, asked, EvalKind::choice, EvalNorm::tokens, {}, [&](size_t scored, size_t of) {
    EXPECT_GT(scored, last);
    EXPECT_EQ(of, choices);
    last = scored;
  });
  EXPECT_EQ(last, choices);
}

}  // namespace
}  // namespace ranktide
