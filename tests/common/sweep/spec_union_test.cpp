#include "common/sweep/spec_union.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kUnionBlocks = kHead +
                            "blocks:\n"
                            "  full: {method: full}\n"
                            "  lora: {method: lora, lora.rank: [4, 16]}\n";

std::set<std::string> united(std::set<std::string> a, std::set<std::string> b) {
  a.merge(b);
  return a;
}

std::vector<std::string> block_names(const SweepSpec& spec) {
  std::vector<std::string> out;
  for (const Block& block : spec.blocks) out.push_back(block.name);
  return out;
}

TEST(SpecUnion, ListsTheTrialsOfBothAndNoOthers) {
  const SweepSpec old = sweep(kUnionBlocks);
  for (const std::vector<std::string>& edit : {std::vector<std::string>{"lora.rank=4,16,64"},
                                               {"lora.rank=64"},
                                               {"train.lr=3e-4"},
                                               {"seeds=3"},
                                               {"seeds=5,6", "lora.rank=16,32"},
                                               {"budget.steps=4,8", "lora:train.lr=1e-4,2e-4"}}) {
    const SweepSpec spec = sweep(kUnionBlocks, edit);
    const SweepSpec both = extended(old, spec);
    EXPECT_EQ(ids_of(both), united(ids_of(old), ids_of(spec))) << edit[0];
    EXPECT_EQ(trials_of(both).size(), ids_of(both).size()) << edit[0] << ": none twice";
  }
}

TEST(SpecUnion, AnOldBlockStaysUnderItsNameOrWithASuffixAndOnlyWhereSomethingIsLeftOfIt) {
  const SweepSpec old = sweep(kUnionBlocks);
  EXPECT_THAT(block_names(extended(old, sweep(kUnionBlocks, {"lora.rank=4,16,64"}))), ElementsAre("full", "lora"));
  const SweepSpec second = extended(old, sweep(kUnionBlocks, {"lora.rank=64"}));
  EXPECT_THAT(block_names(second), ElementsAre("full", "lora", "lora.r1"));
  EXPECT_THAT(block_names(extended(second, sweep(kUnionBlocks, {"lora.rank=128"}))),
              ElementsAre("full", "lora", "lora.r2", "lora.r1"));
  const std::string lora_only = kHead + "blocks: {lora: {method: lora, lora.rank: [4, 16]}}\n";
  EXPECT_THAT(block_names(extended(old, sweep(lora_only))), ElementsAre("lora", "full"));
}

TEST(SpecUnion, ExtendingByTheSameFileAgainChangesNothing) {
  const SweepSpec old = sweep(kUnionBlocks), spec = sweep(kUnionBlocks, {"seeds=7", "lora.rank=16,64"});
  const SweepSpec once = extended(old, spec);
  EXPECT_EQ(to_json(extended(once, spec)).dump(), to_json(once).dump());
  EXPECT_EQ(to_json(extended(old, old)).dump(), to_json(old).dump());
}

TEST(SpecUnion, WhatBothListKeepsItsLabels) {
  const SweepSpec old = sweep(kUnionBlocks, {"lora:train.lr=1e-4,2e-4"});
  const SweepSpec both = extended(old, sweep(kUnionBlocks, {"lora:train.lr=0.0001,0.0002,0.0003"}));
  std::map<std::string, std::map<std::string, std::string>> labels;
  for (const SweepTrial& trial : trials_of(old)) labels[trial.id.text] = trial.labels;
  int of_both = 0;
  for (const SweepTrial& trial : trials_of(both))
    if (const auto before = labels.find(trial.id.text); before != labels.end()) {
      EXPECT_EQ(trial.labels, before->second);
      ++of_both;
    }
  EXPECT_EQ(of_both, 5);
}

TEST(SpecUnion, SeedsOfOneDoNotReachTheCellsOfTheOther) {
  const SweepSpec old = sweep(kUnionBlocks, {"seeds=2"});
  const SweepSpec both = extended(old, sweep(kUnionBlocks, {"lora.rank=64", "seeds=3,4,5"}));
  EXPECT_EQ(trials_of(both).size(), 3u * 2 + 2 * 3);
  EXPECT_EQ(trial_count(both, Grid(both).counts()), 12);
}

// Somebody's choice of a part stays one, whatever it is united with.
TEST(SpecUnion, APartThatNobodyChoseIsMarkedAsWhatTwoFilesList) {
  const SweepSpec old = sweep(kUnionBlocks, {"seeds=2"}),
                  spec = sweep(kUnionBlocks, {"lora.rank=64", "seeds=3"});
  const SweepSpec both = extended(old, spec);
  ASSERT_TRUE(both.taken);
  EXPECT_EQ(both.taken_unites, true);
  EXPECT_EQ(extended(both, spec).taken_unites, true);
  EXPECT_EQ(extended(old, sweep(kUnionBlocks, {"lora.rank=4,16,64", "seeds=2"})).taken_unites, std::nullopt)
      << "all of its grid";
  SweepSpec part = old;
  part.taken = {{.first = 0, .end = 2}};
  EXPECT_EQ(extended(part, spec).taken_unites, std::nullopt);
  EXPECT_EQ(from_json<SweepSpec>(to_json(both)).taken_unites, true);
  EXPECT_FALSE(to_json(old).contains("taken_unites")) << "what was hashed before is hashed alike";
}

TEST(SpecUnion, AFileThatChangedUnderItsNameIsRefusedByName) {
  SweepSpec old = sweep(kUnionBlocks), spec = sweep(kUnionBlocks, {"lora.rank=64"});
  old.inputs.contents["/sweeps/d.txt"] = {.sha256 = "a", .bytes = 1};
  spec.inputs.contents["/sweeps/d.txt"] = {.sha256 = "b", .bytes = 1};
  EXPECT_THAT(error_of([&] { extended(old, spec); }),
              HasSubstr("/sweeps/d.txt has other content than when s was submitted"));
  spec.inputs.contents["/sweeps/d.txt"].sha256 = "a";
  EXPECT_EQ(error_of([&] { extended(old, spec); }), "no error");
}

}  // namespace
}  // namespace ranktide
