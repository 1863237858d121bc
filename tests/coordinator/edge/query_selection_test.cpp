// Of tuned axes only the best: what is chosen, what is left out, and what is said of the choice.
#include "coordinator/edge/query_selection.h"

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

class SelectionTest : public testing::Test {
 protected:
  SelectionTest() : history(folder.path()) {
    history.begin();
    history.tune = Tuning{.axes = {"train.lr"}, .by = ""};
    history.submit("quick");
  }

  // Two seeds of a rate, around this learn loss.
  void ran(int rank, double lr, double learn_loss, double retain_loss = 3.0) {
    history.ran({.rank = rank, .lr = lr, .seed = 0}, learn_loss - 0.01, retain_loss);
    history.ran({.rank = rank, .lr = lr, .seed = 1}, learn_loss + 0.01, retain_loss);
  }
  // Best in the middle for rank 4, at the highest rate for rank 32.
  void run_small_sweep() {
    ran(4, 1e-4, 1.8), ran(4, 1e-3, 1.5), ran(4, 1e-2, 1.7);
    ran(32, 1e-4, 1.6), ran(32, 1e-3, 1.3), ran(32, 1e-2, 1.1, 3.2);
    history.base_scores(2.31, 3.00);
  }
  void diverges(const TrialWords& words) {
    const SweepTrial trial = history.list(words);
    history.grant(trial);
    history.end(trial, OutcomeKind::diverged, "loss not finite at step 5");
  }

  Frame ask(QueryRequest request = {}) {
    request.sweeps = {"quick"};
    return query(history.reader(), request);
  }
  std::string message(const QueryRequest& request) {
    try {
      ask(request);
    } catch (const QueryError& error) {
      return error.what();
    }
    return "";
  }
  // Of the row of a rank.
  static Value at_rank(const Frame& frame, int64_t rank, const std::string& column) {
    const auto find = [&](const std::string& name) {
      for (size_t c = 0; c < frame.columns.size(); ++c)
        if (frame.columns[c].name == name) return c;
      ADD_FAILURE() << "no column " << name;
      return size_t{0};
    };
    const size_t c = find(column);
    for (const auto& row : frame.rows)
      if (row[find("rank")] == Value(rank)) return row[c];
    ADD_FAILURE() << "no row of rank " << rank;
    return {};
  }
  static std::string note(const Frame& frame, int64_t rank) {
    return std::get<std::string>(at_rank(frame, rank, "note"));
  }

  TemporaryFolder folder;
  History history;
};

TEST_F(SelectionTest, ATunedSweepShowsTheBestRateOfEachCellWithItsValue) {
  run_small_sweep();
  const Frame frame = ask();
  ASSERT_EQ(frame.rows.size(), 3U) << "the base and two ranks";
  EXPECT_EQ(at_rank(frame, 4, "lr"), Value(1e-3));
  EXPECT_EQ(at_rank(frame, 32, "lr"), Value(1e-2));
  EXPECT_NEAR(std::get<double>(at_rank(frame, 4, "learning")), -1.5, 1e-12);
  EXPECT_EQ(at_rank(frame, 4, "n"), Value(int64_t{2}));
}

TEST_F(SelectionTest, TheChoiceIsCalledOptimisticAndTheWayToSeeAllIsSaid) {
  run_small_sweep();
  EXPECT_THAT(ask().notes, Contains(AllOf(HasSubstr("lr: the best of each row by learning"),
                                          HasSubstr("optimistic"), HasSubstr("--no-select"))));
}

TEST_F(SelectionTest, AChoiceByAnotherEvalIsNotOptimistic) {
  run_small_sweep();
  const Frame honest = ask({.metrics = {"math_loss"}, .select_on = "prose_loss"});
  EXPECT_EQ(at_rank(honest, 32, "lr"), Value(1e-4)) << "the least prose loss";
  EXPECT_THAT(honest.notes, Contains(AllOf(HasSubstr("lr: the best of each row by prose_loss"),
                                           HasSubstr("No number that is shown is made of"))));
  EXPECT_THAT(honest.notes, Not(Contains(HasSubstr("optimistic"))));
  for (const char* shown : {"retained", "forgetting", "prose_loss"})
    EXPECT_THAT(ask({.metrics = {shown}, .select_on = "prose_loss"}).notes, Contains(HasSubstr("optimistic")))
        << shown << " is made of it";
  EXPECT_THAT(ask({.metrics = {"math_loss"}, .select = {"lr=best"}, .select_on = "prose_loss"}).notes,
              Contains(HasSubstr("by prose_loss")));
}

