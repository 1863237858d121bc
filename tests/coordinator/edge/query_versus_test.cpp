// Differences to a reference: which rows are compared, how their seeds are paired, and what is said of it.
#include "coordinator/edge/query_versus.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/edge/query.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class VersusTest : public testing::Test {
 protected:
  VersusTest() : history(folder.path()) {
    history.begin();
    history.submit("quick");
  }
  void ran(int rank, const std::vector<double>& learn_losses, const std::string& regime = "math") {
    for (size_t seed = 0; seed < learn_losses.size(); ++seed)
      history.ran({.regime = regime, .rank = rank, .seed = seed}, learn_losses[seed], 3.0);
  }
  Frame ask(const std::string& vs, const std::string& where = "") {
    return query(history.reader(),
                 {.sweeps = {"quick"}, .where = where, .metrics = {"learning", "seconds"}, .vs = vs});
  }
  std::string message(const std::string& vs) {
    try {
      ask(vs);
    } catch (const QueryError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder;
  History history;
};

TEST_F(VersusTest, SeedsArePairedFromThreeOnAndTheIntervalIsTheDifferencesOwn) {
  ran(0, {1.0, 2.0, 3.0});  // seeds that differ much
  ran(4, {1.5, 2.5, 3.6});  // and differences that hardly do
  history.base_scores(9, 3);
  const Frame frame = ask("method = full");
  EXPECT_NEAR(number_at(frame, "method", "lora", "delta_learning"), -(0.5 + 0.5 + 0.6) / 3, 1e-12);
  const double s = std::sqrt(0.01 / 3);  // of 0.5, 0.5, 0.6
  EXPECT_NEAR(number_at(frame, "method", "lora", "delta_learning_ci"), t_critical(2, 0.95) * s / std::sqrt(3),
              1e-9);
  EXPECT_THAT(frame.notes, Contains(AllOf(HasSubstr("by seed"), HasSubstr("of the differences themselves"))));
}

TEST_F(VersusTest, TheReferenceItselfAndTheBaseHaveNoDifference) {
  ran(0, {1.0, 2.0, 3.0});
  ran(4, {1.5, 2.5, 3.6});
  history.base_scores(9, 3);
  const Frame frame = ask("method = full");
  EXPECT_EQ(value_at(frame, "method", "full", "delta_learning"), Value{});
  EXPECT_EQ(value_at(frame, "method", "base", "delta_learning"), Value{});
  for (const auto& row : frame.rows) EXPECT_EQ(row.size(), frame.columns.size());
}

TEST_F(VersusTest, FewerCommonSeedsAreTwoSamplesWithThePooledSpreads) {
  ran(0, {1.0, 1.2});
  ran(4, {1.5, 1.9});
  history.base_scores(9, 3);
  const Frame frame = ask("method = full");
  EXPECT_NEAR(number_at(frame, "method", "lora", "delta_learning"), -0.6, 1e-12);
  EXPECT_NEAR(number_at(frame, "method", "lora", "delta_learning_ci"),
              t_critical(2, 0.95) * std::sqrt(0.02 / 2 + 0.08 / 2), 1e-9);
  EXPECT_THAT(frame.notes, Contains(AllOf(HasSubstr("fewer common seeds than three"), HasSubstr("pooled"))));
}

TEST_F(VersusTest, SeedsWithoutAPartnerAreDroppedAndCounted) {
  ran(0, {1.0, 2.0, 3.0});
  ran(4, {1.5, 2.5, 3.5, 100});
  history.base_scores(9, 3);
  const Frame frame = ask("method = full");
  EXPECT_NEAR(number_at(frame, "method", "lora", "delta_learning"), -0.5, 1e-12);
  EXPECT_THAT(frame.notes, Contains("1 trial has no partner of its seed and is in no pair"));
}

TEST_F(VersusTest, AReferenceThatOtherEvalsMeasuredIsSaid) {
  ran(0, {1.0, 2.0, 3.0});
  ran(4, {1.5, 2.5, 3.6});
  history.base_scores(9, 3);
  EXPECT_THAT(ask("method = full").notes, Not(Contains(HasSubstr("other evals than the reference"))));
  for (const uint64_t seed : {0U, 1U, 2U}) history.ran({.rank = 8, .seed = seed, .shots = "five"}, 1.0, 3.0);
  EXPECT_THAT(ask("method = full").notes,
              Contains(HasSubstr("1 row is measured by other evals than the reference")));
}

TEST_F(VersusTest, RowsAreComparedWithinWhatTheyShare) {
  for (const char* regime : {"math", "code"}) {
    const double more = regime == std::string("code") ? 1 : 0;
    ran(0, {1.0 + more, 1.1 + more, 1.2 + more}, regime);
    ran(4, {1.5 + more, 1.6 + more, 1.7 + more}, regime);
    history.base_scores(9, 3, {.regime = regime});
  }
  const Frame frame = ask("method = full");
  for (const auto& row : frame.rows) {
    if (row[1] == Value("lora")) {
      EXPECT_NEAR(std::get<double>(row[row.size() - 5]), -0.5, 1e-12);
    }
  }
}

TEST_F(VersusTest, ARateThatEachMethodHasOfItsOwnKeepsNoRowsApart) {
  for (const uint64_t seed : {0U, 1U, 2U}) {
    history.ran({.rank = 0, .lr = 5e-5, .seed = seed}, 1.0, 3.0);
    history.ran({.rank = 4, .lr = 5e-4, .seed = seed}, 1.5, 3.0);
  }
  history.base_scores(9, 3);
  EXPECT_NEAR(number_at(ask("method = full"), "method", "lora", "delta_learning"), -0.5, 1e-12);
}

// What LoRA learned on top of a trained start, minus full finetuning of the base, would be no difference of
// methods.
TEST_F(VersusTest, RowsThatStartFromElsewhereHaveNoReference) {
  const std::string from = "trial:" + std::string(64, 'a') + "@12";
  for (const uint64_t seed : {0U, 1U, 2U}) {
    history.ran({.rank = 0, .seed = seed}, 1.0, 3.0);
    history.ran({.rank = 4, .seed = seed, .from = from}, 0.5, 3.0);
  }
  history.base_scores(9, 3);
  for (const std::vector<std::string>& by : {std::vector<std::string>{"method"}, {"method", "from"}}) {
    const Frame frame = query(history.reader(),
                              {.sweeps = {"quick"}, .by = by, .metrics = {"learning"}, .vs = "method = full"});
    EXPECT_EQ(value_at(frame, "method", "lora", "delta_learning"), Value{});
    EXPECT_THAT(frame.notes, Contains(HasSubstr("1 row has no reference that starts from the same")));
  }
}

TEST_F(VersusTest, AStartIsComparedWhereItIsNamed) {
  const std::string from = "trial:" + std::string(64, 'a') + "@12";
  for (const uint64_t seed : {0U, 1U, 2U}) {
    history.ran({.rank = 4, .seed = seed}, 1.0, 3.0);
    history.ran({.rank = 4, .seed = seed, .from = from}, 0.75, 3.0);
    history.ran({.rank = 0, .seed = seed, .from = from}, 0.25, 3.0);
  }
  history.base_scores(9, 3);
  const auto by_start = [&](const std::string& vs) {
    return query(history.reader(),
                 {.sweeps = {"quick"}, .by = {"method", "from"}, .metrics = {"learning"}, .vs = vs});
  };
  EXPECT_NEAR(
      number_at(by_start("method = lora and from = '" + from + "'"), "method", "full", "delta_learning"), 0.5,
      1e-12);
  const Frame of_methods = by_start("method = full");
  EXPECT_NEAR(number_at(of_methods, "from", from, "delta_learning"), -0.5, 1e-12) << "lora, from the same";
  EXPECT_EQ(value_at(of_methods, "method", "lora", "delta_learning"), Value{}) << "the first is from the base";
}

TEST_F(VersusTest, WhatIsNoRowOrSeveralIsRefused) {
  ran(0, {1.0, 2.0, 3.0});
  ran(4, {1.5, 2.5, 3.6});
  ran(8, {1.5, 2.5, 3.6});
  EXPECT_THAT(message("rank = 64"), HasSubstr("no row is that"));
  EXPECT_THAT(message("rank >"), HasSubstr("--vs: "));
  EXPECT_THAT(message("rank = 4 or rank = 8"), HasSubstr("more than one row"));
}

// The sampling error over an eval's items is 0.01 here, and no seed differs.
TEST_F(VersusTest, TheErrorOverItemsIsInNoInterval) {
  ran(0, {1.0, 1.0, 1.0});
  ran(4, {1.5, 1.5, 1.5});
  history.base_scores(9, 3);
  const Frame frame = ask("method = full");
  EXPECT_NEAR(number_at(frame, "method", "lora", "learning_ci"), 0, 1e-12);
  EXPECT_NEAR(number_at(frame, "method", "lora", "delta_learning_ci"), 0, 1e-9);
}

// Twelve cells whose seeds agree, and one whose seeds do not.
TEST_F(VersusTest, SpreadsThatDifferAreSaid) {
  for (int rank = 1; rank <= 12; ++rank) ran(rank, {1.0, 1.001, 1.002});
  ran(64, {1.0, 2.0, 3.0});
  history.base_scores(9, 3);
  const auto notes = [&](const std::vector<std::string>& metrics) {
    return query(history.reader(), {.sweeps = {"quick"}, .metrics = metrics}).notes;
  };
  EXPECT_THAT(notes({}), Contains(AllOf(HasSubstr("warning: the learning and gain spreads of the lora (math)"),
                                        HasSubstr("Bartlett"))));
  EXPECT_THAT(notes({"gain"}),
              Contains(HasSubstr("warning: the gain spreads of the lora (math) cells differ")));
  EXPECT_THAT(notes({"gain"}), Contains(HasSubstr("read gain_ci_own")));
  EXPECT_THAT(notes({"math_loss"}), Contains(HasSubstr("warning: the math_loss spreads of the lora")));
  EXPECT_THAT(notes({"forgetting"}), Not(Contains(HasSubstr("Bartlett"))))
      << "every retained score is the same";
}

TEST_F(VersusTest, ATrialWithoutAllItsEvalsIsInNoMean) {
  ran(4, {1.0, 1.2});
  const SweepTrial trial = history.list({.rank = 4, .seed = 2});
  history.grant(trial);
  history.end(trial, OutcomeKind::completed, "");
  history.base_scores(9, 3);
  const Frame frame = query(history.reader(), {.sweeps = {"quick"}});
  EXPECT_EQ(value_at(frame, "method", "lora", "n"), Value(int64_t{2}));
  EXPECT_EQ(value_at(frame, "method", "lora", "note"), Value("2 of 3, 1 without all evals"));
}

TEST_F(VersusTest, RowsOfUnequalTokensAreLabelledWhereTheTokensAreNotShown) {
  ran(4, {1.0});
  history.tokens = 12'000;
  ran(8, {1.0});
  history.base_scores(9, 3);
  const QueryRequest without{.sweeps = {"quick"}, .metrics = {"learning"}};
  EXPECT_THAT(query(history.reader(), without).notes,
              Contains(HasSubstr("different numbers of tokens, 6000 to 12000")));
  EXPECT_THAT(query(history.reader(), {.sweeps = {"quick"}}).notes,
              Not(Contains(HasSubstr("numbers of tokens"))));
}

}  // namespace
}  // namespace ranktide
