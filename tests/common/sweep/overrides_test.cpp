#include "common/sweep/overrides.h"

#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

const std::string kTwoBlocks =
    kHead + "blocks:\n  full: {method: full}\n  lora: {method: lora, lora.rank: [4, 8]}\n";

TEST(Overrides, AreTheSameAsEditingTheFile) {
  EXPECT_EQ(ids_of(sweep(kLora, {"train.lr=2e-4"})), ids_of(sweep(kLora, {"lr=2e-4"})));
  const std::string edited =
      "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nbudget: {epochs: 2}\ntrain: {lr: 2e-4}\n"
      "method: lora\nlora.rank: 16\naxes: {train.batch: [1, 2]}\nseeds: 3\n";
  SweepSpec with_data =
      sweep(kLora, {"train.lr=2e-4", "budget.epochs=2", "rank=16", "train.batch=1,2", "seeds=3"});
  EXPECT_EQ(ids_of(with_data), ids_of(sweep(edited)));
}

TEST(Overrides, ReachEveryBlockWhereTheKeyMeansSomething) {
  const SweepSpec spec = sweep(kTwoBlocks, {"lora.rank=16,32,64", "train.lr=3e-4"});
  EXPECT_FALSE(spec.blocks[0].constants.contains("lora.rank"));
  EXPECT_EQ(spec.blocks[1].axes[0].points.size(), 3U);
  EXPECT_EQ(spec.blocks[0].constants.at("train.lr"), 3e-4);
  EXPECT_EQ(spec.blocks[1].constants.at("train.lr"), 3e-4);
  EXPECT_EQ(error_in(kHead + "method: full\n", {"lora.rank=8"}),
            "override \"lora.rank=8\": lora.rank has no effect with method: full (block all)");
}

TEST(Overrides, SpeakHydra) {
  const auto rates = [](const std::string& text) {
    std::set<std::string> out;
    for (const auto& trial : trials_of(sweep(kLora, {text})))
      out.insert(std::to_string(trial.settings.train.batch));
    return out;
  };
  EXPECT_EQ(rates("train.batch=choice(1,2)"), (std::set<std::string>{"1", "2"}));
  EXPECT_EQ(rates("train.batch=range(1,4)"), (std::set<std::string>{"1", "2", "3"}));
  EXPECT_EQ(rates("++train.batch=7"), (std::set<std::string>{"7"}));
  EXPECT_EQ(rates("train.betas=[0.8,0.9]"), (std::set<std::string>{"16"}));
}

TEST(Overrides, SetTheNeedsOfASlot) {
  const SlotNeeds needs =
      sweep(kLora, {"run.needs.memory=6GiB", "run.needs.labels=[a100]", "run.needs.gpus=1"}).run.needs;
  EXPECT_EQ(needs.memory_bytes, int64_t{6} << 30);
  EXPECT_EQ(needs.labels, std::vector<std::string>{"a100"});
  EXPECT_EQ(needs.gpus, 1);
  EXPECT_NE(error_in(kLora, {"run.needs.gpus=2"}).find("takes a whole number from 0 to 1"), std::string::npos);
  EXPECT_NE(error_in(kLora, {"run.needs.memory=1GiB,2GiB"}), "no error");
}

TEST(Overrides, OneBlockOnly) {
  const SweepSpec spec = sweep(kTwoBlocks, {"lora:train.lr=1e-3,2e-3"});
  EXPECT_EQ(spec.blocks[0].axes.size(), 0U);
  EXPECT_EQ(spec.blocks[1].axes.size(), 2U);
  EXPECT_EQ(error_in(kTwoBlocks, {"lroa:train.lr=1"}),
            "override \"lroa:train.lr=1\": there is no block \"lroa\"; did you mean \"lora\"?");
}

TEST(Overrides, TildeDropsAnAxisAndTheConstantIsBack) {
  const std::string text = kLora + "axes: {train.lr: [1e-3, 1e-2]}\n";
  EXPECT_EQ(ids_of(sweep(text, {"~train.lr"})), ids_of(sweep(kLora)));
  EXPECT_EQ(error_in(text, {"~train.batch"}), "override \"~train.batch\": no block has an axis train.batch");
}

TEST(Overrides, ALabelPinsItsRows) {
  const std::string text = kLora + "rows: {regime: {a: {data.train: a.txt}, b: {data.train: b.txt}}}\n";
  EXPECT_EQ(trials_of(sweep(text, {"regime=b"}))[0].labels.at("regime"), "b");
  EXPECT_EQ(error_in(text, {"regime=c"}),
            "override \"regime=c\": regime has no label \"c\" in block all; did you mean \"a\"?");
}

TEST(Overrides, MistakesNameTheOverride) {
  EXPECT_EQ(error_in(kLora, {"train.lr=fast"}),
            "override \"train.lr=fast\": train.lr takes a number from 0 to 1000, got \"fast\"");
  EXPECT_EQ(error_in(kLora, {"train.rl=1"}),
            "override \"train.rl=1\": unknown key \"train.rl\"; did you mean \"train.lr\"?");
  EXPECT_EQ(error_in(kLora, {"train.batch=range(3,3)"}),
            "override \"train.batch=range(3,3)\": range has no values; its end has to be above its start and "
            "its step "
            "above 0: range(0,3)");
  EXPECT_EQ(error_in(kLora, {"oops"}), "override \"oops\": expected key=value, ~key or block:key=value");
}

TEST(Overrides, OnlyKeepsBlocksOrCells) {
  SweepSpec blocks = sweep(kTwoBlocks);
  keep_only(blocks, "block=lora");
  EXPECT_EQ(trials_of(blocks).size(), 2U);
  SweepSpec cells = sweep(kTwoBlocks);
  keep_only(cells, "rank >= 8");
  EXPECT_EQ(trials_of(cells).size(), 1U);
  EXPECT_EQ(Grid(cells).counts()[0].cells, 0);
}

TEST(Overrides, OnlyMaySpeakOfAnAxisThatOneBlockHasAndOfNoneThatNoBlockHas) {
  SweepSpec spec = sweep(
      kTwoBlocks + "  paced: {method: full, rows: {pace: {slow: {train.lr: 1e-5}, fast: {train.lr: 1e-3}}}}\n");
  keep_only(spec, "pace == slow");
  ASSERT_EQ(spec.blocks.size(), 1U);
  for (const auto& trial : trials_of(spec)) EXPECT_EQ(trial.labels.at("pace"), "slow");
  const std::string error = error_of([&] { keep_only(spec, "rnk >= 8"); });
  EXPECT_NE(error.find("--only: unknown name \"rnk\""), std::string::npos) << error;
}

TEST(Overrides, AFunctionOfHydraThatIsNoneHereIsRefusedByName) {
  EXPECT_EQ(error_in(kLora, {"train.lr=interval(1e-5,1e-3)"}),
            "override \"train.lr=interval(1e-5,1e-3)\": interval is not known here; there are choice(a,b) and "
            "range(0,3), and in a file   search: {random: 40}");
}

TEST(Overrides, SeveralErrorsAreSaidInOneGo) {
  EXPECT_EQ(error_in(kLora, {"train.lr=fast", "rnak=3"}),
            "override \"train.lr=fast\": train.lr takes a number from 0 to 1000, got \"fast\"\n"
            "override \"rnak=3\": unknown key \"rnak\"; did you mean \"lora.rank\"?");
}

}  // namespace
}  // namespace ranktide