TEST_F(SelectionTest, WhatChoosesIsNamedOnce) {
  run_small_sweep();
  EXPECT_EQ(message({.select = {"lr=best:gain"}, .select_on = "prose_loss"}),
            "--select lr=best:gain names a metric, and --select-on prose_loss another; leave one out (--select "
            "lr=best)");
  EXPECT_THAT(message({.select_on = "prose_loss", .keeps_tuned = true}), HasSubstr("nothing is selected"));
  EXPECT_THAT(message({.select_on = "prse_loss"}), HasSubstr("unknown metric \"prse_loss\""));
}

TEST_F(SelectionTest, EveryRateIsShownWithoutSelectionAndWhenItIsGroupedBy) {
  run_small_sweep();
  EXPECT_EQ(ask({.keeps_tuned = true}).rows.size(), 7U);
  const Frame grouped = ask({.by = {"rank", "lr"}});
  EXPECT_EQ(grouped.rows.size(), 7U);
  EXPECT_THAT(grouped.notes, Not(Contains(HasSubstr("optimistic"))));
}

TEST_F(SelectionTest, ASweepWithoutTuningSelectsWhereItIsAsked) {
  history.tune.reset();
  history.submit("quick", 2);
  run_small_sweep();
  EXPECT_EQ(ask().rows.size(), 7U);
  EXPECT_EQ(ask({.select = {"lr=best:learning"}}).rows.size(), 3U);
}

TEST_F(SelectionTest, TheMetricsOwnDirectionCountsUnlessTheOtherIsNamed) {
  run_small_sweep();
  const auto rate = [&](const std::string& how) {
    return at_rank(ask({.select = {"lr=best:" + how}}), 32, "lr");
  };
  EXPECT_EQ(rate("forgetting"), Value(1e-4)) << "the lowest; equal ones go to the first";
  EXPECT_EQ(rate("forgetting:max"), Value(1e-2));
  EXPECT_EQ(rate("retained"), Value(1e-4));
  EXPECT_EQ(rate("math_loss"), Value(1e-2));
  EXPECT_EQ(rate("math_loss:min"), Value(1e-2)) << "of the loss as it was measured";
  EXPECT_EQ(rate("math_loss:max"), Value(1e-4));
}

TEST_F(SelectionTest, TuningByAnEvalSelectsByIt) {
  history.tune = Tuning{.axes = {"train.lr"}, .by = "prose_loss"};
  history.submit("quick", 2);
  run_small_sweep();
  const Frame frame = ask();
  EXPECT_EQ(at_rank(frame, 32, "lr"), Value(1e-4));
  EXPECT_THAT(frame.notes, Contains(HasSubstr("by prose_loss")));
}

TEST_F(SelectionTest, EqualMeansGoToTheFirstValueAndAreSaid) {
  ran(4, 1e-4, 1.5), ran(4, 1e-3, 1.5);
  history.base_scores(2.31, 3.00);
  const Frame frame = ask();
  EXPECT_EQ(at_rank(frame, 4, "lr"), Value(1e-4));
  EXPECT_THAT(note(frame, 4), HasSubstr("as good as lr 0.001"));
}

TEST_F(SelectionTest, AValueOfWhichASeedDivergedIsLeftOut) {
  ran(4, 1e-4, 1.8), ran(4, 1e-3, 1.5);
  history.ran({.rank = 4, .lr = 1e-2, .seed = 0}, 1.0, 3.0);
  diverges({.rank = 4, .lr = 1e-2, .seed = 1});
  history.base_scores(2.31, 3.00);
  const Frame frame = ask();
  EXPECT_EQ(at_rank(frame, 4, "lr"), Value(1e-3));
  EXPECT_THAT(note(frame, 4), HasSubstr("lr 0.01 left out: 1 diverged"));
  EXPECT_THAT(frame.notes, Not(Contains(HasSubstr("highest")))) << "what diverged bounds the range";
}

