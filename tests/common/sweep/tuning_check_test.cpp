#include "common/sweep/tuning_check.h"

#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

const std::string kRanks =
    kHead + "method: lora\naxes: {lora.rank: [4, 8, 16], train.clip: {min: 1, max: 2, step: 0.5}}\n";

std::optional<AxisSpacing> spacing_in(const std::string& axis) {
  return spacing_of(sweep(kLora + "axes: {" + axis + "}\n").blocks[0].axes[0]);
}

TEST(SweepTuning, IsAKeyAListOrAMap) {
  EXPECT_EQ(sweep(kRanks + "tune: rank\n").tune->axes, std::vector<std::string>{"lora.rank"});
  EXPECT_EQ(sweep(kRanks + "tune: [rank, train.clip]\n").tune->axes,
            (std::vector<std::string>{"lora.rank", "train.clip"}));
  const Tuning tune =
      *sweep(kRanks +
             "eval.learn: {valid_loss: {data: v.txt}}\ntune: {axes: rank, by: valid_loss, extend: 2}\n")
           .tune;
  EXPECT_EQ(tune.axes, std::vector<std::string>{"lora.rank"});
  EXPECT_EQ(tune.by, "valid_loss");
  EXPECT_EQ(tune.extend, 2);
  EXPECT_EQ(sweep(kRanks).tune, std::nullopt);
}

TEST(SweepTuning, AMetricThatTheSweepDoesNotHaveIsRefused) {
  EXPECT_EQ(error_in(kRanks + "tune: {axes: rank, by: gain}\n"), "no error");
  EXPECT_EQ(
      error_in(kRanks + "tune: {axes: rank, by: valid_loss}\n"),
      "bad.yaml:9:7: tune: by valid_loss is neither a metric nor an eval of the sweep; there are: forgetting, "
      "gain, learning, retained");
}

// What came over the wire was read by nobody.
TEST(SweepTuning, ASpecIsCheckedAsAFileIs) {
  SweepSpec spec = sweep(kRanks + "tune: rank\n");
  spec.tune->axes = {"train.lr"};
  EXPECT_THROW(validate(spec), SpecError);
}

TEST(SweepTuning, WhatCannotBeTunedIsRefused) {
  const auto message = [](const std::string& tune) { return error_in(kRanks + "tune: " + tune + "\n"); };
  EXPECT_EQ(message("lr"),
            "bad.yaml:9:7: tune: train.lr has no second value in any block, so there is none to choose");
  EXPECT_EQ(message("[rank, lora.rank]"), "bad.yaml:9:7: tune names an axis twice");
  EXPECT_EQ(message("{by: loss}"), "bad.yaml:9:7: tune needs axes: write {axes: [train.lr], by: valid_loss}");
  EXPECT_EQ(message("{axes: rank, extend: 11}"),
            "bad.yaml:9:28: tune.extend takes a whole number from 0 to 10, got 11");
  EXPECT_EQ(message("{axes: rank, extnd: 1}"),
            "bad.yaml:9:20: unknown word \"extnd\" in tune; did you mean \"extend\"?");
  EXPECT_EQ(
      error_in(kLora + "axes: {train.batch: [1, 2]}\ntune: {axes: batch, extend: 1}\n"),
      "bad.yaml:10:7: tune: train.batch cannot be extended in block all, for that needs three numbers or more "
      "at one distance: {min, max, step}, {min, max, count}, {log: [..], count: 5}, or a list such as [1e-5, "
      "1e-4, 1e-3]");
}

// No cell could be said to be the best one's neighbour.
TEST(SweepTuning, WhatIsDrawnBesideADrawnAxisCannotBeExtended) {
  const std::string axes = "axes: {train.batch: [4, 8, 16], train.clip: {min: 1, max: 2}}\n";
  const std::string text = kLora + axes + "search: {random: 4}\n";
  EXPECT_EQ(error_in(text + "tune: batch\n"), "no error");
  EXPECT_NE(
      error_in(text + "tune: {axes: batch, extend: 1}\n")
          .find("tune: train.batch cannot be extended in block all, where the values of train.clip are drawn "
                "from a range; give that a count or a step"),
      std::string::npos);
}

TEST(SweepTuning, AnAxisOfTheLastBlockAloneCanBeTuned) {
  const std::string blocks = "blocks:\n  a: {method: full}\n  b: {method: full, train.clip: [1, 2]}\n";
  EXPECT_EQ(error_in(kHead + "tune: clip\n" + blocks), "no error");
  EXPECT_EQ(error_in(kHead + "tune: eps\n" + blocks),
            "bad.yaml:7:7: tune: train.eps has no second value in any block, so there is none to choose");
}

