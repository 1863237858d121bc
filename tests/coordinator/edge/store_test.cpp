// The one writer: what it accepts, refuses, remembers and mirrors.
#include "coordinator/edge/store.h"

#include <cmath>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "common/vocabulary/wire.h"
#include "coordinator/edge/query_status.h"
#include "coordinator/edge/store_folder.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <class F>
std::string message_of(F act) {
  try {
    act();
  } catch (const StoreError& error) {
    return error.what();
  }
  return "no error";
}

class StoreTest : public testing::Test {
 protected:
  StoreTest() : history(folder.path()) {
    history.begin();
    history.submit("quick");
  }
  Value one(const std::string& sql) { return history.reader().select(sql).rows.at(0).at(0); }
  // Closes the folder, and makes it one that a program of that version left.
  void lower_to(int version, void (*drop_columns)(Connection&));

  TemporaryFolder folder;
  History history;
};

TEST_F(StoreTest, ReplaysWhatItCommittedInOrder) {
  const SweepTrial trial = history.ran({.rank = 4}, 1.6, 3.0);
  std::vector<std::string> kinds;
  Lease lease;
  history.store().replay([&](const Record& r) {
    kinds.emplace_back(kind_of(r));
    if (const auto* granted = std::get_if<LeaseGranted>(&r)) lease = granted->lease;
  });
  EXPECT_THAT(kinds, testing::ElementsAre("EpochStarted", "WorkerJoined", "SweepSubmitted", "TrialListed",
                                          "LeaseGranted", "EvalFinished", "EvalFinished", "UnitFinished"));
  EXPECT_EQ(lease, history.lease(trial));
}

TEST_F(StoreTest, ReopensWhatItClosed) {
  history.ran({.rank = 4}, 1.6, 3.0);
  history.close();
  Store again(folder.path(), Store::Open::existing);
  int records = 0;
  again.replay([&](const Record&) { ++records; });
  EXPECT_EQ(records, 8);
}

TEST_F(StoreTest, RefusesASecondCoordinatorAndNamesTheFirst) {
  EXPECT_THAT(message_of([&] { Store second(folder.path(), Store::Open::create); }),
              AllOf(HasSubstr(folder.path().string()),
                    HasSubstr("is in use: process " + std::to_string(::getpid())), HasSubstr("--data-dir")));
}

TEST_F(StoreTest, RefusesANewerVersionWithBothNumbersAndChangesNothing) {
  history.close();
  {
    Connection c(database_file(folder.path()), Connection::Mode::writer);
    c.execute("PRAGMA user_version=9");
  }
  const auto open = [&] { Store newer(folder.path(), Store::Open::create); };
  EXPECT_THAT(message_of(open), AllOf(HasSubstr("data version 9"), HasSubstr("up to 8")));
  EXPECT_THAT(message_of([&] { Reader reader(folder.path()); }), HasSubstr("data version 9"));
  Connection c(database_file(folder.path()), Connection::Mode::reader);
  EXPECT_EQ(c.value_of("PRAGMA user_version"), Value(int64_t{9}));
}

void drop_views(Connection& c) {
  std::vector<std::string> views;
  for (auto found = c.prepare("SELECT name FROM sqlite_schema WHERE type='view'"); found.step();)
    views.push_back(found.text(0));
  for (const std::string& view : views) c.execute("DROP VIEW " + view);
}

void StoreTest::lower_to(int version, void (*drop_columns)(Connection&)) {
  history.close();
  Connection c(database_file(folder.path()), Connection::Mode::writer);
  drop_views(c);
  drop_columns(c);
  c.execute("PRAGMA user_version=" + std::to_string(version));
}

void drop_tables_of_version_8(Connection& c) {
  c.execute("DROP TABLE stopped_cell");
}

void drop_columns_of_version_7(Connection& c) {
  drop_tables_of_version_8(c);
  for (const char* column : {"model_from", "listed_in"})
    c.execute(std::string("ALTER TABLE trial DROP COLUMN ") + column);
}

void drop_columns_of_version_6(Connection& c) {
  drop_columns_of_version_7(c);
  c.execute("DROP TABLE branch");
  c.execute("ALTER TABLE stage DROP COLUMN device");
}

void drop_columns_of_version_5(Connection& c) {
  drop_columns_of_version_6(c);
  c.execute("ALTER TABLE stage DROP COLUMN numerics");
}

void drop_columns_of_version_4(Connection& c) {
  drop_columns_of_version_5(c);
  c.execute("ALTER TABLE sweep_trial DROP COLUMN cancelled");
  c.execute("ALTER TABLE sweep DROP COLUMN trials");
}

void drop_columns_of_version_3(Connection& c) {
  drop_columns_of_version_4(c);
  c.execute("ALTER TABLE sweep DROP COLUMN needs");
  for (const char* column : {"train_bytes", "forward_bytes"})
    c.execute(std::string("ALTER TABLE stage DROP COLUMN ") + column);
}

