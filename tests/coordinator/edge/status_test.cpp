// Where sweeps stand.
#include <gtest/gtest.h>

#include "coordinator/edge/query_status.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

class StatusTest : public testing::Test {
 protected:
  StatusTest() : history(folder.path()) {
    history.begin();
    history.submit("quick");
  }
  SweepStatus status() { return *sweep_status(history.reader(), "quick"); }

  TemporaryFolder folder;
  History history;
};

TEST_F(StatusTest, CountsByStateAndNamesWhatRuns) {
  history.ran({.rank = 4, .seed = 0}, 1.6, 3.0);
  const SweepTrial running = history.list({.rank = 4, .seed = 1});
  history.list({.rank = 4, .seed = 2});
  history.listed();
  history.grant(running);
  history.points(running, {{3, "loss", 2.0}});
  const SweepStatus now = status();
  EXPECT_EQ(now.state, "running");
  EXPECT_EQ(now.trials.at("completed"), 1);
  EXPECT_EQ(now.trials.at("ready"), 1);
  ASSERT_EQ(now.running.size(), 1U);
  EXPECT_EQ(now.running[0].step, 3);
  EXPECT_EQ(now.running[0].settings, "math lora r4 all lr 0.0005 seed 1");
  EXPECT_EQ(now.steps_left, 2 * History::kSteps - 3);
  EXPECT_DOUBLE_EQ(*now.seconds_per_step, 30.0 / History::kSteps);
}

TEST_F(StatusTest, FinishesWhenNothingMoreWillCome) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  history.finish(trial, 1.6, 3.0);
  EXPECT_EQ(status().state, "listing");
  history.listed();
  EXPECT_EQ(status().state, "running");  // the base's evals are still to come
  EXPECT_EQ(status().evals_missing, 2);
  history.base_scores(2.3, 3.0);
  EXPECT_EQ(status().state, "finished");
}

TEST_F(StatusTest, AFailedTrialDoesNotKeepASweepOpen) {
  const SweepTrial trial = history.list({.rank = 4});
  history.grant(trial);
  history.end(trial, OutcomeKind::failed, "signal 9");
  history.listed();
  history.base_scores(2.3, 3.0);
  EXPECT_EQ(status().state, "finished");
}

TEST_F(StatusTest, FindsTrialsByPrefix) {
  const SweepTrial trial = history.list({.rank = 4});
  EXPECT_EQ(trials_with_prefix(history.reader(), trial.id.brief()), std::vector{trial.id.text});
  EXPECT_TRUE(trials_with_prefix(history.reader(), "zz").empty());
}

TEST_F(StatusTest, KnowsNoSweepThatWasNeverSubmitted) {
  EXPECT_FALSE(sweep_status(history.reader(), "other"));
}

}  // namespace
}  // namespace ranktide