TEST_F(SelectionTest, AValueThatWasStoppedEarlyIsLeftOutWithTheSeedThatHadEnded) {
  ran(4, 1e-4, 1.8), ran(4, 1e-3, 1.5);
  const SweepTrial ended = history.ran({.rank = 4, .lr = 1e-2, .seed = 1}, 1.0, 3.0);
  const SweepTrial scout = history.list({.rank = 4, .lr = 1e-2, .seed = 0});
  history.grant(scout);
  history.base_scores(2.31, 3.00);
  history.record(CellStoppedEarly{.sweep = 1,
                                  .revision = 1,
                                  .cell = scout.cell,
                                  .verdict = {.policy = "p", .at = 3, .place = 2, .of = 2},
                                  .stages = {ended.stage, scout.stage}});
  const Frame frame = ask();
  EXPECT_EQ(at_rank(frame, 4, "lr"), Value(1e-3));
  EXPECT_THAT(note(frame, 4), HasSubstr("lr 0.01 left out: 2 stopped early"));
  EXPECT_THAT(frame.notes, Contains(HasSubstr("2 stopped early (")));
  EXPECT_THAT(frame.notes, Not(Contains(HasSubstr("not final")))) << "nothing of it will come";
}

TEST_F(SelectionTest, ASilentDivergenceIsLeftOutToo) {
  ran(4, 1e-4, 2.2), ran(4, 1e-3, 2.5);
  history.base_scores(2.31, 3.00);
  EXPECT_THAT(note(ask(), 4), HasSubstr("lr 0.001 left out: 2 diverged"));
}

TEST_F(SelectionTest, WhereEveryValueDivergedTheRowSaysThatNoneCanBeChosen) {
  diverges({.rank = 4, .lr = 1e-3});
  diverges({.rank = 4, .lr = 1e-2});
  ran(32, 1e-3, 1.3);
  history.base_scores(2.31, 3.00);
  const Frame frame = ask();
  EXPECT_EQ(at_rank(frame, 4, "lr"), Value{});
  EXPECT_EQ(at_rank(frame, 4, "n"), Value(int64_t{0}));
  EXPECT_EQ(at_rank(frame, 4, "learning"), Value{});
  EXPECT_THAT(note(frame, 4), HasSubstr("no lr can be chosen"));
}

TEST_F(SelectionTest, ARowWhoseValuesHaveNotAllEndedIsNotFinal) {
  ran(4, 1e-4, 1.8);
  history.list({.rank = 4, .lr = 1e-3});
  ran(32, 1e-4, 1.6);
  history.base_scores(2.31, 3.00);
  const Frame frame = ask();
  EXPECT_THAT(note(frame, 4), HasSubstr("not final: 1 trial of its values has no result yet"));
  EXPECT_THAT(note(frame, 32), Not(HasSubstr("not final")));
  EXPECT_THAT(frame.notes, Contains("1 of 2 rows is not final: values of lr have no result yet"));
}

TEST_F(SelectionTest, ARowIsFinalOnceItsLastEvalsAreLostOrHaveFailed) {
  const SweepTrial full = history.list({.rank = 0, .lr = 1e-3});
  history.base_scores(2.31, 3.00);
  history.grant(full);
  history.end(full, OutcomeKind::completed, "");
  EXPECT_THAT(ask().notes, Not(Contains(HasSubstr("not final")))) << "its weights were not kept";
  const SweepTrial adapted = history.list({.rank = 4, .lr = 1e-3});
  history.grant(adapted);
  history.end(adapted, OutcomeKind::completed, "");
  EXPECT_THAT(ask().notes, Contains(HasSubstr("1 of 2 rows is not final"))) << "they run on what was kept";
}

TEST_F(SelectionTest, AnEvalOfTheBaseThatHasFailedIsNotToCome) {
  ran(4, 1e-4, 1.8);
  history.base_eval_fails("no such file", true);
  EXPECT_THAT(ask().notes, Contains(HasSubstr("not final"))) << "the base's other one is to come";
  history.base_scores(2.31, 3.00);
  EXPECT_THAT(ask().notes, Not(Contains(HasSubstr("not final"))));
}