TEST(SweepTuning, TheCommandLineSetsAndDropsIt) {
  EXPECT_EQ(sweep(kRanks, {"tune=rank,clip"}).tune->axes.size(), 2U);
  EXPECT_EQ(sweep(kRanks, {"tune={axes: rank, extend: 1}"}).tune->extend, 1);
  EXPECT_EQ(sweep(kRanks + "tune: rank\n", {"~tune", "lora.rank=4"}).tune, std::nullopt);
  EXPECT_NE(error_in(kRanks + "tune: rank\n", {"lora.rank=4"}).find("tune: lora.rank has no second value"),
            std::string::npos);
}

TEST(SweepTuning, ARegularAxisHasOneSpacing) {
  EXPECT_FALSE(spacing_in("train.batch: [1, 2, 3]")->log);
  EXPECT_EQ(spacing_in("train.batch: [30, 10, 20]")->step, 10);
  EXPECT_TRUE(spacing_in("train.batch: [4, 8, 16]")->log);
  EXPECT_NEAR(spacing_in("train.lr: {log: [1e-5, 1e-3], count: 7}")->step, 2.15443, 1e-4);
  EXPECT_NEAR(spacing_in("train.clip: {min: 0.1, max: 1, count: 4}")->step, 0.3, 1e-12);
  EXPECT_EQ(spacing_in("train.warmup: [0%, 5%, 10%]")->step, 0.05);
  EXPECT_FALSE(spacing_in("train.batch: [1, 2]")) << "by 1 or by half";
  EXPECT_FALSE(spacing_in("train.lr: [1e-5, 3e-5, 1e-4]"));
  EXPECT_FALSE(spacing_in("train.warmup: [0%, 5, 10]"));
  EXPECT_FALSE(spacing_in("lora.target: [attn, mlp, all]"));
}

TEST(SweepSearch, IsTheGridOrSoManyCells) {
  EXPECT_EQ(sweep(kRanks).random, std::nullopt);
  EXPECT_EQ(sweep(kRanks + "search: grid\n").random, std::nullopt);
  const RandomSearch search = *sweep(kRanks + "search: {random: 4, seed: 7}\n").random;
  EXPECT_EQ(search.cells, 4);
  EXPECT_EQ(search.seed, 7U);
  EXPECT_EQ(sweep(kRanks, {"search={random: 2}"}).random->cells, 2);
  EXPECT_EQ(sweep(kRanks + "search: {random: 4}\n", {"search=grid"}).random, std::nullopt);
  const auto message = [](const std::string& text) { return error_in(kRanks + "search: " + text + "\n"); };
  EXPECT_EQ(message("random"), "bad.yaml:9:9: search takes grid or {random: 40, seed: 7}, got \"random\"");
  EXPECT_EQ(message("{seed: 7}"),
            "bad.yaml:9:9: search needs random, the number of cells to draw of every block");
  EXPECT_EQ(message("{random: 0}"),
            "bad.yaml:9:18: search.random takes a whole number from 1 to 10000, got 0");
}

TEST(SweepSearch, ARangeWithoutCountIsDrawnFromAndOnlyThen) {
  const std::string text = kLora + "axes:\n  train.lr: {log: [1e-5, 1e-3]}\n  train.batch: {min: 1, max: 64}\n";
  const SweepSpec spec = sweep(text + "search: {random: 4}\n");
  const auto& axes = spec.blocks[0].axes;
  ASSERT_EQ(axes.size(), 2U);
  ASSERT_TRUE(axes[0].drawn);
  EXPECT_TRUE(axes[0].drawn->log);
  EXPECT_EQ(axes[0].drawn->max, 1e-3);
  EXPECT_EQ(axes[1].drawn->min, 1);
  EXPECT_TRUE(axes[1].points.empty());
  const std::string refusal =
      "bad.yaml:10:3: axis train.lr is a range to draw from at random; give it a count or a step, or write   "
      "search: "
      "{random: 40}   at the file's top";
  EXPECT_EQ(error_in(text).substr(0, refusal.size()), refusal);
  EXPECT_EQ(error_in(text + "search: {random: 4}\n", {"search=grid"}).substr(0, refusal.size()), refusal);
  EXPECT_EQ(error_in(kLora + "search: {random: 4}\naxes: {train.batch: {min: 8, max: 2}}\n"),
            "bad.yaml:10:21: axis train.batch: its lower end has to be below its upper one");
  EXPECT_EQ(error_in(kLora + "search: {random: 4}\naxes: {train.batch: {min: 0, max: 2}}\n"),
            "bad.yaml:10:21: train.batch takes a whole number from 1 to 1048576, got 0");
}

}  // namespace
}  // namespace ranktide