// A file as version 1 left it: without what version 2 added, and with views of its own.
void make_version_1(const std::filesystem::path& file) {
  Connection c(file, Connection::Mode::writer);
  drop_views(c);
  for (const char* column : {"owner", "paused", "priority", "max_parallel"})
    c.execute(std::string("ALTER TABLE sweep DROP COLUMN ") + column);
  drop_columns_of_version_3(c);
  c.execute("CREATE VIEW v_sweep AS SELECT name FROM sweep");
  c.execute("PRAGMA user_version=1");
}

TEST_F(StoreTest, BringsAFolderOfAnOlderVersionUpToDateAndKeepsItsResults) {
  history.ran({.rank = 4}, 1.6, 3.0);
  history.base_scores(2.3, 3.0);
  const auto results = history.reader().select("SELECT * FROM v_result").rows;
  ASSERT_FALSE(results.empty());
  history.close();
  make_version_1(database_file(folder.path()));
  EXPECT_THAT(message_of([&] { Reader reader(folder.path()); }),
              AllOf(HasSubstr("data version 1 of an older ranktide"), HasSubstr("`ranktide run`")));
  Store store(folder.path(), Store::Open::create);
  const Reader reader(folder.path());
  EXPECT_EQ(reader.select("SELECT owner, paused, completed FROM v_sweep").rows,
            (std::vector<std::vector<Value>>{{Value("local"), Value(int64_t{0}), Value(int64_t{1})}}));
  EXPECT_EQ(reader.select("SELECT * FROM v_result").rows, results);
}

TEST_F(StoreTest, BringsAFolderOfVersion2UpToDateWithNothingPredicted) {
  history.list({.rank = 4});
  lower_to(2, drop_columns_of_version_3);
  Store store(folder.path(), Store::Open::create);
  const Reader reader(folder.path());
  EXPECT_EQ(reader.select("SELECT train_bytes, forward_bytes, needs FROM stage, sweep").rows,
            (std::vector<std::vector<Value>>{{Value(int64_t{0}), Value(int64_t{0}), Value("{}")}}));
  EXPECT_FALSE(sweep_status(reader, "quick")->waiting);
}

TEST_F(StoreTest, BringsAFolderOfVersion3UpToDateWithNoTrialCancelled) {
  history.list({.rank = 4});
  lower_to(3, drop_columns_of_version_4);
  Store store(folder.path(), Store::Open::create);
  const Reader reader(folder.path());
  EXPECT_EQ(reader.select("SELECT state FROM v_trial").rows,
            (std::vector<std::vector<Value>>{{Value("ready")}}));
  EXPECT_EQ(sweep_status(reader, "quick")->trials_total, 1) << "how many there are in all nobody noted";
}

TEST_F(StoreTest, BringsAFolderOfVersion4UpToDateWithUnknownNumerics) {
  history.ran({.rank = 4}, 1.6, 3.0);
  lower_to(4, drop_columns_of_version_5);
  Store store(folder.path(), Store::Open::create);
  const Reader reader(folder.path());
  EXPECT_EQ(reader.select("SELECT state, numerics FROM v_trial").rows,
            (std::vector<std::vector<Value>>{{Value("completed"), Value{}}}));
}

TEST_F(StoreTest, BringsAFolderOfVersion5UpToDateWithUnknownDevices) {
  history.numerics = 7;
  history.ran({.rank = 4}, 1.6, 3.0);
  lower_to(5, drop_columns_of_version_6);
  Store store(folder.path(), Store::Open::create);
  const Reader reader(folder.path());
  EXPECT_EQ(reader.select("SELECT numerics, device FROM v_trial").rows,
            (std::vector<std::vector<Value>>{{Value(int64_t{7}), Value{}}}));
}

TEST_F(StoreTest, BringsAFolderOfVersion6UpToDateWithTrialsThatStartFromTheBase) {
  history.ran({.rank = 4}, 1.6, 3.0);
  lower_to(6, drop_columns_of_version_7);
  Store store(folder.path(), Store::Open::create);
  const Reader reader(folder.path());
  EXPECT_EQ(reader.select("SELECT state, model_from FROM v_trial").rows,
            (std::vector<std::vector<Value>>{{Value("completed"), Value{}}}));
}

TEST_F(StoreTest, BringsAFolderOfVersion7UpToDateWithNothingStoppedEarly) {
  history.ran({.rank = 4}, 1.6, 3.0);
  lower_to(7, drop_tables_of_version_8);
  Store store(folder.path(), Store::Open::create);
  const Reader reader(folder.path());
  EXPECT_EQ(reader.select("SELECT completed, stopped_early FROM v_sweep").rows,
            (std::vector<std::vector<Value>>{{Value(int64_t{1}), Value(int64_t{0})}}));
}

