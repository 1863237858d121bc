#include "coordinator/edge/past_lives.h"

#include <gtest/gtest.h>

namespace ranktide {
namespace {

const WorkerName kWorker{"n1"}, kOther{"n2"};

TEST(PastLives, EchoesOfTwoDeadProcessesAreNotAProcessThatStillRuns) {
  PastLives lives;
  EXPECT_EQ(lives.heard(kWorker, "a", {"a"}), 1u);
  EXPECT_EQ(lives.heard(kWorker, "b", {"a", "b"}), 1u);
  EXPECT_EQ(lives.heard(kOther, "a", {"a"}), 1u);
  EXPECT_EQ(lives.heard(kWorker, "b", {"a", "b"}), 2u);
}

TEST(PastLives, OnlyReplacedOnesCount) {
  PastLives lives;
  EXPECT_EQ(lives.heard(kWorker, "now", {"a"}), 0u);
  EXPECT_EQ(lives.heard(kWorker, "now", {}), 0u);
}

TEST(PastLives, OnesThatTheStateForgotAreForgotten) {
  PastLives lives;
  EXPECT_EQ(lives.heard(kWorker, "a", {"a"}), 1u);
  EXPECT_EQ(lives.heard(kWorker, "b", {"b"}), 1u);
  EXPECT_EQ(lives.heard(kWorker, "a", {"a", "b"}), 1u);
}

}  // namespace
}  // namespace ranktide
