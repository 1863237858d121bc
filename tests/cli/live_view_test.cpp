#include "cli/live_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ranktide::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

LiveUnit training(Step step) {
  return {.label = "math lora r=32 all seed 0",
          .progress = {.lease = {UnitId{"a"}, 1},
                       .phase = "training",
                       .step = step,
                       .steps = 12,
                       .loss = 1.2345,
                       .tokens_per_second = 256,
                       .tokens_per_step = 512},
          .place = "gpu03:0"};
}

LiveFrame frame_with(std::vector<LiveUnit> units) {
  return {.sweep = "quickstart",
          .total = 20,
          .done = 5,
          .running = std::move(units),
          .elapsed_seconds = 65,
          .left_seconds = 400,
          .at_work = 1,
          .queue = 14,
          .workers = 3};
}

TEST(LiveView, ShowsQueueWorkersPlaceStepLossRateAndTimeLeft) {
  EXPECT_THAT(
      draw(frame_with({training(6)}), 120),
      ElementsAre(
          "quickstart  █████···············  5/20 trials  run 1, queue 14 on 3 workers  1:05  ETA 6:40",
          "  math lora r=32 all seed 0  gpu03:0  ██████······  step 6/12  loss 1.234  256 tok/s  ETA 0:12"));
}

TEST(LiveView, PlacesStandInOneColumnAndOneWorkerIsOne) {
  LiveFrame f = frame_with({training(6), training(3)});
  f.running[1].place = "a-longer-name:0,1";
  f.workers = 1;
  EXPECT_THAT(draw(f, 200),
              ElementsAre(testing::HasSubstr("run 1, queue 14 on 1 worker  1:05"),
                          testing::StartsWith("  math lora r=32 all seed 0  gpu03:0            ██████······"),
                          testing::StartsWith("  math lora r=32 all seed 0  a-longer-name:0,1  ███·········")));
}

TEST(LiveView, NamesThePhaseWhileNothingIsTrained) {
  LiveUnit loading = training(0);
  loading.progress.phase = "loading";
  EXPECT_THAT(draw(frame_with({loading}), 120)[1], testing::EndsWith("  loading"));
}

TEST(LiveView, CountsWhatDivergedAndFailed) {
  LiveFrame f = frame_with({});
  f.diverged = 1, f.failed = 2;
  EXPECT_THAT(draw(f, 120)[0], testing::HasSubstr("7/20 trials  1 diverged  2 failed"));
}

TEST(LiveView, NoLineIsWiderThanTheTerminal) {
  for (const std::string& line : draw(frame_with({training(6)}), 30)) {
    const auto columns = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; });
    EXPECT_LE(columns, 30) << line;
  }
}

TEST(LiveView, UnitsThatDoNotFitTheScreenAreCounted) {
  LiveFrame f = frame_with({training(1), training(2), training(3), training(4)});
  f.waiting = "2 trials wait";
  EXPECT_EQ(draw(f, 120).size(), 6U);
  EXPECT_EQ(draw(f, 120, 7).size(), 6U) << "and the cursor's row";
  EXPECT_THAT(draw(f, 120, 6), ElementsAre(testing::StartsWith("quickstart"), testing::HasSubstr("step 1/12"),
                                           testing::HasSubstr("step 2/12"), "  and 2 more", "2 trials wait"));
  EXPECT_THAT(draw(f, 120, 4), ElementsAre(testing::StartsWith("quickstart"), "  and 4 more", "2 trials wait"));
  EXPECT_THAT(draw(f, 120, 2), ElementsAre(testing::StartsWith("quickstart")));
}

TEST(LiveView, WhatFitsNoSlotIsSaidWholeAndOnce) {
  LiveFrame waiting = frame_with({});
  waiting.waiting = "2 trials wait for a slot that fits: they need 5.1 GiB";
  EXPECT_THAT(draw(waiting, 30),
              ElementsAre(testing::_, "2 trials wait for a slot that", "fits: they need 5.1 GiB"));
  EXPECT_THAT(news(frame_with({}), waiting), ElementsAre(waiting.waiting));
  EXPECT_THAT(news(waiting, waiting), IsEmpty());
}

TEST(LiveView, PlainOutputSaysOnlyWhatIsNew) {
  const LiveFrame before = frame_with({training(3)});
  EXPECT_THAT(news(before, frame_with({training(4)})), IsEmpty());
  EXPECT_THAT(news(before, frame_with({training(6)})),
              ElementsAre(testing::StartsWith("math lora r=32 all seed 0  gpu03:0  step 6/12")));
  LiveFrame more = before;
  more.done = 6;
  EXPECT_THAT(news(before, more),
              ElementsAre("quickstart: 6 of 20 trials done, run 1, queue 14 on 3 workers, ETA 6:40"));
  LiveFrame joined = before;
  joined.workers = 4;
  EXPECT_THAT(news(before, joined),
              ElementsAre("quickstart: 5 of 20 trials done, run 1, queue 14 on 4 workers, ETA 6:40"));
}

}  // namespace
}  // namespace ranktide::cli
