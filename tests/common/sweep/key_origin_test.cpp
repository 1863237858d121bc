#include "common/sweep/key_origin.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

const std::string kFile =
    "version: 1\nname: s\nmodel: {path: m}\nbudget: {steps: 4}\ntrain: {lr: 1e-4, batch: 2, betas: [0.9, "
    "0.99]}\n"
    "axes: {train.clip: {values: [0.5, 1], when: batch > 1}}\n"
    "rows: {regime: {code: {data.train: a.txt, train.eps: 1e-6}, math: {data.train: b.txt}}}\n"
    "blocks:\n"
    "  lora: {method: lora, lora.rank: [4, 16], derive: {train.lr: 2e-4 * sqrt(16 / rank)}}\n"
    "  wide: {like: lora, train.batch: 8, lora.rank: 64, train.betas: [[0.9, 0.95], [0.8, 0.9]]}\n"
    "  full: {method: full, budget.epochs: 2, train.lr: [1e-5, 2e-5]}\n";

// Returns: one line for each origin of a block, the winner with a star: `* block 8 at f.yaml:10:22`.
std::vector<std::string> origins_in(const std::string& block, const std::string& key,
                                    const std::vector<std::string>& overrides = {}) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "key_origin_test.yaml";
  std::ofstream(file) << kFile;
  std::vector<std::string> out;
  for (const auto& of : origins_in_sweep(file, overrides, kTrialsMaxDefault, key)) {
    if (of.block != block) continue;
    for (const auto& origin : of.origins) {
      const size_t line = origin.where.find(".yaml:");
      out.push_back((origin.wins ? "* " : "") + origin.level + " " + origin.says + " at " +
                    (line == std::string::npos ? origin.where : origin.where.substr(line + 6)));
    }
    if (!of.idle.empty()) out.push_back("idle " + of.idle);
  }
  return out;
}

using Lines = std::vector<std::string>;

TEST(KeyOrigins, TheHighestLevelWinsAndTheOthersAreListedBelow) {
  EXPECT_EQ(
      origins_in("wide", "train.batch", {"train.batch=16", "lora:train.batch=1"}),
      (Lines{"* command line 16 at train.batch=16", "block 8 at 10:22", "plain 2 at 5:19", "default 16 at "}));
  EXPECT_EQ(origins_in("lora", "batch"), (Lines{"* plain 2 at 5:19", "default 16 at "}));
  EXPECT_EQ(origins_in("wide", "train.lr"), (Lines{"* like lora = 2e-4 * sqrt(16 / rank) at 9:53",
                                                   "plain 1e-04 at 5:9", "default required at "}));
  EXPECT_EQ(origins_in("full", "train.lr"),
            (Lines{"* block [1e-05, 2e-05] at 11:42", "plain 1e-04 at 5:9", "default required at "}));
}

TEST(KeyOrigins, AxesRowsAndConditionsAreShown) {
  EXPECT_EQ(origins_in("full", "clip"),
            (Lines{"* common [0.5, 1] when batch > 1 at 6:8", "* default 1.0 where that is false at "}));
  EXPECT_EQ(origins_in("full", "eps"),
            (Lines{"* common regime: code 1e-06 at 7:8", "* default 1e-8 in the other labels at "}));
  EXPECT_EQ(origins_in("full", "eps", {"regime=math"}), (Lines{"* default 1e-8 at "})) << "no label sets it";
  EXPECT_EQ(origins_in("wide", "rank"),
            (Lines{"* block 64 at 10:38", "like lora [4, 16] at 9:24", "default required at "}));
}

TEST(KeyOrigins, WhatIsReplacedOrWithoutEffectIsSaid) {
  EXPECT_EQ(origins_in("full", "budget.steps"), (Lines{"* block budget.epochs in its place at 11:24",
                                                       "plain 4 at 4:10", "default one of three at "}));
  EXPECT_EQ(origins_in("full", "lora.rank"), (Lines{"default required at ", "idle method: full"}));
  EXPECT_EQ(origins_in("lora", "lora.rank", {"~lora.rank", "lora.rank=8"}),
            (Lines{"* command line 8 at lora.rank=8", "command line no axis at ~lora.rank",
                   "block [4, 16] at 9:24", "default required at "}));
}

TEST(KeyOrigins, AListThatIsAValueWinsBelowADroppedAxis) {
  const Lines lines = origins_in("wide", "train.betas", {"~train.betas"});
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_TRUE(lines[1].starts_with("block [[0.9")) << lines[1];
  EXPECT_TRUE(lines[2].starts_with("* plain [0.9")) << lines[2];
  EXPECT_TRUE(origins_in("wide", "train.betas")[0].starts_with("* block [[0.9"));
}

TEST(KeyOrigins, LabelsThatTheBlockHasNoMoreSetNothing) {
  EXPECT_EQ(origins_in("full", "train.eps", {"~regime", "data.train=c.txt"}),
            (Lines{"command line no axis regime at ~regime", "common regime: code 1e-06 at 7:8",
                   "* default 1e-8 at "}));
  EXPECT_EQ(origins_in("full", "data.train", {"data.train=c.txt"})[0],
            "* command line c.txt at data.train=c.txt");
  EXPECT_EQ(origins_in("full", "train.eps", {"regime=code"}),
            (Lines{"* common regime: code 1e-06 at 7:8", "default 1e-8 at "}));
}

TEST(KeyOrigins, AnAxisThatTheCommandLineMadeAndDroppedSetsNothing) {
  EXPECT_EQ(origins_in("full", "train.batch", {"train.batch=4,8", "~train.batch"}),
            (Lines{"command line no axis at ~train.batch", "command line 4,8 at train.batch=4,8",
                   "* plain 2 at 5:19", "default 16 at "}));
}

TEST(KeyOrigins, AnUnknownKeyGetsAHint) {
  const auto message = [](const std::string& key) { return error_of([&] { origins_in("full", key); }); };
  EXPECT_EQ(message("train.shedule"), "unknown key \"train.shedule\"; did you mean \"train.schedule\"?");
  EXPECT_EQ(message("regime"), "regime is an axis of labels, each of which sets keys; ask for one of those");
  EXPECT_EQ(
      message("run.priority"),
      "run.priority is the whole sweep's and is set in one place: at the file's top or on the command line");
}

}  // namespace
}  // namespace ranktide