TEST_F(StoreTest, FindsTheRecordOfEachTrialOfVersion6) {
  history.ran({.rank = 4}, 1.6, 3.0);
  history.list({.rank = 8});
  history.list({.rank = 4});  // again: the first record is the one
  const auto records = history.reader().select("SELECT id, listed_in FROM trial ORDER BY id").rows;
  lower_to(6, drop_columns_of_version_7);
  Store store(folder.path(), Store::Open::create);
  const Reader reader(folder.path());
  EXPECT_EQ(reader.select("SELECT id, listed_in FROM trial ORDER BY id").rows, records);
  EXPECT_EQ(reader
                .select("SELECT count(*) FROM trial t JOIN record r ON r.seq=t.listed_in"
                        " WHERE r.kind='TrialListed' AND instr(r.body, t.id)")
                .rows.at(0)
                .at(0),
            Value(int64_t{2}));
}

TEST(StoreOpening, RefusesAFileOfAnotherProgram) {
  TemporaryFolder folder;
  {
    Connection c(database_file(folder.path()), Connection::Mode::writer);
    c.execute("CREATE TABLE t(x)");
  }
  EXPECT_THAT(message_of([&] { Store store(folder.path(), Store::Open::create); }),
              HasSubstr("was not made by ranktide"));
}

TEST(StoreOpening, RefusesAFileThatIsNoDatabase) {
  TemporaryFolder folder;
  std::ofstream(database_file(folder.path())) << std::string(5000, 'x');
  EXPECT_THAT(message_of([&] { Store store(folder.path(), Store::Open::create); }),
              HasSubstr("no SQLite file"));
}

TEST(StoreOpening, NeverStartsEmptyByAccident) {
  TemporaryFolder folder;
  EXPECT_THAT(message_of([&] { Store store(folder.path(), Store::Open::existing); }),
              HasSubstr("ranktide.db is missing"));
  EXPECT_FALSE(std::filesystem::exists(database_file(folder.path())));
}

TEST(StoreOpening, SaysWhereItCannotWrite) {
  EXPECT_THAT(message_of([] { Store store("/proc/ranktide", Store::Open::create); }),
              AllOf(HasSubstr("/proc/ranktide"), HasSubstr("--data-dir")));
}

TEST_F(StoreTest, RunsWithTheSettingsItReliesOn) {
  history.close();
  Connection c(database_file(folder.path()), Connection::Mode::reader);
  EXPECT_EQ(c.value_of("PRAGMA journal_mode"), Value("wal"));
  EXPECT_EQ(
      c.value_of("SELECT count(*) FROM pragma_table_list WHERE schema='main' AND type='table' AND strict=0"
                 " AND name NOT LIKE 'sqlite_%'"),
      Value(int64_t{0}));
}

TEST_F(StoreTest, AReaderCannotCheckpointNorWrite) {
  history.ran({.rank = 4}, 1.6, 3.0);
  Connection reader(database_file(folder.path()), Connection::Mode::reader);
  reader.value_of("SELECT count(*) FROM record");  // before its first read it does not know that there is a log
  EXPECT_NE(sqlite3_wal_checkpoint_v2(reader.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr),
            SQLITE_OK);
  EXPECT_THAT(message_of([&] { reader.execute("DELETE FROM trial"); }), HasSubstr("readonly"));
}

TEST_F(StoreTest, AReaderGivesRowsOneByOneUntilNoMoreAreWanted) {
  const Reader reader = history.reader();
  const std::string numbers =
      "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
  std::vector<int64_t> seen;
  reader.each(numbers, {int64_t{7}}, [&](const std::vector<Value>& row) {
    seen.push_back(std::get<int64_t>(row.at(0)));
    return seen.size() < 3;
  });
  EXPECT_EQ(seen, (std::vector<int64_t>{7, 8, 9})) << "of rows without end";
  size_t rows = 0;
  const std::string limit = std::to_string(Reader::kRowsMax + 1);
  reader.each(numbers + " LIMIT " + limit, {int64_t{0}}, [&](const std::vector<Value>&) { return ++rows > 0; });
  EXPECT_EQ(rows, Reader::kRowsMax + 1) << "none is kept";
  const auto wants_none = [](const std::vector<Value>&) { return false; };
  EXPECT_NE(message_of([&] { reader.each("DELETE FROM trial", {}, wants_none); }), "no error");
}

