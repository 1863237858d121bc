// Queries over small hand-built histories: what is averaged, what is refused, what is said.
#include "coordinator/edge/query.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/vocabulary/sha256.h"
#include "coordinator/edge/statistics.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

size_t column_named(const Frame& frame, const std::string& name) {
  for (size_t c = 0; c < frame.columns.size(); ++c)
    if (frame.columns[c].name == name) return c;
  ADD_FAILURE() << "no column " << name;
  return 0;
}

class QueryTest : public testing::Test {
 protected:
  QueryTest() : history(folder.path()) {
    history.begin();
    history.submit("quick");
  }

  // Two cells of LoRA and one of full finetuning, two seeds each; learn losses differ by 0.02 within a cell.
  void run_small_sweep() {
    history.ran({.lr = 5e-5, .seed = 0}, 0.73, 3.02);
    history.ran({.lr = 5e-5, .seed = 1}, 0.75, 3.04);
    for (const int rank : {4, 32}) {
      history.ran({.rank = rank, .seed = 0}, rank == 4 ? 1.60 : 0.62, 3.01);
      history.ran({.rank = rank, .seed = 1}, rank == 4 ? 1.62 : 0.64, 3.03);
    }
    history.listed();
    history.base_scores(2.31, 3.00);
  }

  Frame ask(const QueryRequest& request) { return query(history.reader(), request); }
  Frame ask() { return ask({.sweeps = {"quick"}}); }
  std::string message(const QueryRequest& request) {
    try {
      ask(request);
    } catch (const QueryError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder;
  History history;
};

TEST_F(QueryTest, ShowsOneRowPerCellAndTheUntouchedBase) {
  run_small_sweep();
  const Frame frame = ask();
  ASSERT_EQ(frame.rows.size(), 4U);
  EXPECT_EQ(value_at(frame, "note", "untouched base", "method"), Value("base"));
  EXPECT_EQ(value_at(frame, "note", "untouched base", "gain"), Value(0.0));
  EXPECT_EQ(value_at(frame, "note", "untouched base", "forgetting"), Value(0.0));
  EXPECT_NEAR(number_at(frame, "note", "untouched base", "learning"), -2.31, 1e-12);
  EXPECT_NEAR(number_at(frame, "method", "full", "gain"), 2.31 - 0.74, 1e-12);
  EXPECT_NEAR(number_at(frame, "method", "full", "forgetting"), 0.03, 1e-12);
  EXPECT_EQ(value_at(frame, "method", "full", "n"), Value(int64_t{2}));
}

TEST_F(QueryTest, TheDefaultTableSaysWhatACellCost) {
  run_small_sweep();
  const Frame frame = ask();
  for (const char* method : {"full", "lora"}) {
    EXPECT_EQ(number_at(frame, "method", method, "tokens"), 6000);
    EXPECT_EQ(number_at(frame, "method", method, "seconds"), 30);
    EXPECT_EQ(number_at(frame, "method", method, "memory"), 1 << 30);
  }
  EXPECT_EQ(value_at(frame, "method", "base", "tokens"), Value{});
  const std::string table = print(frame, FrameFormat::table);
  EXPECT_THAT(table, ContainsRegex("tokens +seconds +memory"));
  EXPECT_THAT(table, ContainsRegex("6.0k +30.0 s +1.0 GiB"));
}

TEST_F(QueryTest, PoolsTheSpreadOverTheCellsOfAMethod) {
  run_small_sweep();
  const Frame frame = ask();
  const double s2 = 0.0002;  // of {x, x + 0.02} in every cell
  EXPECT_NEAR(number_at(frame, "method", "lora", "learning_ci"), t_critical(2, 0.95) * std::sqrt(s2 / 2), 1e-9);
  EXPECT_NEAR(number_at(frame, "method", "full", "learning_ci"), t_critical(1, 0.95) * std::sqrt(s2 / 2), 1e-9);
  EXPECT_NEAR(number_at(frame, "method", "lora", "learning_ci_own"), t_critical(1, 0.95) * std::sqrt(s2 / 2),
              1e-9);
  EXPECT_THAT(frame.notes, Contains(HasSubstr("full (math) 1, lora (math) 2")));
}

TEST_F(QueryTest, LeavesAnIncompleteTrialOutOfEveryMeanAndSaysSo) {
  run_small_sweep();
  history.submit("other");
  history.list({.rank = 4, .seed = 0});  // done in the other sweep
  const SweepTrial trial = history.list({.rank = 4, .seed = 2});
  history.grant(trial);
  history.end(trial, OutcomeKind::diverged, "loss not finite at step 5");
  const Frame frame = ask({.sweeps = {"other"}});
  EXPECT_EQ(value_at(frame, "method", "lora", "n"), Value(int64_t{1}));
  EXPECT_NEAR(number_at(frame, "method", "lora", "learning"), -1.60, 1e-12);
  EXPECT_EQ(value_at(frame, "method", "lora", "learning_ci"), Value{});  // nothing to pool
  EXPECT_EQ(value_at(frame, "method", "lora", "note"),
            Value("1 of 2, 1 diverged, ± n/a: one seed, nothing to pool"));
  EXPECT_THAT(frame.notes,
              Contains(HasSubstr("1 of 2 trials is in no mean: 1 diverged (" + trial.id.brief() + ")")));
}

TEST_F(QueryTest, SaysWhereACellOfOneSeedHasItsIntervalFrom) {
  history.ran({.rank = 4}, 1.60, 3.0);
  history.ran({.rank = 8}, 1.40, 3.0);
  history.base_scores(2.31, 3.00);
  for (const auto& row : ask().rows) {
    if (row[1] == Value("lora")) {
      EXPECT_EQ(row.back(), Value("± n/a: one seed, nothing to pool"));
    }
  }
  history.ran({.rank = 16, .seed = 0}, 1.20, 3.0);
  history.ran({.rank = 16, .seed = 1}, 1.22, 3.0);
  const Frame frame = ask();
  EXPECT_EQ(value_at(frame, "note", "± from the other cells' spread", "rank"), Value(int64_t{4}));
  const Frame costs = ask({.sweeps = {"quick"}, .metrics = {"seconds"}});
  EXPECT_EQ(value_at(costs, "method", "lora", "note"), Value("")) << "costs have no ±";
}

TEST_F(QueryTest, CountsTheTrialsThatWereNeverStarted) {
  history.submit("quick", 2, 8);
  history.ran({.rank = 4, .seed = 0}, 1.60, 3.0);
  history.ran({.rank = 4, .seed = 1}, 1.62, 3.0);
  history.base_scores(2.31, 3.00);
  history.record(SweepStopped{.sweep = 1, .request_id = "r", .actor = "ann"});
  EXPECT_THAT(ask().notes, Contains("6 of 8 trials are in no mean: 6 not started"));
  const Frame trials = ask({.sweeps = {"quick"}, .rows = QueryRows::trials});
  EXPECT_THAT(trials.notes, Contains("6 of 8 trials are in no mean: 6 not started"));
  const Frame some = ask({.sweeps = {"quick"}, .where = "rank = 4"});
  EXPECT_THAT(some.notes, Contains("6 more trials of the sweep are not started, whatever --where says"));
  EXPECT_EQ(history.reader().select("SELECT trials, completed, not_started FROM v_sweep").rows,
            (std::vector<std::vector<Value>>{{Value(int64_t{8}), Value(int64_t{2}), Value(int64_t{6})}}));
}

TEST_F(QueryTest, NamesTheTrialsOfEachVersionOfTheEnginesArithmetic) {
  history.numerics = 4;
  const SweepTrial older = history.ran({.rank = 4, .seed = 0}, 1.60, 3.0);
  EXPECT_THAT(ask().notes, Not(Contains(HasSubstr("arithmetic"))));
  history.numerics = 5;
  const SweepTrial newer = history.ran({.rank = 4, .seed = 1}, 1.62, 3.0);
  EXPECT_THAT(ask().notes, Contains("trials were trained by different versions of the engine's arithmetic: "
                                    "1 by version 4 (" +
                                    older.id.brief() + "), 1 by version 5 (" + newer.id.brief() + ")"));
}

TEST_F(QueryTest, NamesTheTrialsOfEachDevice) {
  history.ran({.rank = 4, .seed = 0}, 1.60, 3.0);  // by a trainer that did not tell
  history.device = "cpu AVX2";
  const SweepTrial older = history.ran({.rank = 4, .seed = 1}, 1.61, 3.0);
  EXPECT_THAT(ask().notes, Not(Contains(HasSubstr("devices"))));
  history.device = "cpu AVX512";
  const SweepTrial newer = history.ran({.rank = 4, .seed = 2}, 1.62, 3.0);
  EXPECT_THAT(ask().notes, Contains("trials were trained on different devices: 1 by cpu AVX2 (" +
                                    older.id.brief() + "), 1 by cpu AVX512 (" + newer.id.brief() + ")"));
  EXPECT_EQ(history.reader().select("SELECT device FROM v_trial ORDER BY seed").rows,
            (std::vector<std::vector<Value>>{{Value{}}, {Value("cpu AVX2")}, {Value("cpu AVX512")}}));
}

TEST_F(QueryTest, NamesTheTrialsThatAreNotPromisedBitEqual) {
  history.ran({.rank = 4, .seed = 0}, 1.60, 3.0);
  EXPECT_THAT(ask().notes, Not(Contains(HasSubstr("bit-equal"))));
  history.exact = false;
  const SweepTrial cut = history.ran({.rank = 4, .seed = 1}, 1.61, 3.0);
  EXPECT_THAT(ask().notes, Contains("1 trial ran with another micro-batch, or on two models of processor, and "
                                    "is not promised bit-equal (" +
                                    cut.id.brief() + ")"));
}

TEST_F(QueryTest, WhatAnOlderTrainerDidNotTellIsAVersionOfItsOwn) {
  history.ran({.rank = 4, .seed = 0}, 1.60, 3.0);
  EXPECT_THAT(ask().notes, Not(Contains(HasSubstr("arithmetic"))));
  history.numerics = 5;
  history.ran({.rank = 4, .seed = 1}, 1.62, 3.0);
  EXPECT_THAT(ask().notes, Contains(HasSubstr("arithmetic: 1 by one that nobody noted (")));
}

TEST_F(QueryTest, ASweepOfAnOlderVersionCountsWhatItHasListed) {
  run_small_sweep();
  EXPECT_THAT(ask().notes, Contains("all 6 trials are in"));
  EXPECT_EQ(history.reader().select("SELECT trials, not_started FROM v_sweep").rows,
            (std::vector<std::vector<Value>>{{Value(int64_t{6}), Value(int64_t{0})}}));
}

TEST_F(QueryTest, RefusesToPoolAnAxisThatNobodyNamed) {
  run_small_sweep();
  try {
    ask({.sweeps = {"quick"}, .by = {"method"}});
    FAIL() << "pooled";
  } catch (const QueryError& error) {
    EXPECT_STREQ(
        error.what(),
        "this would average over rank (4, 32), which varies: add it to --by, fix it with --where (such as "
        "--where 'rank = 32'), or show the best alone with --select (such as --select rank=best:learning)");
  }
  EXPECT_EQ(ask({.sweeps = {"quick"}, .by = {"method"}, .where = "rank = 4 or method = full"}).rows.size(), 3U);
}

TEST_F(QueryTest, NamesEveryAxisThatItWouldPoolWithItsValues) {
  for (const int batch : {1, 2, 3, 4, 5, 6, 7})
    history.ran({.rank = batch, .target = "attn", .batch = batch}, 1, 3);
  history.ran({.rank = 8, .target = "all", .batch = 8}, 1, 3);
  EXPECT_THAT(message({.sweeps = {"quick"}, .by = {"method"}, .where = "batch < 3 or batch > 6"}),
              HasSubstr("average over rank (1, 2, 7, 8), which varies"))
      << "batch and target follow from it";
  EXPECT_THAT(message({.sweeps = {"quick"}, .by = {"batch"}, .where = "rank < 0"}), "");
  EXPECT_THAT(message({.sweeps = {"quick"}, .by = {"method"}}),
              HasSubstr("rank (1, 2, 3, 4, 5, 6, …), which varies: add it to --by"));
  history.ran({.rank = 8, .target = "attn", .batch = 8}, 1, 3);
  EXPECT_THAT(message({.sweeps = {"quick"}, .by = {"method"}, .where = "batch = 8"}),
              HasSubstr("average over target (all, attn), which varies"));
  EXPECT_THAT(
      message({.sweeps = {"quick"}, .by = {"method"}, .where = "batch > 6"}),
      HasSubstr("average over rank (7, 8) and target (attn, all), which vary: add them to --by, fix them"));
}

// A sweep file's axis leaves its values as labels under the setting's full key; they are compared as numbers.
TEST_F(QueryTest, ASettingsFullKeyIsTheSettingWhateverTheAxisCallsItsValues) {
  history.ran({.rank = 4, .lr = 1e-4, .lr_label = "1e-4"}, 1.8, 3.0);
  history.ran({.rank = 4, .lr = 1e-3, .lr_label = "0.001"}, 1.5, 3.0);
  history.base_scores(2.31, 3.00);
  for (const char* where : {"train.lr > 5e-4", "lr = 1e-3", "train.lr = 1e-3"})
    EXPECT_EQ(ask({.sweeps = {"quick"}, .where = where}).rows.size(), 2U) << where;
  EXPECT_THAT(message({.sweeps = {"quick"}, .by = {"rank"}}),
              AllOf(HasSubstr("average over lr (0.0001, 0.001)"), HasSubstr("--where 'lr = 0.001'")));
}

// Its value in a trial is the absolute path, which nobody writes.
TEST_F(QueryTest, AnAxisOverFilesGoesByTheNamesInTheSweepFile) {
  history.ran({.regime = "code", .train_label = "code.jsonl"}, 1.8, 3.0);
  history.ran({.regime = "math", .train_label = "math.jsonl"}, 1.5, 3.0);
  history.submit("other");
  history.ran({.regime = "code", .rank = 4}, 1.6, 3.0);
  const auto trials = [&](const std::string& where) {
    return ask({.sweeps = {"quick", "other"}, .where = where, .rows = QueryRows::trials}).rows.size();
  };
  EXPECT_EQ(trials("data.train = code.jsonl"), 1U);
  EXPECT_EQ(trials("data.train in (code.jsonl, math.jsonl)"), 2U);
  EXPECT_EQ(trials("data.train = '/data/code.jsonl'"), 1U) << "of the sweep without such an axis";
}

TEST_F(QueryTest, SaysThatNoTrialFits) {
  run_small_sweep();
  EXPECT_THAT(ask({.sweeps = {"quick"}, .where = "rank = 99"}).notes,
              ElementsAre("no trial fits --where 'rank = 99'"));
}

// Rule 8: the sampling error is that over an eval's items. All seeds answer the same ones, so that more seeds
// do not make it smaller, and it is never a part of ±.
TEST_F(QueryTest, TheErrorOverItemsStandsInAColumnOfItsOwn) {
  history.ran({.rank = 4, .seed = 0}, 1.6, 3.0);
  history.ran({.rank = 4, .seed = 1}, 1.6, 3.0);
  history.base_scores(2.31, 3.00);
  const Frame frame = ask({.sweeps = {"quick"}, .metrics = {"math_loss", "learning", "gain"}});
  for (const char* column : {"math_loss_stderr", "learning_stderr"}) {
    EXPECT_NEAR(number_at(frame, "method", "lora", column), 0.01, 1e-12) << column;
    EXPECT_NEAR(number_at(frame, "method", "base", column), 0.01, 1e-12) << column;
  }
  EXPECT_NEAR(number_at(frame, "method", "lora", "math_loss_ci"), 0, 1e-12) << "the seeds agree";
  for (const auto& column : frame.columns)
    EXPECT_NE(column.name, "gain_stderr") << "both answer the same items";
  EXPECT_THAT(print(frame, FrameFormat::table), HasSubstr("math_loss_stderr"));
  EXPECT_THAT(print(frame, FrameFormat::table), Not(HasSubstr("learning_stderr"))) << "a detail";
  const Frame trials = ask({.sweeps = {"quick"}, .metrics = {"math_loss"}, .rows = QueryRows::trials});
  EXPECT_EQ(std::get<double>(trials.rows.at(0).at(column_named(trials, "math_loss_stderr"))), 0.01);
  for (const auto& row : frame.rows) EXPECT_EQ(row.size(), frame.columns.size());
}

// Rule 9: two evals of one name, asked in two ways.
TEST_F(QueryTest, EvalsOfOneNameThatDifferAreSaid) {
  history.ran({.rank = 4}, 1.6, 3.0);
  history.base_scores(2.31, 3.00);
  EXPECT_THAT(ask().notes, Not(Contains(HasSubstr("go by the same names"))));
  history.ran({.rank = 8, .shots = "five"}, 1.2, 3.0);
  EXPECT_THAT(ask().notes, Contains(HasSubstr("2 sets of evals go by the same names")));
}

TEST_F(QueryTest, AddsAnAxisThatVariesToTheDefaultOnes) {
  history.ran({.batch = 2}, 0.7, 3);
  history.ran({.batch = 8}, 0.6, 3);
  const Frame frame = ask();
  EXPECT_EQ(frame.columns[5].name, "batch");
  EXPECT_EQ(frame.rows.size(), 3U);
}

TEST_F(QueryTest, FiltersByTheSweepFilesExpressions) {
  run_small_sweep();
  const Frame frame =
      ask({.sweeps = {"quick"}, .where = "method = lora and rank >= 16 and target in (all, mlp)"});
  EXPECT_EQ(frame.rows.size(), 2U);  // the cell and the base
  EXPECT_EQ(value_at(frame, "method", "lora", "rank"), Value(int64_t{32}));
}

TEST_F(QueryTest, FilteredCellsStillLendTheirSpread) {
  run_small_sweep();
  const Frame all = ask();
  const Frame one = ask({.sweeps = {"quick"}, .where = "rank = 4"});
  EXPECT_EQ(value_at(one, "method", "lora", "gain_ci"), value_at(all, "method", "lora", "gain_ci"));
}

TEST_F(QueryTest, KeepsTheRegimesApartEachWithItsOwnBase) {
  for (const uint64_t seed : {0U, 1U}) {
    history.ran({.regime = "math", .seed = seed}, 0.7, 3.1);
    history.ran({.regime = "code", .seed = seed}, 2.8, 3.0);
  }
  history.base_scores(2.31, 3.00, {.regime = "math"});
  history.base_scores(2.96, 3.00, {.regime = "code"});
  const Frame frame = ask();
  ASSERT_EQ(frame.rows.size(), 4U);
  EXPECT_EQ(frame.rows[0][0], Value("math"));
  EXPECT_EQ(frame.rows[0][1], Value("base"));
  EXPECT_EQ(frame.rows[2][0], Value("code"));
  EXPECT_EQ(frame.rows[2][1], Value("base"));
  EXPECT_NEAR(number_at(frame, "regime", "code", "learning"), -2.96, 1e-12);
}

TEST_F(QueryTest, FlagsATrialThatLearntNothing) {
  history.ran({.rank = 4}, 2.50, 3.0);
  history.base_scores(2.31, 3.00);
  EXPECT_THAT(std::get<std::string>(value_at(ask(), "method", "lora", "note")), HasSubstr("1 learnt nothing"));
}

TEST_F(QueryTest, ListsTrialsWithTheirStatesScoresAndArtifacts) {
  const SweepTrial done = history.ran({.rank = 4}, 1.6, 3.0);
  const SweepTrial waiting = history.list({.rank = 4, .seed = 1});
  history.base_scores(2.31, 3.00);
  std::filesystem::create_directories(artifacts_folder(folder.path(), done.id));
  const Frame frame = ask({.sweeps = {"quick"}, .rows = QueryRows::trials});
  EXPECT_EQ(value_at(frame, "trial", done.id.text, "state"), Value("completed"));
  EXPECT_EQ(value_at(frame, "trial", done.id.text, "artifacts"),
            Value(artifacts_folder(folder.path(), done.id).string()));
  EXPECT_NEAR(number_at(frame, "trial", done.id.text, "gain"), 0.71, 1e-12);
  EXPECT_EQ(value_at(frame, "trial", waiting.id.text, "state"), Value("ready"));
  EXPECT_EQ(value_at(frame, "trial", waiting.id.text, "gain"), Value{});
}

TEST_F(QueryTest, AnswersForOneEvalByItsName) {
  run_small_sweep();
  const Frame frame = ask({.sweeps = {"quick"}, .metrics = {"prose_loss"}});
  EXPECT_NEAR(number_at(frame, "method", "full", "prose_loss"), -3.03, 1e-12);
}

TEST_F(QueryTest, NamesWhatThereIsWhenAskedForWhatThereIsNot) {
  run_small_sweep();
  EXPECT_THAT(message({.sweeps = {"quik"}}),
              AllOf(HasSubstr("no sweep \"quik\""), HasSubstr("there are: quick")));
  EXPECT_THAT(message({.sweeps = {"quick"}, .by = {"rnk"}}),
              AllOf(HasSubstr("unknown axis \"rnk\""), HasSubstr("rank")));
  EXPECT_THAT(message({.sweeps = {"quick"}, .metrics = {"f1"}}),
              AllOf(HasSubstr("unknown metric \"f1\""), HasSubstr("prose_loss")));
  EXPECT_THAT(message({.sweeps = {"quick"}, .where = "rank >"}), HasSubstr("--where: "));
  for (const char* where : {"rnk = 4", "rnk in (4, 8)", "rank = 4 and rnk = lots", "method = lora or rnk > 4"})
    EXPECT_THAT(message({.sweeps = {"quick"}, .where = where}), HasSubstr("unknown axis \"rnk\"; there are: "))
        << where;
  EXPECT_EQ(message({.sweeps = {"quick"}, .where = "method = lora and target in (all, mlp)"}), "");
}

// A grid is listed as it is worked on, and only the file knows the axes of a block that nothing has touched.
TEST_F(QueryTest, ChoosesByAnAxisOfTrialsThatAreNotListedYet) {
  history.ran({.rank = 4}, 1.6, 3.0);
  SweepSpec later;
  later.name = "later";
  later.blocks.push_back({.name = "b", .constants = {}, .axes = {}, .derive = {}, .exclude = {}});
  later.blocks[0].axes.push_back({.name = "pace", .points = {}, .when = ""});
  history.record(SweepSubmitted{.sweep = 2,
                                .revision = 1,
                                .request_id = "later",
                                .spec_sha256 = sha256_hex("later"),
                                .spec = later,
                                .trial_count = 8});
  const std::vector<std::string> both{"quick", "later"};
  EXPECT_EQ(message({.sweeps = both, .where = "pace == fast"}), "");
  const Frame frame = ask({.sweeps = both, .where = "rank == 4 or pace == fast"});
  EXPECT_EQ(value_at(frame, "method", "lora", "rank"), Value(int64_t{4}));
  EXPECT_THAT(message({.sweeps = both, .where = "pase == fast"}), HasSubstr("unknown axis \"pase\""));
  EXPECT_THAT(message({.sweeps = both, .where = "pase == fast"}), HasSubstr(", pace"));
  const Frame by = ask({.sweeps = both, .by = {"rank", "pace"}});
  EXPECT_EQ(value_at(by, "sweep", "quick", "pace"), Value{});
  EXPECT_THAT(message({.sweeps = both, .by = {"rank", "pase"}}), HasSubstr("unknown axis \"pase\""));
  EXPECT_THAT(message({.sweeps = both, .vs = "pace == fast"}),
              HasSubstr("no row is that yet, for no trial that has pace is listed so far"));
  EXPECT_THAT(message({.sweeps = both, .vs = "rank == 64"}), HasSubstr("no row is that yet: 8 more trials of"));
  EXPECT_THAT(message({.sweeps = both, .select = {"pace=best"}}),
              HasSubstr("no trial that has pace is listed so far, so that nothing can be chosen"));
}

TEST_F(QueryTest, ShowsTheNewestRevisionOnly) {
  history.ran({.rank = 4}, 1.6, 3.0);
  history.submit("quick", 2);
  history.ran({.rank = 8}, 1.2, 3.0);
  const Frame frame = ask();
  EXPECT_EQ(frame.rows.size(), 2U);
  EXPECT_EQ(value_at(frame, "method", "lora", "rank"), Value(int64_t{8}));
}

}  // namespace
}  // namespace ranktide
