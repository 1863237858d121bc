#include "common/sweep/import/hydra_override.h"

#include <gtest/gtest.h>

#include "common/sweep/import/flow_text.h"

namespace ranktide {
namespace {

// Returns: "sweep 1 2", "one 3", "0..1", "log 0..1" or the problem.
std::string told(const std::string& text) {
  const HydraValue value = read_hydra_value(text);
  if (!value.problem.empty()) return value.problem;
  if (value.range) {
    std::string out = value.range->is_log ? "log " : "";
    return out + std::to_string(value.range->min) + ".." + std::to_string(value.range->max);
  }
  std::string out = value.is_sweep ? "sweep" : "one";
  for (const auto& item : value.values) out += " " + flow_text(item);
  return out;
}

TEST(HydraOverride, CommasAndChoicesAreSweeps) {
  EXPECT_EQ(told("4,8,16"), "sweep 4 8 16");
  EXPECT_EQ(told("choice(4, 8)"), "sweep 4 8");
  EXPECT_EQ(told("choice(4)"), "sweep 4");
  EXPECT_EQ(told("4"), "one 4");
  EXPECT_EQ(told("[q_proj,v_proj],[q_proj]"), "sweep [q_proj, v_proj] [q_proj]");
  EXPECT_EQ(told("[0.9,0.95]"), "one [0.9, 0.95]");
  EXPECT_EQ(told("'a,b',c"), "sweep \"a,b\" c");
}

TEST(HydraOverride, RangesLeaveTheirStopOut) {
  EXPECT_EQ(told("range(3)"), "sweep 0 1 2");
  EXPECT_EQ(told("range(1,10,4)"), "sweep 1 5 9");
  EXPECT_EQ(told("range(start=1,stop=3)"), "sweep 1 2");
  EXPECT_EQ(told("range(0,0.3,0.1)"), "sweep 0 0.1 0.2");
  EXPECT_EQ(told("range(100000,300000,100000)"), "sweep 100000 200000");
  EXPECT_EQ(told("range(1000000,1000003)"), "sweep 1000000 1000001 1000002");
  EXPECT_EQ(told("range(0,20000)"), "a range has at most 10000 values here");
  EXPECT_EQ(told("range(0,10000)").substr(told("range(0,10000)").rfind(' ')), " 9999");
  EXPECT_EQ(told("range(5,1)"), "the range has no values");
}

TEST(HydraOverride, IntervalsMayBeLogarithmic) {
  EXPECT_EQ(told("interval(0, 1)"), "0.000000..1.000000");
  EXPECT_EQ(told("tag(log, interval(0.5, 1))"), "log 0.500000..1.000000");
}

TEST(HydraOverride, OrderMeansNothing) {
  EXPECT_EQ(told("shuffle(range(1,4))"), "sweep 1 2 3");
  EXPECT_EQ(told("sort(3,1,2,reverse=true)"), "sweep 3 1 2");
}

TEST(HydraOverride, WhatCannotBeKnownIsAProblem) {
  EXPECT_EQ(told("glob(*)"), "which configurations it means is in their folder; list them");
  EXPECT_EQ(told("interval(a,b)"), "interval takes two numbers");
  EXPECT_EQ(told("range(a)"), "range takes a start, a stop and a step above 0");
  EXPECT_EQ(told("frob(1)"), "no sweep is written frob(...) here");
}

}  // namespace
}  // namespace ranktide
