// Trials that start from others, as results: they are cells of their own, and they know what they start from.
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/vocabulary/sha256.h"
#include "coordinator/edge/query.h"
#include "coordinator/edge/query_source.h"
#include "coordinator/edge/query_status.h"
#include "coordinator/edge/statistics.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kFrom = "trial:" + std::string(64, 'a') + "@12";

class WarmStartTest : public testing::Test {
 protected:
  WarmStartTest() : history(folder.path()) {
    history.begin();
    history.submit("quick");
  }
  // Two seeds of one configuration from the base, and two from another trial: the same in all else.
  void run_cold_and_warm() {
    for (const std::string& from : {std::string(), kFrom})
      for (uint64_t seed = 0; seed < 2; ++seed) {
        const double apart = (from.empty() ? 0.02 : 0.3) * static_cast<double>(seed);
        history.ran({.rank = 4, .seed = seed, .from = from}, (from.empty() ? 1.6 : 1.2) + apart, 3.0);
      }
    history.listed();
    history.base_scores(2.3, 3.0);
  }
  std::vector<std::vector<Value>> rows(const std::string& sql) { return history.reader().select(sql).rows; }
  std::string message(const QueryRequest& request) {
    try {
      query(history.reader(), request);
    } catch (const QueryError& error) {
      return error.what();
    }
    return "";
  }
  std::string refusal(const std::string& prefix) {
    try {
      source_with(history.reader(), prefix);
    } catch (const QueryError& error) {
      return error.what();
    }
    return "";
  }
  // A sweep named warm, of one trial that starts from `source`.
  void list_warm(const SweepTrial& source, const SlotNeeds& needs) {
    SweepSpec spec;
    spec.name = "warm";
    spec.run.needs = needs;
    history.record(
        SweepSubmitted{.sweep = 2, .revision = 1, .request_id = "warm", .spec_sha256 = "", .spec = spec});
    SweepTrial warm = source;
    warm.id = TrialId{sha256_hex("warm")};
    warm.stage = StageId{sha256_hex("warm stage")};
    warm.index = 0;
    warm.settings.model.from = "trial:" + source.id.text + "@12";
    history.record(TrialListed{.sweep = 2, .revision = 1, .trial = warm});
  }

  TemporaryFolder folder;
  History history;
};

TEST_F(WarmStartTest, IsAnotherCellThanTheSameFromTheBase) {
  run_cold_and_warm();
  EXPECT_EQ(rows("SELECT model_from, n, round(gain, 9) FROM v_cell WHERE final ORDER BY gain"),
            (std::vector<std::vector<Value>>{{Value{}, Value(int64_t{2}), Value(0.69)},
                                             {Value(kFrom), Value(int64_t{2}), Value(0.95)}}));
  EXPECT_EQ(rows("SELECT count(*), count(model_from) FROM v_trial"),
            (std::vector<std::vector<Value>>{{Value(int64_t{4}), Value(int64_t{2})}}));
}

TEST_F(WarmStartTest, LendsItsSpreadToNoCellFromTheBase) {
  run_cold_and_warm();
  for (const auto& [where, values] :
       {std::pair<std::string, std::vector<double>>{"model_from IS NULL", {-1.6, -1.62}},
        {"model_from IS NOT NULL", {-1.2, -1.5}}}) {
    Pooled own;
    own.add(spread_of(values));
    const auto found = rows("SELECT learning_ci, df FROM v_cell WHERE final AND " + where);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NEAR(std::get<double>(found[0][0]), *own.half_width(2), 1e-9) << where;
    EXPECT_EQ(found[0][1], Value(int64_t{1})) << where;
  }
  const Frame frame = query(history.reader(), {.sweeps = {"quick"}, .where = "from = '" + kFrom + "'"});
  const auto cell = rows("SELECT learning_ci FROM v_cell WHERE final AND model_from IS NOT NULL");
  size_t c = 0;
  while (frame.columns.at(c).name != "learning_ci") ++c;
  EXPECT_NEAR(std::get<double>(frame.rows.at(1).at(c)), std::get<double>(cell.at(0).at(0)), 1e-9);
}

