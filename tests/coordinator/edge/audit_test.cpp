// The lines that say who did what to sweeps and workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

TEST(Audit, EveryActionOfAUserLeavesALineWithWhoAskedAndByWhichRequest) {
  TemporaryFolder folder;
  History history(folder.path());
  history.begin();  // a worker w1
  history.submit("other");
  history.submit("quick");
  const SweepTrial trial = history.list({.rank = 4});
  const WorkerName w1{"w1"};
  const std::vector<Record> actions{
      SweepPaused{2, "r", "ann"},
      SweepResumed{2, "r", "ann"},
      PolicyChanged{.sweep = 2, .request_id = "r", .actor = "ann", .priority = 1, .max_parallel = {}},
      TrialsCancelled{2, "r", "ann", {trial.stage}},
      TrialRetried{.sweep = 2, .revision = 1, .request_id = "r", .actor = "ann", .trial = trial},
      SweepStopped{2, "r", "ann"},
      SweepCancelled{1, "r", "ann"},
      WorkerDrainAsked{w1, "a", "r", "ann"},
      WorkerRevoked{w1, "r", "ann"},
      WorkerForgotten{w1, "r", "ann"}};
  for (const Record& action : actions) {
    history.record(action);
    const auto last = history.reader().select("SELECT kind, message FROM event ORDER BY seq DESC LIMIT 1").rows;
    EXPECT_EQ(std::get<std::string>(last.at(0).at(0)), kind_of(action));
    EXPECT_THAT(std::get<std::string>(last.at(0).at(1)), testing::EndsWith("by ann, request r"));
  }
  const auto submitted = history.reader().select("SELECT message FROM event WHERE kind='SweepSubmitted'").rows;
  EXPECT_THAT(std::get<std::string>(submitted.at(0).at(0)), testing::HasSubstr("by local, request other1"));
}

}  // namespace
}  // namespace ranktide