TEST_F(StoreTest, AReaderEndsWithItsLifetimeWhateverIsAsked) {
  const Reader over(folder.path(), std::chrono::milliseconds{0});
  EXPECT_THAT(message_of([&] { over.select("SELECT 1"); }), HasSubstr("longer than its limit: ask for less"));
  const Reader brief(folder.path(), std::chrono::milliseconds{50});
  const std::string numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
  EXPECT_THAT(message_of([&] { brief.select(numbers + " WHERE i < 0"); }), HasSubstr("longer than its limit"))
      << "one query without a row";
  const Reader brief_too(folder.path(), std::chrono::milliseconds{50});
  const auto wants_all = [](const std::vector<Value>&) { return true; };
  EXPECT_THAT(message_of([&] { brief_too.each(numbers, {}, wants_all); }), HasSubstr("longer than its limit"))
      << "rows without end, each in time";
}

TEST_F(StoreTest, AReaderRunsNothingButSelect) {
  const Reader reader = history.reader();
  for (const char* sql :
       {"DELETE FROM trial", "PRAGMA user_version", "ATTACH 'x' AS y", "SELECT load_extension('x')"})
    EXPECT_NE(message_of([&] { reader.select(sql); }), "no error") << sql;
  EXPECT_THAT(message_of([&] { reader.select("SELECT 1; DELETE FROM trial"); }), HasSubstr("more than one"));
}

TEST_F(StoreTest, AForeignCommitEndsTheWriter) {
  Connection intruder(database_file(folder.path()), Connection::Mode::writer);
  intruder.execute("INSERT INTO meta VALUES('x', 'y')");
  EXPECT_THAT(message_of([&] { history.submit("other"); }), HasSubstr("another program wrote"));
}

TEST_F(StoreTest, RepeatedPointsChangeNothing) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  history.points(trial, {{1, "loss", 2.3}, {1, "lr", 1e-4}});
  history.points(trial, {{1, "loss", 2.3}, {2, "loss", 2.2}});
  EXPECT_EQ(one("SELECT count(*) FROM v_metric"), Value(int64_t{3}));
  EXPECT_EQ(one("SELECT count(*) FROM v_event WHERE kind='DivergentDuplicate'"), Value(int64_t{0}));
}

TEST_F(StoreTest, ADivergentDuplicateKeepsTheFirstAndLeavesAnEvent) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  history.points(trial, {{1, "loss", 2.3}});
  history.points(trial, {{1, "loss", 9.9}});
  EXPECT_EQ(one("SELECT value FROM v_metric"), Value(2.3));
  EXPECT_THAT(std::get<std::string>(one("SELECT message FROM v_event WHERE kind='DivergentDuplicate'")),
              HasSubstr("1 points of attempt 1"));
}

// Steps after the last checkpoint are made again, faster or slower: no reason to doubt the training.
TEST_F(StoreTest, AnotherSpeedOfTheSameStepIsNoDivergence) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  history.points(trial, {{1, "loss", 2.3}, {1, "tokens_per_second", 100}});
  history.points(trial, {{1, "loss", 2.3}, {1, "tokens_per_second", 90}});
  EXPECT_EQ(one("SELECT count(*) FROM v_event WHERE kind='DivergentDuplicate'"), Value(int64_t{0}));
}

TEST_F(StoreTest, KeepsNanApartFromAbsence) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  history.points(trial, {{1, "loss", std::nan("")}, {2, "loss", INFINITY}});
  EXPECT_EQ(one("SELECT group_concat(flag) FROM v_metric WHERE value IS NULL"), Value("nan,inf"));
}

TEST_F(StoreTest, MirrorsTheLifeOfATrial) {
  const SweepTrial trial = history.list({.rank = 4});
  const auto state = [&] { return one("SELECT state FROM v_trial"); };
  EXPECT_EQ(state(), Value("ready"));
  history.grant(trial);
  EXPECT_EQ(state(), Value("running"));
  history.record(LeaseExpired{.lease = history.lease(trial)});
  EXPECT_EQ(state(), Value("ready"));
  history.record(LeaseRevived{.lease = history.lease(trial)});
  EXPECT_EQ(state(), Value("running"));
  history.record(CheckpointSaved{.lease = history.lease(trial), .step = 7});
  EXPECT_EQ(one("SELECT step FROM v_trial"), Value(int64_t{7}));
  history.end(trial, OutcomeKind::failed, "signal 11");
  EXPECT_EQ(state(), Value("failed"));
  EXPECT_EQ(one("SELECT message FROM v_error"), Value("signal 11"));
}

TEST_F(StoreTest, ACancelledSweepEndsWhatNobodyElseWants) {
  const SweepTrial shared = history.list({.rank = 4});
  const SweepTrial own = history.list({.rank = 8});
  history.grant(own);
  history.submit("other");
  history.list({.rank = 4});
  history.record(SweepCancelled{.sweep = 1, .request_id = "r"});
  EXPECT_EQ(one("SELECT state FROM stage WHERE id='" + own.stage.text + "'"), Value("cancelled"));
  EXPECT_EQ(one("SELECT end_reason FROM v_attempt"), Value("cancelled"));
  EXPECT_EQ(one("SELECT state FROM v_trial WHERE sweep='other'"), Value("ready"));
  EXPECT_EQ(one("SELECT state FROM v_trial WHERE sweep='quick' AND trial='" + shared.id.text + "'"),
            Value("cancelled"));
}

