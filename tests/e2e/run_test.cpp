// `ranktide run` end to end with real coordinator, worker and trainers: results, resumption, reuse.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <signal.h>

#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

// Returns: of every trial the hash of what it trained.
std::map<std::string, std::string> weights_of(const TinyWorld& world) {
  const Ended ended = run({"/usr/bin/sqlite3", "-readonly", (world.data() / "ranktide.db").string(),
                           "SELECT trial || ' ' || weights_sha256 FROM v_trial ORDER BY trial"},
                          world.folder() / "sqlite");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  std::map<std::string, std::string> out;
  std::istringstream lines(ended.out);
  for (std::string trial, hash; lines >> trial >> hash;) out[trial] = hash;
  return out;
}

std::string journal_counts(const TinyWorld& world, const std::string& kind) {
  return run({"/usr/bin/sqlite3", "-readonly", (world.data() / "ranktide.db").string(),
              "SELECT count(*) FROM record WHERE kind = '" + kind + "'"},
             world.folder() / "sqlite")
      .out;
}

TEST(Run, EndsWithATableOfWhatEachCellLearnedAndForgot) {
  const TinyWorld world;
  const Ended ended = world.ranktide({"run", world.sweep().string()});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("4 cells, 4 distinct x 2 seeds = 8 trials"));
  for (const char* word :
       {"regime", "method", "learning", "gain", "forgetting", "base", "lora", "full", "code", "math", "±"})
    EXPECT_THAT(ended.out, HasSubstr(word)) << ended.out;
  EXPECT_TRUE(std::filesystem::exists(world.data() / "reports/tiny/report.html"));
}

TEST(Run, EveryTrialGainsOnWhatItWasTrainedOn) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string(), "budget.steps=12"}).exit_code, 0);
  const Json rows = world.query_rows({"--trials", "--metric", "gain"});
  ASSERT_EQ(rows.size(), 8u);
  for (const Json& row : rows) EXPECT_GT(row.at("gain").get<double>(), 0) << row;
}

TEST(Run, TheSameFileAgainTrainsNothing) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const std::string granted = journal_counts(world, "LeaseGranted");
  const Ended again = world.ranktide({"run", world.sweep().string()});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("8 done, 0 resumable, 0 new"));
  EXPECT_EQ(journal_counts(world, "LeaseGranted"), granted);
}

TEST(Run, AnEditedFileRunsOnlyWhatIsNew) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const auto before = weights_of(world);
  world.write_sweep(TinyWorld::sweep_text(4, 3));
  const Ended again = world.ranktide({"run", world.sweep().string()});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("12 trials: 8 done, 0 resumable, 4 new"));
  const auto after = weights_of(world);
  EXPECT_EQ(after.size(), 12u);
  for (const auto& [trial, hash] : before) EXPECT_EQ(after.at(trial), hash);
  EXPECT_EQ(journal_counts(world, "UnitFinished"), "15\n");  // 12 stages and the base under three evals
}

TEST(Run, AFileChangedAndChangedBackIsTheFirstSweepAgain) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const Json first = world.query_rows({"--trials"});
  ASSERT_EQ(world.ranktide({"run", world.sweep().string(), "train.batch=1"}).exit_code, 0);
  EXPECT_NE(world.query_rows({"--trials"}), first);
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  EXPECT_EQ(world.query_rows({"--trials"}), first);
}

TEST(Run, GoesOnAfterCtrlCAndEndsWithTheSameWeightsBitForBit) {
  const TinyWorld undisturbed;
  undisturbed.write_sweep(TinyWorld::sweep_text(2000, 1));
  ASSERT_EQ(undisturbed.ranktide({"run", undisturbed.sweep().string()}).exit_code, 0);
  const auto expected = weights_of(undisturbed);

  const TinyWorld world;
  world.write_sweep(TinyWorld::sweep_text(2000, 1));
  {
    Program first(world.command({"run", world.sweep().string()}), world.folder() / "first");
    ASSERT_TRUE(first.says("step ", 60s));
    first.signal(SIGINT);
    const Ended ended = first.wait(60s);
    EXPECT_EQ(ended.exit_code, 130) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("the same command goes on"));
  }
  const Ended second = world.ranktide({"run", world.sweep().string()});
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(second.err, Not(HasSubstr(" 0 resumable"))) << "nothing was checkpointed";
  EXPECT_EQ(weights_of(world), expected);
}

TEST(Run, SurvivesKillMinusNineOfTheProgramAtSeveralMoments) {
  const TinyWorld world;
  world.write_sweep(TinyWorld::sweep_text(600, 1));
  for (const auto moment : {400ms, 900ms, 1500ms, 2500ms}) {
    Program doomed(world.command({"run", world.sweep().string()}), world.folder() / "doomed");
    std::this_thread::sleep_for(moment);
    doomed.signal_group(SIGKILL);
    doomed.wait(10s);
  }
  const Ended ended = world.ranktide({"run", world.sweep().string()}, 200s);
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(weights_of(world).size(), 4u);
  EXPECT_EQ(world.query_rows({"--trials"}).size(), 4u);
}

TEST(Run, WritesAdaptersWhereTheQuerySaysTheyAre) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const Json rows = world.query_rows({"--trials", "--where", "method = lora"});
  ASSERT_EQ(rows.size(), 4u);
  for (const Json& row : rows) {
    const std::filesystem::path folder = row.at("artifacts").get<std::string>();
    EXPECT_TRUE(std::filesystem::exists(folder / "adapter_config.json")) << folder;
    EXPECT_TRUE(std::filesystem::exists(folder / "adapter_model.safetensors")) << folder;
  }
}

TEST(Run, LogsOfATrialAreFoundByAnyUniquePrefix) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const std::string trial = world.query_rows({"--trials"})[0].at("trial").get<std::string>();
  const Ended logs = world.ranktide({"logs", trial.substr(0, 12)});
  EXPECT_EQ(logs.exit_code, 0) << logs.err;
  EXPECT_EQ(world.ranktide({"logs", "zzzz"}).exit_code, 5);
}

}  // namespace
}  // namespace ranktide::e2e
