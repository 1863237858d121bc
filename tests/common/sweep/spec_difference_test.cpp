#include "common/sweep/spec_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> changes(const SweepSpec& from, const SweepSpec& to) {
  std::vector<std::string> out;
  for (const SpecChange& change : changes_between(from, to)) out.push_back(text_of(change));
  return out;
}

const std::string kBlocks = kHead +
                            "blocks:\n"
                            "  full: {method: full}\n"
                            "  lora: {method: lora, lora.rank: [4, 16]}\n"
                            "  targets: {like: lora, lora.target: [attn, all]}\n";

TEST(SpecDifference, TheSameValuesInOtherWordsAreNone) {
  EXPECT_THAT(changes(sweep(kBlocks), sweep(kBlocks)), IsEmpty());
  EXPECT_THAT(changes(sweep(kBlocks), sweep(kBlocks, {"train.lr=0.0001"})), IsEmpty());
  EXPECT_THAT(changes(sweep(kBlocks), sweep(kBlocks, {"lora.rank=16,4"})), IsEmpty()) << "in another order";
}

TEST(SpecDifference, ValuesOfAnAxisComeAndGoAndAChangeOfTwoBlocksIsOne) {
  EXPECT_THAT(changes(sweep(kBlocks), sweep(kBlocks, {"lora.rank=4,16,1024"})),
              ElementsAre("lora.rank + 1024 in blocks lora, targets"));
  EXPECT_THAT(changes(sweep(kBlocks), sweep(kBlocks, {"lora:lora.rank=8,16"})),
              ElementsAre("lora.rank + 8 - 4 in block lora"));
}

// A draw stands at a position of an axis.
TEST(SpecDifference, AnotherOrderOfValuesIsOneToARandomSearch) {
  const std::string drawn = kBlocks + "search: {random: 2}\n";
  EXPECT_THAT(changes(sweep(drawn), sweep(drawn, {"lora.rank=16,4"})),
              ElementsAre("lora.rank: other order of values in blocks lora, targets"));
  EXPECT_THAT(changes(sweep(drawn), sweep(drawn)), IsEmpty());
  EXPECT_THAT(changes(sweep(drawn), sweep(drawn, {"lora.rank=16,4", "search=grid"})),
              ElementsAre("search: 2 cells of each block at random, seed 0 -> every cell"));
}

TEST(SpecDifference, WhatIsSearchedTunedAndTakenIsNamed) {
  SweepSpec from = sweep(kBlocks), to = from;
  to.random = {.cells = 4, .seed = 7};
  to.tune = {.axes = {"train.lr"}, .by = "", .extend = 2};
  to.taken = {{.first = 0, .end = 1}};
  EXPECT_THAT(changes(from, to), ElementsAre("search: every cell -> 4 cells of each block at random, seed 7",
                                             "tune: nothing -> train.lr by learning, extended by up to 2",
                                             "another part of the grid is taken"));
  to = from;
  Axis& rank = to.blocks[1].axes[0];
  to.blocks[1].include = {{.points = {{.label = "64", .set = {{rank.name, 64}}}}, .where = ""}};
  EXPECT_THAT(changes(from, to), ElementsAre("include + {lora.rank=64} in block lora"));
}

TEST(SpecDifference, ASettingHasAnotherValueOrIsSetInAnotherWay) {
  EXPECT_THAT(changes(sweep(kBlocks), sweep(kBlocks, {"train.lr=2e-4"})),
              ElementsAre("train.lr 1e-04 -> 2e-04 in blocks full, lora, targets"));
  EXPECT_THAT(changes(sweep(kBlocks), sweep(kBlocks, {"lora:train.lr=1e-4,2e-4"})),
              ElementsAre("train.lr 1e-04 -> [1e-04, 2e-04] in block lora"));
  EXPECT_THAT(changes(sweep(kBlocks), sweep(kBlocks, {"full:train.warmup=5%"})),
              ElementsAre("train.warmup: 5%, was unset in block full"));
  const std::string derived = kLora + "derive: {lora.alpha: 2 * rank}\n";
  EXPECT_THAT(changes(sweep(kLora + "derive: {lora.alpha: rank}\n"), sweep(derived)),
              ElementsAre("lora.alpha = rank -> = 2 * rank in block all"));
  EXPECT_THAT(changes(sweep(derived), sweep(kLora)),
              ElementsAre("lora.alpha: unset, was = 2 * rank in block all"));
}

TEST(SpecDifference, RowsThatKeepTheirLabelsSayWhatTheyNowSet) {
  const auto rows = [](const std::string& code) {
    return sweep(kLora + "rows: {regime: {code: {" + code + "}, math: {train.batch: 4}}}\n");
  };
  EXPECT_THAT(changes(rows("train.batch: 4"), rows("train.batch: 8, train.clip: 2")),
              ElementsAre("regime=code: train.batch 4 -> 8 in block all",
                          "regime=code: train.clip: 2, was unset in block all"));
}

TEST(SpecDifference, BlocksRulesSeedsAndPolicyAreTold) {
  const SweepSpec before = sweep(kBlocks);
  const SweepSpec after = sweep(kHead +
                                "seeds: [0, 7]\nrun: {priority: 5, retry: {own: 1}}\n"
                                "blocks:\n  lora: {method: lora, lora.rank: [4, 16], exclude: [rank > 8]}\n"
                                "  other: {method: full}\n");
  EXPECT_THAT(changes(before, after),
              ElementsAre("block full is gone", "block targets is gone", "exclude + \"rank > 8\" in block lora",
                          "block other is new", "seeds + 7", "run.priority 0 -> 5", "run.retry.own 3 -> 1"));
}

TEST(SpecDifference, PolicyIsToldAsFilesSayIt) {
  const SweepSpec after = sweep(kBlocks + "run: {lease: 90s, needs: {memory: 6GiB}}\n");
  EXPECT_THAT(changes(sweep(kBlocks), after),
              ElementsAre("run.lease 120s -> 90s", "run.needs.memory unset -> 6144MiB"));
}

TEST(SpecDifference, AFileThatKeepsItsNameAndNotItsContentIsNamed) {
  SweepSpec before = sweep(kLora), after = before;
  before.inputs.contents = {{"/sweeps/d.txt", {.sha256 = "a", .bytes = 1}}, {"/sweeps/e.txt", {"same", 1}}};
  after.inputs.contents = {{"/sweeps/d.txt", {.sha256 = "b", .bytes = 1}}, {"/sweeps/e.txt", {"same", 1}}};
  EXPECT_THAT(changes(before, after), ElementsAre("/sweeps/d.txt has other content"));
}

}  // namespace
}  // namespace ranktide
