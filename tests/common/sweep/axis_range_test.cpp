#include "common/sweep/axis_range.h"

#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

std::string text_with(const std::string& key, const std::string& range) {
  const bool is_budget = key.starts_with("budget.");
  const std::string head =
      "version: 1\nname: s\nmethod: lora\nlora.rank: 8\nmodel.path: m\ndata.train: d.txt\ntrain.lr: 1e-4\n";
  return head + (is_budget ? "" : "budget.steps: 4\n") + "axes: {" + key + ": " + range + "}\n";
}

std::vector<Json> values(const std::string& key, const std::string& range) {
  std::vector<Json> out;
  const SweepSpec spec = sweep(text_with(key, range));
  for (const AxisPoint& point : spec.blocks[0].axes.at(0).points) out.push_back(point.set.at(key));
  return out;
}

std::vector<std::string> labels(const std::string& key, const std::string& range) {
  std::vector<std::string> out;
  const SweepSpec spec = sweep(text_with(key, range));
  for (const AxisPoint& point : spec.blocks[0].axes.at(0).points) out.push_back(point.label);
  return out;
}

std::string refused_range(const std::string& key, const std::string& range) {
  const std::string error = error_in(text_with(key, range));
  const size_t place = error.find(": ");
  return place == std::string::npos ? error : error.substr(place + 2);
}

using Values = std::vector<Json>;

TEST(AxisRange, WholeNumbersAreRoundedToWholeOnesAndNotToDigits) {
  EXPECT_EQ(values("budget.tokens", "{min: 131072, max: 1048576, step: 131072}").back(), 1'048'576);
  EXPECT_EQ(values("budget.tokens", "{min: 1234567, max: 2469134, count: 3}"),
            (Values{1'234'567, 1'851'851, 2'469'134}));
  EXPECT_EQ(values("budget.tokens", "{min: 1000000, max: 1000004, step: 1}").size(), 5U);
  EXPECT_EQ(values("budget.steps", "{log: [1, 100], count: 4}"), (Values{1, 5, 22, 100}));
  EXPECT_EQ(values("lora.rank", "{min: 1, max: 4, count: 3}"), (Values{1, 3, 4}));
}

// What lies between is computed, and its last digits nobody meant; an end is a value that somebody wrote.
TEST(AxisRange, EndsAreAsTheyAreWritten) {
  EXPECT_EQ(values("train.lr", "{log: [1.23456789e-5, 1.23456789e-3], count: 3}"),
            (Values{1.23456789e-5, 0.000123457, 1.23456789e-3}));
  EXPECT_EQ(values("train.clip", "{min: 0.12345678, max: 1.12345678, step: 0.5}"),
            (Values{0.12345678, 0.623457, 1.12345678}));
  EXPECT_EQ(values("train.clip", "{min: 0.1, max: 0.35, step: 0.1}"), (Values{0.1, 0.2, 0.3}));
  EXPECT_EQ(values("train.clip", "{min: 0.1, max: 0.3, step: 0.1}"), (Values{0.1, 0.2, 0.3}));
}

TEST(AxisRange, EndsTakeTheUnitsOfTheSetting) {
  EXPECT_EQ(values("budget.tokens", "{log: [1M, 100M], count: 3}"),
            (Values{1'000'000, 10'000'000, 100'000'000}));
  EXPECT_EQ(values("budget.tokens", "{min: 1k, max: 3k, step: 1k}"), (Values{1'000, 2'000, 3'000}));
  EXPECT_EQ(values("lora.dropout", "{min: 0%, max: 10%, count: 3}"), (Values{0, 0.05, 0.1}));
  EXPECT_EQ(values("train.warmup", "{min: 5%, max: 15%, step: 5%}"),
            (Values{{{"share", 0.05}}, {{"share", 0.1}}, {{"share", 0.15}}}));
  EXPECT_EQ(labels("train.warmup", "{min: 5%, max: 15%, step: 5%}"),
            (std::vector<std::string>{"5%", "10%", "15%"}));
  EXPECT_EQ(values("train.warmup", "{min: 10, max: 20, step: 5}"),
            (Values{{{"steps", 10}}, {{"steps", 15}}, {{"steps", 20}}}));
  const SweepSpec drawn = sweep(text_with("budget.tokens", "{log: [1M, 100M]}") + "search: {random: 3}\n");
  EXPECT_EQ(drawn.blocks[0].axes[0].drawn->max, 1e8);
}

TEST(AxisRange, UnitsOfOneRangeAreAlike) {
  EXPECT_EQ(refused_range("train.warmup", "{min: 5, max: 20%, count: 3}"),
            "train.warmup: one end is steps and the other a percentage; write both alike");
  EXPECT_EQ(refused_range("train.warmup", "{min: 5%, max: 20%, step: 5}"),
            "train.warmup: step and the ends are steps or a percentage; write them alike");
  EXPECT_EQ(refused_range("train.batch", "{min: 5%, max: 20%, count: 3}"), "min takes a number, got 5%");
}

TEST(AxisRange, ACountIsAWholeNumberOfTwoOrMore) {
  EXPECT_EQ(refused_range("train.clip", "{min: 1, max: 2, count: 2.5}"), "count takes a whole number, got 2.5");
  EXPECT_EQ(refused_range("train.clip", "{min: 1, max: 2, count: 1}"),
            "count: 1 would leave the upper end out; a range has 2 values or more");
  EXPECT_EQ(refused_range("train.clip", "{min: 1, max: 2, count: 0}"),
            "an axis has 1 to 10,000 values, this one would have 0");
  EXPECT_EQ(values("train.clip", "{min: 2, max: 2, count: 1}"), Values{2.0});
}

TEST(AxisRange, SaysWhichWordItLacks) {
  EXPECT_EQ(refused_range("train.clip", "{max: 3}"),
            "this axis needs `min` too: {min, max, step}, {min, max, count} or {log: [from, to], count}");
  EXPECT_EQ(refused_range("train.clip", "{min: 1, count: 3}"),
            "this axis needs `max` too: {min, max, step}, {min, max, count} or {log: [from, to], count}");
}

TEST(AxisRange, ValuesThatRoundToOneAreRefusedWithWhatHelps) {
  EXPECT_EQ(refused_range("train.batch", "{min: 1, max: 2, count: 5}"),
            "train.batch would have 1 twice after rounding; lower count");
  EXPECT_EQ(refused_range("train.batch", "{min: 1, max: 2, step: 0.25}"),
            "train.batch would have 1 twice after rounding; raise step");
}

}  // namespace
}  // namespace ranktide
