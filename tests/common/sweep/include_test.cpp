#include <gtest/gtest.h>

#include "common/sweep/included_cells.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

const std::string kTwoAxes = kHead + "method: lora\naxes: {lora.rank: [4, 8], train.batch: [1, 2]}\n";

// Returns: the labels of a block's included cells, "16/1 32/1".
std::string included_in(const SweepSpec& spec, size_t block = 0) {
  std::string out;
  for (const auto& cell : spec.blocks.at(block).include) {
    std::string labels;
    for (const auto& point : cell.points) labels += (labels.empty() ? "" : "/") + point.label;
    out += (out.empty() ? "" : " ") + labels;
  }
  return out;
}

TEST(SweepInclude, NamesEveryAxisByKeyOrLastPartAndCrossesLists) {
  const SweepSpec spec =
      sweep(kTwoAxes + "include:\n- {rank: [16, 32], train: {batch: 1}}\n- {lora.rank: 4, batch: 3}\n");
  EXPECT_EQ(included_in(spec), "16/1 32/1 4/3");
  EXPECT_EQ(spec.blocks[0].include[0].where, "bad.yaml:10:3");
  EXPECT_EQ(spec.blocks[0].include[0].points[0].set, (SettingValues{{"lora.rank", 16}}));
}

TEST(SweepInclude, TakesRowsByLabelAndZipsByLabelOrAllTheirKeys) {
  const std::string text = kHead +
                           "method: lora\nlora.rank: 4\n"
                           "rows: {regime: {a: {data.mask_prompt: true}, b: {data.mask_prompt: false}}}\n"
                           "zip: {size: {train.batch: [1, 2], data.max_tokens: [64, 32]}}\n";
  EXPECT_EQ(included_in(sweep(text + "include: [{regime: [a, b], size: 1/64}]\n")), "a/1/64 b/1/64");
  EXPECT_EQ(included_in(sweep(text + "include: [{regime: a, batch: 2, max_tokens: [32, 128]}]\n")),
            "a/2/32 a/128/2");
  EXPECT_EQ(error_in(text + "include: [{regime: a, batch: 2}]\n"),
            "bad.yaml:11:11: include: a cell has a value on every axis of block all, and size (by label, or by "
            "data.max_tokens and train.batch) is not named");
  EXPECT_EQ(error_in(text + "include: [{regime: c, size: 1/64}]\n"),
            "bad.yaml:11:11: include: regime has no label \"c\"; did you mean \"a\"?");
}

TEST(SweepExclude, AMapMayNameKeysByTheirLastPart) {
  EXPECT_EQ(sweep(kTwoAxes + "exclude: [{rank: [4, 8], batch: 1}]\n").blocks[0].exclude[0].text,
            "lora.rank in (4, 8) and train.batch = 1");
  EXPECT_EQ(trials_of(sweep(kTwoAxes + "exclude: [{rank: 4}]\n")).size(), 2U);
}

TEST(SweepInclude, AListThatIsOneValueStaysOne) {
  const std::string text = kLora + "axes: {train.betas: [[0.9, 0.95], [0.9, 0.99]]}\n";
  EXPECT_EQ(included_in(sweep(text + "include: [{betas: [0.8, 0.9]}]\n")), "[0.8, 0.9]");
  EXPECT_EQ(included_in(sweep(text + "include: [{betas: [[0.8, 0.9], [0.7, 0.9]]}]\n")),
            "[0.8, 0.9] [0.7, 0.9]");
}

TEST(SweepInclude, AtTheTopGoesToEveryBlockWhoseAxesItNames) {
  const std::string text = kHead +
                           "include: [{rank: 64, lr: 1e-5}]\nblocks:\n"
                           "  a: {method: lora, lora.rank: [4, 8], train.lr: [1e-4, 2e-4]}\n"
                           "  b: {method: lora, lora.rank: [4, 8]}\n"
                           "  c: {like: a, train.batch: 4, include: [{rank: 2, lr: 1e-4}]}\n";
  const SweepSpec spec = sweep(text);
  EXPECT_EQ(included_in(spec, 0), "64/1e-5");
  EXPECT_EQ(included_in(spec, 1), "");
  EXPECT_EQ(included_in(spec, 2), "64/1e-5 2/1e-4");
  EXPECT_EQ(
      error_in(kHead + "include: [{batch: 2}]\nblocks:\n  a: {method: full}\n  b: {method: full, seeds: 1}\n"),
      "bad.yaml:10:21: seeds stands at the top of the file, not in a block");
  EXPECT_EQ(
      error_in(kHead +
               "include: [{batch: 2}]\nblocks:\n  a: {method: full}\n  b: {method: full, train.eps: 1}\n"),
      "bad.yaml:7:11: include: train.batch is no axis of block a; and it fits no other block either");
}

TEST(SweepInclude, AnAxisThatIsOffInACellIsLeftOut) {
  const std::string text = kLora +
                           "axes:\n  train.schedule: [cosine, constant]\n"
                           "  train.warmup: {values: [1, 2], when: train.schedule == cosine}\n";
  EXPECT_EQ(trials_of(sweep(text + "include: [{schedule: linear}, {schedule: cosine, warmup: 3}]\n")).size(),
            5U);
  EXPECT_EQ(error_in(text + "include: [{schedule: cosine}]\n"),
            "bad.yaml:12:11: include: train.warmup has to be named, for it has a value here");
}

TEST(SweepInclude, WhatNamesNoCellIsRefused) {
  const auto message = [](const std::string& items) { return error_in(kTwoAxes + "include: " + items + "\n"); };
  EXPECT_EQ(
      message("[{rank: 16}]"),
      "bad.yaml:9:11: include: a cell has a value on every axis of block all, and train.batch is not named");
  EXPECT_EQ(message("[{rank: 16, batch: 1, eps: 1e-6}]"),
            "bad.yaml:9:11: include: train.eps is no axis of block all");
  EXPECT_EQ(message("[{rnak: 16, batch: 1}]"),
            "bad.yaml:9:11: include: rnak is no axis of block all; did you mean \"lora.rank\"?");
  EXPECT_EQ(message("[{rank: 0, batch: 1}]"),
            "bad.yaml:9:18: lora.rank takes a whole number from 1 to 65536, got 0");
  EXPECT_EQ(message("[{rank: 16, lora.rank: 8, batch: 1}]"),
            "bad.yaml:9:22: \"lora.rank\" is named twice in one include entry");
  EXPECT_EQ(message("[rank > 8]"),
            "bad.yaml:9:11: include takes maps with a value for each axis of a block, got \"rank > 8\"; an "
            "expression "
            "picks among cells that are there: to keep some of them, narrow the exclude rule instead");
  EXPECT_EQ(message("{rank: 16}"), "bad.yaml:9:10: include takes a list of maps, got a map");
  EXPECT_EQ(message("[{rank: {min: 1, max: 20000, step: 1}, batch: [1, 2]}]"),
            "bad.yaml:9:18: an axis has 1 to 10,000 values, this one would have 20000");
}

TEST(SweepInclude, AnAxisThatTheCommandLineTakesAwayIsNoLongerNamed) {
  const std::string text = kTwoAxes + "include: [{rank: 16, batch: 1}]\n";
  EXPECT_EQ(included_in(sweep(text, {"lora.rank=2,4"})), "16/1");
  EXPECT_EQ(error_in(text, {"lora.rank=2"}), "bad.yaml:9:11: include: lora.rank is no axis of block all");
}

}  // namespace
}  // namespace ranktide