TEST_F(SelectionTest, NoChoiceIsFinalWhileTrialsAreNotStarted) {
  history.submit("quick", 2, 8);
  ran(4, 1e-4, 1.8);
  history.base_scores(2.31, 3.00);
  EXPECT_THAT(ask().notes, Contains("no choice is final: 6 trials are not started"));
}

TEST_F(SelectionTest, AMeanOverFewerSeedsIsChosenAndSaid) {
  history.ran({.rank = 4, .lr = 1e-3, .seed = 0}, 1.5, 3.0);
  const SweepTrial failing = history.list({.rank = 4, .lr = 1e-3, .seed = 1});
  history.grant(failing);
  history.end(failing, OutcomeKind::failed, "killed");
  ran(4, 1e-4, 1.8);
  history.base_scores(2.31, 3.00);
  const Frame frame = ask();
  EXPECT_EQ(at_rank(frame, 4, "lr"), Value(1e-3));
  EXPECT_THAT(note(frame, 4), HasSubstr("1 of 2, 1 failed"));
}

TEST_F(SelectionTest, TheEdgeOfTheRangeIsNamedWithTheValueThatComesNext) {
  run_small_sweep();
  EXPECT_THAT(
      ask().notes,
      Contains("warning: the best lr of regime math, method lora, rank 32, target all is the highest of 3 that "
               "were tried, 0.01; 0.1 comes next"));
  EXPECT_THAT(ask().notes, Not(Contains(HasSubstr("rank 4,"))));
}

TEST_F(SelectionTest, TheLowestEdgeIsNamedToo) {
  ran(4, 1e-4, 1.2), ran(4, 1e-3, 1.5), ran(4, 1e-2, 1.7);
  history.base_scores(2.31, 3.00);
  EXPECT_THAT(ask().notes, Contains(HasSubstr("is the lowest of 3 that were tried, 0.0001; 1e-05 comes next")));
}

// Results have a length as a text.
TEST_F(SelectionTest, TheEdgeOfLengthsIsNamedWithTheOneThatComesNext) {
  history.tune = Tuning{.axes = {"train.warmup"}, .by = ""};
  history.submit("quick", 2);
  const auto at_edge = [&](int rank, const StepsOrShare& first, const StepsOrShare& second,
                           const StepsOrShare& third) {
    history.ran({.rank = rank, .warmup = first}, 1.8, 3.0);
    history.ran({.rank = rank, .warmup = second}, 1.5, 3.0);
    history.ran({.rank = rank, .warmup = third}, 1.1, 3.0);
  };
  at_edge(4, {.steps = 2, .share = 0.1}, {.steps = 4, .share = 0.1}, {.steps = 10, .share = 0.1});
  at_edge(8, {.steps = {}, .share = 0.05}, {.steps = {}, .share = 0.1}, {.steps = {}, .share = 0.15});
  at_edge(16, {.steps = 2, .share = 0.1}, {.steps = {}, .share = 0.1}, {.steps = {}, .share = 0.15});
  at_edge(32, {.steps = 2, .share = 0.1}, {.steps = 4, .share = 0.1}, {.steps = 6, .share = 0.1});
  history.base_scores(2.31, 3.00);
  const auto notes = ask().notes;
  EXPECT_THAT(notes, Contains(AllOf(HasSubstr("rank 4,"),
                                    testing::EndsWith("is the highest of 3 that were tried, 10"))));
  EXPECT_THAT(notes, Contains(AllOf(HasSubstr("rank 8,"),
                                    HasSubstr("is the highest of 3 that were tried, 15.0%; 20% comes next"))));
  EXPECT_THAT(notes, Not(Contains(HasSubstr("rank 16,")))) << "steps and shares have no order";
  EXPECT_THAT(notes, Contains(AllOf(HasSubstr("rank 32,"),
                                    HasSubstr("is the highest of 3 that were tried, 6; 8 comes next"))));
}

TEST_F(SelectionTest, RowsThatTriedDifferentNumbersOfValuesAreNamed) {
  run_small_sweep();
  EXPECT_THAT(ask().notes, Not(Contains(HasSubstr("different numbers"))));
  history.ran({.rank = 0, .lr = 1e-4}, 1.0, 3.1);
  EXPECT_THAT(ask().notes,
              Contains("warning: rows were tuned over different numbers of values of lr: full 1, lora 3"));
}