TEST_F(WarmStartTest, BeatsNothingOnTheFrontOfThoseFromTheBase) {
  run_cold_and_warm();
  EXPECT_EQ(rows("SELECT count(*) FROM v_pareto")[0][0], Value(int64_t{2}))
      << "the warm one learnt more and forgot as little";
}

TEST_F(WarmStartTest, IsNotAveragedWithThoseFromTheBaseUnsaid) {
  run_cold_and_warm();
  EXPECT_THAT(message({.sweeps = {"quick"}, .by = {"rank"}}),
              AllOf(HasSubstr("this would average over from"), HasSubstr("add it to --by")));
  const Frame frame = query(history.reader(), {.sweeps = {"quick"}, .by = {"from"}});
  EXPECT_EQ(frame.rows.size(), 3U) << "two cells and the base";
}

TEST_F(WarmStartTest, FindsItsSourceByAnyUniquePrefix) {
  const SweepTrial source = history.ran({.rank = 4}, 1.6, 3.0);
  history.ran({.rank = 4, .seed = 1, .from = "trial:" + source.id.text + "@12"}, 1.5, 3.0);
  const SourceInput found = source_with(history.reader(), source.id.text.substr(0, 10));
  EXPECT_EQ(found.trial, source.id);
  EXPECT_EQ(found.stage, source.stage);
  EXPECT_EQ(found.step, History::kSteps);
  EXPECT_EQ(found.base, source.base);
  EXPECT_EQ(found.tokenizer_sha256, source.tokenizer_sha256);
  EXPECT_EQ(found.method, Method::lora);
  EXPECT_EQ(found.lora->rank, 4);
  EXPECT_EQ(found.weights, std::nullopt);
}

// A journal of a million trials is gigabytes.
TEST_F(WarmStartTest, ReadsOneRecordOfTheJournalToFindItsSource) {
  history.list({.rank = 8});
  const SweepTrial source = history.ran({.rank = 4}, 1.6, 3.0);
  history.list({.rank = 16});
  history.close();
  {
    Connection c(database_file(folder.path()), Connection::Mode::writer);
    c.prepare("UPDATE record SET body=?1 WHERE kind='TrialListed' AND instr(body, ?2)=0")
        .run("not read: " + source.id.text, "\"" + source.id.text + "\"");
  }
  EXPECT_EQ(source_with(history.reader(), source.id.text).trial, source.id);
}

TEST_F(WarmStartTest, StartsFromNothingThatIsNotThereWhole) {
  const SweepTrial queued = history.list({.rank = 4});
  const SweepTrial diverged = history.list({.rank = 8});
  history.grant(diverged);
  history.end(diverged, OutcomeKind::diverged, "loss not finite");
  const SweepTrial full = history.ran({.rank = 0}, 1.6, 3.0);
  EXPECT_THAT(refusal(queued.id.text), HasSubstr("is ready; a trial starts from one that has completed"));
  EXPECT_THAT(refusal(diverged.id.text), HasSubstr("is diverged"));
  EXPECT_THAT(refusal(full.id.text),
              AllOf(HasSubstr("was run with run.keep: "), HasSubstr("weights or delta do")));
  EXPECT_THAT(refusal("0123456789"), HasSubstr("no trial's id starts so"));
  EXPECT_THAT(refusal(""), HasSubstr("begins 3 trials' ids"));
}