TEST_F(StoreTest, AStoppedSweepEndsWhatWaitsAndLetsRunWhatRuns) {
  const SweepTrial runs = history.list({.rank = 4});
  history.grant(runs);
  history.list({.rank = 8});
  history.record(SweepStopped{.sweep = 1, .request_id = "r", .actor = "ann"});
  EXPECT_EQ(one("SELECT state FROM v_trial WHERE rank=4"), Value("running"));
  EXPECT_EQ(one("SELECT state FROM v_trial WHERE rank=8"), Value("cancelled"));
  EXPECT_EQ(sweep_status(history.reader(), "quick")->state, "stopping");
  history.end(runs, OutcomeKind::completed, "");
  EXPECT_EQ(sweep_status(history.reader(), "quick")->state, "stopped");
  EXPECT_EQ(one("SELECT message FROM v_event WHERE kind='SweepStopped'"), Value("by ann, request r"));
}

TEST_F(StoreTest, AnEventSaysWhoChangedAPolicyAndToWhat) {
  history.record(
      PolicyChanged{.sweep = 1, .request_id = "r", .actor = "ann", .priority = 5, .max_parallel = 2});
  EXPECT_EQ(one("SELECT message FROM v_event WHERE kind='PolicyChanged'"),
            Value("priority 5, 2 slots at a time, by ann, request r"));
  history.record(
      PolicyChanged{.sweep = 1, .request_id = "r2", .actor = "bob", .priority = 5, .max_parallel = {}});
  EXPECT_EQ(one("SELECT message FROM v_event WHERE kind='PolicyChanged' ORDER BY seq DESC"),
            Value("priority 5, no limit of slots, by bob, request r2"));
}

TEST_F(StoreTest, AForgottenWorkerLeavesTheListAndItsAttemptsStay) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  history.end(trial, OutcomeKind::completed, "");
  history.record(WorkerLeft{WorkerName{"w1"}, "a", LeaveReason::drained});
  history.record(WorkerForgotten{WorkerName{"w1"}, "r", "ann"});
  EXPECT_EQ(one("SELECT count(*) FROM v_worker"), Value(int64_t{0}));
  EXPECT_EQ(one("SELECT worker FROM v_attempt"), Value("w1"));
  EXPECT_EQ(one("SELECT message FROM v_event WHERE kind='WorkerForgotten'"), Value("by ann, request r"));
}

TEST_F(StoreTest, ATrunkIsAnAttemptOfTheTrialThatLeavesItLast) {
  history.list_branch({.rank = 4}, 8);
  const SweepTrial longest = history.list_branch({.rank = 8}, 10);
  history.grant_trunk();
  EXPECT_EQ(one("SELECT kind FROM v_attempt"), Value("trunk"));
  EXPECT_EQ(one("SELECT trial FROM v_attempt"), Value(longest.id.text));
  history.record(CheckpointSaved{history.trunk(), 4});
  EXPECT_EQ(one("SELECT step FROM v_trial WHERE rank=8"), Value(int64_t{0})) << "it cannot go on from there";
  history.record(UnitFinished{.lease = history.trunk(), .outcome = {}});
  history.record(BranchesOpened{history.trunk(), {{longest.stage, 10}}});
  EXPECT_EQ(one("SELECT step FROM v_trial WHERE rank=8"), Value(int64_t{10}));
  EXPECT_EQ(one("SELECT step FROM v_trial WHERE rank=4"), Value(int64_t{0}));
}

TEST_F(StoreTest, WhatATrunkLeftIsNoStepOfATrialOnceItIsLostOrDropped) {
  const SweepTrial one_of_them = history.list_branch({.rank = 4}, 8);
  const SweepTrial other = history.list_branch({.rank = 8}, 10);
  history.grant_trunk();
  history.record(UnitFinished{.lease = history.trunk(), .outcome = {}});
  const std::vector<BranchOrder> both{{one_of_them.stage, 8}, {other.stage, 10}};
  history.record(BranchesOpened{history.trunk(), both});
  history.record(TrunkReopened{history.trunk(), both});
  EXPECT_EQ(one("SELECT sum(step) FROM v_trial"), Value(int64_t{0}));
  history.record(BranchesOpened{history.trunk(), both});
  history.record(
      BranchesClosed{history.trunk(), {{unit_of(other.stage), 2}, {unit_of(one_of_them.stage), 2}}, {0, 9}});
  EXPECT_EQ(one("SELECT step FROM v_trial WHERE rank=8"), Value(int64_t{0})) << "begun, and nothing is kept";
  EXPECT_EQ(one("SELECT step FROM v_trial WHERE rank=4"), Value(int64_t{9})) << "it went on by itself";
}