// An axis of a sweep file leaves its values as labels beside the setting.
TEST_F(SelectionTest, AnAxisThatIsALabelTooIsChosenByItsNumbers) {
  history.ran({.rank = 4, .lr = 1e-4, .lr_label = "1e-4"}, 1.8, 3.0);
  history.ran({.rank = 4, .lr = 1e-3, .lr_label = "1e-3"}, 1.5, 3.0);
  history.ran({.rank = 4, .lr = 1e-2, .lr_label = "1e-2"}, 1.4, 3.0);
  history.base_scores(2.31, 3.00);
  const Frame frame = ask();
  ASSERT_EQ(frame.rows.size(), 2U);
  EXPECT_EQ(at_rank(frame, 4, "lr"), Value(1e-2));
  EXPECT_THAT(frame.notes, Contains(HasSubstr("0.1 comes next")));
  EXPECT_EQ(ask({.by = {"rank", "train.lr"}}).rows.size(), 4U);
  EXPECT_THAT(message({.by = {"train.lr"}, .select = {"lr=best"}}), HasSubstr("is in --by and in --select"));
}

TEST_F(SelectionTest, TwoTunedAxesAreChosenTogether) {
  history.tune = Tuning{.axes = {"train.lr", "train.batch"}, .by = ""};
  history.submit("quick", 2);
  history.ran({.rank = 4, .lr = 1e-4, .batch = 2}, 1.8, 3.0);
  history.ran({.rank = 4, .lr = 1e-4, .batch = 8}, 1.2, 3.0);
  history.ran({.rank = 4, .lr = 1e-3, .batch = 2}, 1.4, 3.0);
  history.base_scores(2.31, 3.00);
  const Frame frame = ask();
  EXPECT_EQ(at_rank(frame, 4, "lr"), Value(1e-4));
  EXPECT_EQ(at_rank(frame, 4, "batch"), Value(int64_t{8}));
}

// As `rows` of a block of which nothing is listed yet.
TEST_F(SelectionTest, ATunedAxisThatNoTrialHasYetChoosesNothing) {
  history.tune = Tuning{.axes = {"mix", "train.lr"}, .by = ""};
  history.submit("quick", 2);
  run_small_sweep();
  EXPECT_EQ(ask().rows.size(), 3U);
  EXPECT_THAT(message({.select = {"mix=best"}}), HasSubstr("no trial that has mix is listed so far"));
}

TEST_F(SelectionTest, OfAFilteredRateThereIsNothingToChoose) {
  run_small_sweep();
  const Frame frame = ask({.where = "lr = 1e-4"});
  EXPECT_EQ(frame.rows.size(), 3U);
  EXPECT_THAT(frame.notes, Not(Contains(HasSubstr("highest"))));
}

TEST_F(SelectionTest, WhatIsAskedInAnotherFormIsRefusedWithTheForm) {
  run_small_sweep();
  for (const char* text : {"lr", "lr=max", "lr=best:", "lr=best:learning:up", "=best:gain"})
    EXPECT_THAT(message({.select = {text}}), HasSubstr("is not AXIS=best:METRIC, such as lr=best:learning"))
        << text;
  EXPECT_THAT(message({.select = {"lr=best:f1"}}), HasSubstr("unknown metric \"f1\""));
  EXPECT_THAT(message({.select = {"rte=best:gain"}}), HasSubstr("unknown axis \"rte\""));
  EXPECT_THAT(message({.by = {"lr"}, .select = {"lr=best:gain"}}), HasSubstr("lr is in --by and in --select"));
  EXPECT_THAT(message({.rows = QueryRows::trials, .select = {"lr=best:gain"}}), HasSubstr("--trials"));
  EXPECT_THAT(message({.select = {"lr=best:gain", "rank=best:retained"}}), HasSubstr("one metric"));
}

TEST_F(SelectionTest, AnAxisThatNobodyNamedIsRefusedWithTheThreeWaysToNameIt) {
  run_small_sweep();
  EXPECT_THAT(message({.by = {"method"}}),
              AllOf(HasSubstr("average over rank"), HasSubstr("--by"), HasSubstr("--where 'rank = 32'"),
                    HasSubstr("--select rank=best:learning")));
}

}  // namespace
}  // namespace ranktide
