#include "cli/remote_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ranktide::cli {
namespace {

SweepStatus of_eight_trials() {
  return {.name = "tiny",
          .state = "listing",
          .trials = {{"completed", 1}, {"running", 1}, {"ready", 2}},
          .trials_total = 8,
          .running = {{.trial = "a",
                       .attempt = 1,
                       .worker = "n1",
                       .slots = "0",
                       .step = 20,
                       .steps = 100,
                       .loss = 2,
                       .tokens_per_second = 64,
                       .seconds_per_step = 0.5,
                       .settings = "math"}}};
}

TEST(RemoteWatch, TrialsThatAreNotListedYetAreInTheQueue) {
  SweepStatus status = of_eight_trials();
  EXPECT_EQ(units_in_queue(status), 6);
  status.state = "paused";
  EXPECT_EQ(units_in_queue(status), 6);
  status.state = "stopping";  // of a stopped sweep nothing more starts
  EXPECT_EQ(units_in_queue(status), 2);
}

TEST(RemoteWatch, ATrialsTimeLeftGoesByItsPaceAndIsNotSaidWhereNobodyKnowsThat) {
  SweepStatus status = of_eight_trials();
  EXPECT_THAT(draw(frame_of(status, 1, 60), 120).at(1), testing::HasSubstr("64 tok/s  ETA 0:40"));
  status.running[0].seconds_per_step = 0;
  EXPECT_THAT(draw(frame_of(status, 1, 60), 120).at(1), testing::EndsWith("64 tok/s"));
}

}  // namespace
}  // namespace ranktide::cli