TEST_F(StoreTest, WhatATrunkLeftIsNoStepOfATrialThatBeginsAnewForAnEval) {
  const SweepTrial trial = history.list_branch({.rank = 4, .is_evaluated_midway = true}, 8);
  history.grant_trunk();
  for (const EvalTask& task : trial.evals)
    history.record(EvalFinished{
        history.trunk(),
        {.id = eval_id(trial.stage, History::kSteps / 2, task.spec_id), .metric = "loss", .value = 1}});
  history.record(UnitFinished{.lease = history.trunk(), .outcome = {}});
  history.record(BranchesOpened{history.trunk(), {{trial.stage, 8}}});
  history.list({.rank = 4, .is_evaluated_midway = true});
  EXPECT_EQ(one("SELECT step FROM v_trial"), Value(int64_t{8})) << "the trunk ran what is asked for";
  history.submit("other");
  history.list({.rank = 4, .is_evaluated_midway = true, .shots = "3"});
  EXPECT_EQ(one("SELECT DISTINCT step FROM v_trial"), Value(int64_t{0}));
}

TEST_F(StoreTest, ATrunkThatIsTrainedAgainIsThatOfTheTrialsThatWait) {
  const SweepTrial one_of_them = history.list_branch({.rank = 4}, 8);
  const SweepTrial longest_left = history.list_branch({.rank = 8}, 9);
  history.list_branch({.rank = 16}, 10);
  history.grant_trunk();
  history.record(UnitFinished{.lease = history.trunk(), .outcome = {}});
  history.record(TrunkReopened{history.trunk(), {{one_of_them.stage, 8}, {longest_left.stage, 9}}});
  EXPECT_EQ(one("SELECT trial FROM v_attempt WHERE kind='trunk'"), Value(longest_left.id.text));
  EXPECT_EQ(one("SELECT group_concat(at) FROM (SELECT at FROM branch ORDER BY at)"), Value("8,9"));
}

CellStoppedEarly stopped(const SweepTrial& of, std::vector<StageId> stages) {
  return {.sweep = 1,
          .revision = 1,
          .cell = of.cell,
          .verdict = {.policy = "p", .rung = 0, .at = 3, .score = -5, .place = 2, .of = 2},
          .stages = std::move(stages)};
}

TEST_F(StoreTest, AValueThatIsStoppedEarlyIsSoWithAllItsSeedsUntilItIsTriedAgain) {
  const SweepTrial ended = history.ran({.rank = 4, .seed = 1}, 1.6, 3.0);
  history.base_scores(2.3, 3.0);
  const SweepTrial runs = history.list({.rank = 4});
  history.grant(runs);
  ASSERT_EQ(runs.cell, ended.cell);
  EXPECT_EQ(one("SELECT count(*) FROM v_cell WHERE final"), Value(int64_t{1}));
  history.record(stopped(runs, {ended.stage, runs.stage}));
  EXPECT_EQ(one("SELECT count(*) FROM v_trial WHERE state='stopped_early'"), Value(int64_t{2}));
  EXPECT_EQ(one("SELECT stopped_early FROM v_sweep"), Value(int64_t{2}));
  EXPECT_EQ(one("SELECT count(*) FROM v_cell"), Value(int64_t{0})) << "it is in no mean";
  EXPECT_EQ(one("SELECT end_reason FROM v_attempt WHERE trial='" + runs.id.text + "'"), Value("stopped_early"));
  EXPECT_EQ(one("SELECT message FROM v_event WHERE kind='CellStoppedEarly'"),
            Value("sweep 1: at step 3 place 2 of 2"));
  const SweepTrial later = history.list({.rank = 4, .seed = 2});
  history.record(stopped(later, {later.stage}));
  EXPECT_EQ(one("SELECT count(*) FROM v_trial WHERE state='stopped_early'"), Value(int64_t{3}));
  EXPECT_EQ(one("SELECT count(*) FROM v_event WHERE kind='CellStoppedEarly'"), Value(int64_t{1}))
      << "said once";
  history.record(TrialRetried{.sweep = 1, .revision = 1, .request_id = "r", .actor = "ann", .trial = runs});
  EXPECT_EQ(one("SELECT group_concat(state) FROM (SELECT state FROM v_trial ORDER BY seed)"),
            Value("ready,completed,stopped_early"));
}

