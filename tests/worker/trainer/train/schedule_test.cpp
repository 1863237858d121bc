#include "worker/trainer/train/schedule.h"

#include <gtest/gtest.h>

namespace ranktide {
namespace {

TrainSettings settings(Schedule schedule, int64_t warmup, double final_lr = 0) {
  TrainSettings s;
  s.lr = 1;
  s.schedule = schedule;
  s.warmup = {.steps = warmup, .share = {}};
  s.cooldown = {.steps = {}, .share = 0.2};
  s.final_lr = final_lr;
  return s;
}

TEST(Schedule, WarmupRisesToTheRate) {
  for (const Schedule schedule : {Schedule::constant, Schedule::linear, Schedule::cosine, Schedule::wsd}) {
    EXPECT_DOUBLE_EQ(lr_at(settings(schedule, 4), 1, 100), 0.25);
    EXPECT_DOUBLE_EQ(lr_at(settings(schedule, 4), 4, 100), 1);
  }
}

TEST(Schedule, ConstantStays) {
  EXPECT_DOUBLE_EQ(lr_at(settings(Schedule::constant, 0), 100, 100), 1);
}

TEST(Schedule, LinearAndCosineEndAtTheFinalRate) {
  EXPECT_DOUBLE_EQ(lr_at(settings(Schedule::linear, 0), 50, 100), 0.5);
  EXPECT_DOUBLE_EQ(lr_at(settings(Schedule::linear, 0, 0.1), 100, 100), 0.1);
  EXPECT_NEAR(lr_at(settings(Schedule::cosine, 20, 0.01), 60, 100), 0.505, 1e-12);
  EXPECT_NEAR(lr_at(settings(Schedule::cosine, 20, 0.01), 100, 100), 0.01, 1e-12);
}

TEST(Schedule, WsdIsFlatUntilItsCooldown) {
  const TrainSettings s = settings(Schedule::wsd, 10);
  EXPECT_DOUBLE_EQ(lr_at(s, 80, 100), 1);
  EXPECT_DOUBLE_EQ(lr_at(s, 90, 100), 0.5);
  EXPECT_DOUBLE_EQ(lr_at(s, 100, 100), 0);
}

// What the sharing of beginnings rests on.
TEST(Schedule, WsdBeforeItsCooldownDoesNotKnowTheTotal) {
  const TrainSettings s = settings(Schedule::wsd, 10);
  for (Step step = 1; step <= 80; ++step) EXPECT_EQ(lr_at(s, step, 100), lr_at(s, step, 1000));
}

TEST(Schedule, AWarmupLongerThanTheRunOnlyRises) {
  EXPECT_DOUBLE_EQ(lr_at(settings(Schedule::cosine, 50), 10, 10), 1);
}

}  // namespace
}  // namespace ranktide
