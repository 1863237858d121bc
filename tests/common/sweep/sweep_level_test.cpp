#include "common/sweep/sweep_level.h"

#include <gtest/gtest.h>

#include "common/sweep/set_elsewhere.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using OverrideTexts = std::vector<std::string>;

// Returns: a block's axes with their labels, "regime=code,math lora.rank=4,8".
std::string axes_in(const SweepSpec& spec, size_t block = 0) {
  std::string out;
  for (const Axis& axis : spec.blocks.at(block).axes) {
    out += (out.empty() ? "" : " ") + axis.name + "=";
    for (const AxisPoint& point : axis.points) out += (&point == axis.points.data() ? "" : ",") + point.label;
  }
  return out;
}

const std::string kRegimes = "rows: {regime: {code: {data.max_tokens: 256}, math: {data.max_tokens: 512}}}\n";

TEST(SweepLevels, TheHighestPinSaysWhichLabelsAreKept) {
  const std::string text = kHead + kRegimes +
                           "blocks:\n  a: {method: full, regime: code}\n  b: {like: a, regime: math}\n"
                           "  c: {like: a, regime: [math, code]}\n  d: {like: a, train.batch: 2}\n";
  const SweepSpec spec = sweep(text);
  EXPECT_EQ(axes_in(spec, 0), "regime=code");
  EXPECT_EQ(axes_in(spec, 1), "regime=math");
  EXPECT_EQ(axes_in(spec, 2), "regime=code,math");
  EXPECT_EQ(axes_in(spec, 3), "regime=code");
}

TEST(SweepLevels, APinOnTheCommandLineIsAboveThatOfTheFile) {
  const std::string text =
      kHead + kRegimes + "blocks:\n  a: {method: full, regime: code}\n  b: {method: full, train.batch: 2}\n";
  const auto axes = [&](const OverrideTexts& overrides) {
    const SweepSpec spec = sweep(text, overrides);
    return axes_in(spec, 0) + " | " + axes_in(spec, 1);
  };
  EXPECT_EQ(axes({"regime=math"}), "regime=math | regime=math");
  EXPECT_EQ(axes({"a:regime=math"}), "regime=math | regime=code,math");
  EXPECT_EQ(axes({"regime=code", "regime=math"}), "regime=math | regime=math");
  EXPECT_EQ(axes({"regime=code", "b:regime=math"}), "regime=code | regime=math");
  EXPECT_EQ(axes({"b:regime=math"}), "regime=code | regime=math");
  EXPECT_EQ(error_in(text, {"regime=cod", "regime=math"}).find("override \"regime=cod\": regime has no label"),
            0U);
}

TEST(SweepLevels, ABlockPinsTheRowsOfTheBlockThatItIsLike) {
  const std::string text =
      kHead + kRegimes +
      "blocks:\n  a: {method: full, rows: {regime: {own: {train.batch: 2}, code: {train.batch: "
      "4}}}}\n  b: {like: a, regime: own}\n";
  EXPECT_EQ(axes_in(sweep(text), 1), "regime=own");
}

TEST(SweepLevels, LabelsThatSetNothingMoreAreNoAxis) {
  const std::string rows = "rows: {regime: {code: {data.train: a.txt}, math: {data.train: b.txt}}}\n";
  const SweepSpec spec = sweep(kHead + "method: full\n" + rows, {"data.train=x.txt,y.txt"});
  EXPECT_EQ(axes_in(spec), "data.train=x.txt,y.txt");
  for (const auto& trial : trials_of(spec)) EXPECT_EQ(trial.labels.at("regime").substr(1), ".text");
  EXPECT_EQ(axes_in(sweep(kHead + rows + "blocks: {a: {method: full, axes: {data.train: [x.txt, y.txt]}}}\n")),
            "data.train=x.txt,y.txt");
}

TEST(SweepLevels, LabelsThatSetAnotherKeyToo) {
  const std::string rows =
      "rows: {regime: {code: {data.train: a.txt, train.batch: 2}, math: {data.train: b.txt}}}\n";
  EXPECT_EQ(axes_in(sweep(kHead + "method: full\n" + rows, {"data.train=x.txt,y.txt"})),
            "regime=code,math data.train=x.txt,y.txt");
}

TEST(SweepLevels, AZipOfIdleKeysIsNoAxisOfTheBlock) {
  const std::string zip = "zip: {size: {lora.rank: [4, 8], lora.alpha: [8, 32]}}\n";
  const std::string blocks = "blocks:\n  full: {method: full}\n  lora: {method: lora}\n";
  const SweepSpec spec = sweep(kHead + zip + blocks);
  EXPECT_EQ(axes_in(spec, 0), "");
  EXPECT_EQ(axes_in(spec, 1), "size=4/8,8/32");
  EXPECT_EQ(trials_of(spec).size(), 3U);
}

// Its labels make the cells differ, whatever they set.
TEST(SweepLevels, AnAxisThatARuleReadsStays) {
  const std::string text = kHead + "zip: {size: {lora.rank: [4, 8], lora.alpha: [8, 32]}}\n" +
                           "derive: {train.lr: 1e-3 if size == '4/8' else 1e-4}\n" +
                           "blocks:\n  full: {method: full}\n  lora: {method: lora}\n";
  EXPECT_EQ(axes_in(sweep(text), 0), "size=4/8,8/32");
  EXPECT_EQ(trials_of(sweep(text)).size(), 4U);
}

TEST(SweepLevels, WhatAnOverrideLeavesWithoutEffectIsDropped) {
  const SweepSpec spec =
      sweep(kHead + "method: lora\naxes: {lora.rank: [4, 8], train.batch: [1, 2]}\n", {"method=full"});
  EXPECT_EQ(axes_in(spec), "train.batch=1,2");
  EXPECT_EQ(Grid(spec).counts()[0].cells, 2);
}

TEST(SweepLevels, ALabelWithoutABudgetKeepsThatFromBelow) {
  const std::string text = kLora + "rows: {length: {long: {budget.epochs: 2}, short: {train.batch: 2}}}\n";
  const auto trials = trials_of(sweep(text));
  ASSERT_EQ(trials.size(), 2U);
  EXPECT_EQ(trials[0].settings.budget.epochs, 2);
  EXPECT_EQ(trials[0].settings.budget.steps, std::nullopt);
  EXPECT_EQ(trials[1].settings.budget.steps, 4);
  for (const auto& trial : trials_of(sweep(text, {"budget.steps=9"})))
    EXPECT_EQ(trial.settings.budget.steps, 9);
}

TEST(SweepLevels, WhatAConditionLeavesOutIsSaidWithTheCondition) {
  EXPECT_EQ(
      error_in(kHead +
               "method: lora\naxes: {lora.rank: [2, 8], budget.epochs: {values: [1, 2], when: rank > 4}}\n"),
      "bad.yaml: a budget is required; write budget.steps, budget.tokens or budget.epochs (in some cells: "
      "budget.epochs is set only when rank > 4, in the place of any other budget)");
  EXPECT_EQ(
      error_in(kHead +
               "method: lora\naxes: {lora.rank: {values: [2, 8], when: batch > 4}, train.batch: [2, 8]}\n"),
      "bad.yaml: lora.rank is required; nothing sets it (in some cells: lora.rank is set only when batch > 4)");
}

}  // namespace
}  // namespace ranktide