TEST_F(StoreTest, AValueStoppedEarlyForOneSweepRunsOnForAnother) {
  const SweepTrial runs = history.list({.rank = 4});
  history.submit("other");
  history.list({.rank = 4});
  history.grant(runs);
  history.record(stopped(runs, {runs.stage}));
  EXPECT_EQ(one("SELECT state FROM v_trial WHERE sweep='quick'"), Value("stopped_early"));
  EXPECT_EQ(one("SELECT state FROM v_trial WHERE sweep='other'"), Value("running"));
  EXPECT_EQ(one("SELECT count(*) FROM attempt WHERE ended IS NULL"), Value(int64_t{1}));
  Outcome outcome;
  outcome.kind = OutcomeKind::failed;
  history.record(AttemptFailed{.lease = {unit_of(runs.stage), 1}, .outcome = outcome, .last = true});
  EXPECT_EQ(one("SELECT state FROM v_trial WHERE sweep='quick'"), Value("stopped_early"));
  EXPECT_EQ(one("SELECT state FROM v_trial WHERE sweep='other'"), Value("failed"));
}

TEST_F(StoreTest, WhatHadFailedBeforeItsValueWasStoppedEarlyHasFailed) {
  const SweepTrial runs = history.list({.rank = 4});
  history.grant(runs);
  Outcome outcome;
  outcome.kind = OutcomeKind::failed;
  history.record(AttemptFailed{.lease = {unit_of(runs.stage), 1}, .outcome = outcome, .last = true});
  history.record(stopped(runs, {runs.stage}));
  EXPECT_EQ(one("SELECT state FROM v_trial"), Value("failed"));
}

TEST_F(StoreTest, ATrunkThatNothingIsWantedOfAnyMoreEndsAsCancelled) {
  history.list_branch({.rank = 4}, 8);
  history.grant_trunk();
  history.record(TrunkDropped{.sweep = 1, .unit = history.trunk().unit, .ended = history.trunk()});
  EXPECT_EQ(one("SELECT end_reason FROM v_attempt"), Value("cancelled"));
}

TEST_F(StoreTest, ATrunkThatFailsFailsNoTrialAndNoEval) {
  history.list_branch({.rank = 4}, 8);
  history.grant_trunk();
  Outcome outcome;
  outcome.kind = OutcomeKind::failed;
  outcome.message = "signal 11";
  history.record(AttemptFailed{.lease = history.trunk(), .outcome = outcome, .last = true});
  EXPECT_EQ(one("SELECT state FROM v_trial"), Value("ready"));
  EXPECT_EQ(one("SELECT message FROM v_error"), Value("signal 11"));
}

TEST_F(StoreTest, SomeTrialsAreCancelledAndTriedAgainAndTheOthersAreLeftAlone) {
  const SweepTrial runs = history.list({.rank = 4});
  history.grant(runs);
  const SweepTrial waits = history.list({.rank = 8});
  history.list({.rank = 16});
  history.record(
      TrialsCancelled{.sweep = 1, .request_id = "r", .actor = "ann", .stages = {runs.stage, waits.stage}});
  EXPECT_EQ(one("SELECT group_concat(state) FROM (SELECT state FROM v_trial ORDER BY rank)"),
            Value("cancelled,cancelled,ready"));
  EXPECT_EQ(one("SELECT end_reason FROM v_attempt"), Value("cancelled"));
  EXPECT_EQ(sweep_status(history.reader(), "quick")->state, "listing");
  history.record(TrialRetried{.sweep = 1, .request_id = "r2", .actor = "bob", .trial = waits});
  EXPECT_EQ(one("SELECT group_concat(state) FROM (SELECT state FROM v_trial ORDER BY rank)"),
            Value("cancelled,ready,ready"));
  EXPECT_EQ(one("SELECT message FROM v_event WHERE kind='TrialsCancelled'"),
            Value("2 trials, by ann, request r"));
  EXPECT_EQ(one("SELECT message FROM v_event WHERE kind='TrialRetried'"), Value("by bob, request r2"));
}

TEST_F(StoreTest, ATrialCancelledForOneSweepRunsOnForAnother) {
  const SweepTrial runs = history.list({.rank = 4});
  history.grant(runs);
  history.submit("other");
  history.record(TrialListed{.sweep = 2, .revision = 1, .trial = runs});
  history.record(TrialsCancelled{.sweep = 1, .request_id = "r", .actor = "ann", .stages = {runs.stage}});
  EXPECT_EQ(one("SELECT state FROM v_trial WHERE sweep='quick'"), Value("cancelled"));
  EXPECT_EQ(one("SELECT state FROM v_trial WHERE sweep='other'"), Value("running"));
  EXPECT_EQ(one("SELECT ended_at FROM v_attempt"), Value{});
}

TEST_F(StoreTest, WhatAStoppedSweepDroppedEndsWithTheSweepThatRanIt) {
  const SweepTrial shared = history.list({.rank = 4});
  history.submit("other");
  history.record(TrialListed{.sweep = 2, .revision = 1, .trial = shared});
  history.record(SweepStopped{.sweep = 2, .request_id = "r", .actor = "ann"});
  history.grant(shared);
  history.record(SweepCancelled{.sweep = 1, .request_id = "c", .actor = "ann"});
  EXPECT_EQ(one("SELECT end_reason FROM v_attempt"), Value("cancelled"));
  EXPECT_EQ(sweep_status(history.reader(), "other")->state, "stopped");
}