TEST_F(WarmStartTest, WaitsForTheWorkerThatHasItsSourceWhateverLabelItsSweepNeeds) {
  const SweepTrial source = history.ran({.rank = 4}, 1.6, 3.0);
  history.base_scores(2.3, 3.0);  // whose evals would wait for the label
  history.record(WorkerJoined{
      .worker = WorkerName{"w2"}, .boot = "b", .version = "1", .slots = {{.index = 0, .device = "cpu"}}});
  list_warm(source, {.memory_bytes = {}, .labels = {"a100"}});
  EXPECT_FALSE(sweep_status(history.reader(), "warm")->waiting) << "w1 has the weights, and no label";
  history.record(WorkerLeft{.worker = WorkerName{"w1"}, .boot = "a", .reason = LeaveReason::drained});
  const auto waiting = sweep_status(history.reader(), "warm")->waiting;
  ASSERT_TRUE(waiting.has_value());
  EXPECT_EQ(waiting->message, "1 trial waits for worker w1, which has what it starts from and is not here");
  EXPECT_EQ(waiting->trials, 1) << "by which `run` knows that nothing more will happen";
  std::filesystem::create_directories(folder.path() / "artifacts" / source.id.text);
  const auto fetching = sweep_status(history.reader(), "warm")->waiting;
  ASSERT_TRUE(fetching.has_value()) << "anybody may fetch it now, who has the label";
  EXPECT_EQ(fetching->labels, (std::vector<std::string>{"a100"}));
}

// Its source is an adapter, which lies on the weights of a trial before it.
TEST_F(WarmStartTest, WaitsAsLongAsTheCoordinatorLacksWhatItsSourceLiesOn) {
  const SweepTrial full = history.ran({.rank = 0}, 1.6, 3.0);
  const SweepTrial source = history.ran({.rank = 4, .from = "trial:" + full.id.text + "@12"}, 1.5, 3.0);
  history.base_scores(2.3, 3.0);
  list_warm(source, {});
  history.record(WorkerLeft{.worker = WorkerName{"w1"}, .boot = "a", .reason = LeaveReason::drained});
  history.record(WorkerJoined{
      .worker = WorkerName{"w2"}, .boot = "b", .version = "1", .slots = {{.index = 0, .device = "cpu"}}});
  const std::filesystem::path shelf = folder.path() / "artifacts";
  std::filesystem::create_directories(shelf / source.id.text);
  const auto waiting = sweep_status(history.reader(), "warm")->waiting;
  ASSERT_TRUE(waiting.has_value()) << "only the adapter is there";
  EXPECT_THAT(waiting->message, HasSubstr("waits for worker w1"));
  std::filesystem::create_directories(shelf / full.id.text);
  EXPECT_FALSE(sweep_status(history.reader(), "warm")->waiting) << "w2 fetches both";
}

TEST_F(WarmStartTest, FitsNoSlotButOneOfTheWorkerThatHasItsSource) {
  const SweepTrial source = history.ran({.rank = 4}, 1.6, 3.0);
  history.base_scores(2.3, 3.0);
  history.record(WorkerJoined{.worker = WorkerName{"w2"},
                              .boot = "b",
                              .version = "1",
                              .slots = {{.index = 0, .device = "GPU-1"}, {.index = 1, .device = "GPU-2"}}});
  list_warm(source, {.memory_bytes = {}, .labels = {}, .gpus = 1});
  const auto waiting = sweep_status(history.reader(), "warm")->waiting;
  ASSERT_TRUE(waiting.has_value()) << "w2 has GPUs, and not the weights";
  EXPECT_EQ(waiting->slots, 1);
  EXPECT_EQ(
      waiting->message,
      "1 trial waits for a slot that fits: it needs a GPU; the only slot of w1, where what it starts from "
      "lies, lacks some of that (see run.needs of the sweep)");
  std::filesystem::create_directories(folder.path() / "artifacts" / source.id.text);
  EXPECT_FALSE(sweep_status(history.reader(), "warm")->waiting) << "w2 fetches them";
}

TEST_F(WarmStartTest, WaitsForAGpuWhereItsSweepNeedsOne) {
  const SweepTrial source = history.ran({.rank = 4}, 1.6, 3.0);
  history.base_scores(2.3, 3.0);
  list_warm(source, {.memory_bytes = {}, .labels = {"a100"}, .gpus = 1});
  const auto waiting = sweep_status(history.reader(), "warm")->waiting;
  ASSERT_TRUE(waiting.has_value());
  EXPECT_EQ(waiting->gpus, 1);
  EXPECT_TRUE(waiting->labels.empty()) << "it runs where its source's weights lie, and nowhere else";
}

}  // namespace
}  // namespace ranktide