TEST_F(StoreTest, APauseAndAPlaceInTheQueueAreSeen) {
  history.list({.rank = 4});
  history.record(SweepPaused{.sweep = 1, .request_id = "r", .actor = "ann"});
  EXPECT_EQ(sweep_status(history.reader(), "quick")->state, "paused");
  history.record(SweepResumed{.sweep = 1, .request_id = "r", .actor = "ann"});
  history.record(
      PolicyChanged{.sweep = 1, .request_id = "r", .actor = "ann", .priority = 3, .max_parallel = 2});
  EXPECT_EQ(one("SELECT paused FROM v_sweep"), Value(int64_t{0}));
  EXPECT_EQ(one("SELECT priority || '/' || max_parallel FROM v_sweep"), Value("3/2"));
}

TEST_F(StoreTest, AWorkerThatIsAskedToDrainIsSeenDraining) {
  history.record(WorkerDrainAsked{.worker = WorkerName{"w1"}, .boot = "a", .request_id = "r", .actor = "ann"});
  EXPECT_EQ(one("SELECT state FROM v_worker"), Value("draining"));
}

TEST_F(StoreTest, ARevisionDropsWhatItNoLongerListsAndWantsItAgainWhenListed) {
  const SweepTrial dropped = history.list({.rank = 4});
  const std::string state = "SELECT state FROM stage WHERE id='" + dropped.stage.text + "'";
  history.submit("quick", 2);
  EXPECT_EQ(one(state), Value("cancelled"));
  history.submit("quick", 3);
  history.list({.rank = 4});
  EXPECT_EQ(one(state), Value("ready"));
}

TEST_F(StoreTest, ARevisionThatCancelsWhatItRemovesEndsItsAttempts) {
  const SweepTrial removed = history.list({.rank = 4}), kept = history.list({.rank = 8});
  history.grant(removed);
  history.grant(kept);
  SweepSpec spec;
  spec.name = "quick";
  history.record(SweepSubmitted{.sweep = 1,
                                .revision = 2,
                                .request_id = "edit",
                                .spec_sha256 = "s",
                                .spec = spec,
                                .removed = {unit_of(removed.stage)}});
  const auto of = [](const std::string& what, const SweepTrial& trial) {
    return "SELECT " + what + " FROM " + (what == "state" ? "stage" : "attempt") + " WHERE " +
           (what == "state" ? "id" : "unit") + "='" + trial.stage.text + "'";
  };
  EXPECT_EQ(one(of("state", removed)), Value("cancelled"));
  EXPECT_EQ(one(of("end_reason", removed)), Value("cancelled"));
  EXPECT_EQ(one(of("message", removed)), Value("revision 2 of quick lists it no more"));
  EXPECT_EQ(one(of("state", kept)), Value("running"));
  EXPECT_EQ(one(of("end_reason", kept)), Value{});
}

TEST_F(StoreTest, AdaptersOfFullFinetuningLeaveNothingToEvaluateLater) {
  const SweepTrial full = history.list({});
  history.grant(full);
  history.end(full, OutcomeKind::completed, "");
  EXPECT_EQ(one("SELECT count(*) FROM eval WHERE state='lost'"), Value(int64_t{2}));
}

TEST_F(StoreTest, TruncatesTheLogWhenIdle) {
  history.ran({.rank = 4}, 1.6, 3.0);
  const auto log = database_file(folder.path()).string() + "-wal";
  EXPECT_GT(std::filesystem::file_size(log), 0U);
  history.store().checkpoint_when_idle();
  EXPECT_EQ(std::filesystem::file_size(log), 0U);
}

TEST_F(StoreTest, AReaderInTheWayOfACheckpointIsNoError) {
  const Reader reader = history.reader();
  reader.snapshot([&] {
    reader.select("SELECT count(*) FROM record");
    history.ran({.rank = 4}, 1.6, 3.0);
    history.store().checkpoint_when_idle();
    return 0;
  });
  EXPECT_EQ(one("SELECT count(*) FROM record"), Value(int64_t{8}));
}

TEST(ReserveOfSpace, IsTakenOnceAndGivenBackOnce) {
  TemporaryFolder folder;
  const Reserve reserve(folder.path());
  EXPECT_FALSE(reserve.spend());
  reserve.refill();
  if (!std::filesystem::exists(folder.path() / "reserve.bin"))
    GTEST_SKIP() << "the disk has too little space for a reserve";
  EXPECT_TRUE(reserve.spend());
  EXPECT_FALSE(reserve.spend());
}

}  // namespace
}  // namespace ranktide
