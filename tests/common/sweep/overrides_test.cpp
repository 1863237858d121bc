#include "common/sweep/overrides.h"

#include <gtest/gtest.h>

#include "common/sweep/override_text.h"
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

TEST(Overrides, MayBringTheKeyThatAnotherHangsOnBeforeOrAfterIt) {
  const std::string full = kHead + "method: full\n";
  EXPECT_EQ(ids_of(sweep(full, {"lora.rank=4", "method=lora"})),
            ids_of(sweep(full, {"method=lora", "lora.rank=4"})));
  EXPECT_EQ(ids_of(sweep(kLora, {"train.cooldown=50%", "train.schedule=wsd"})),
            ids_of(sweep(kLora, {"train.schedule=wsd", "train.cooldown=50%"})));
  for (const std::vector<std::string>& both :
       {std::vector<std::string>{"lora.rank=4", "method=full"}, {"method=full", "lora.rank=4"}})
    EXPECT_EQ(error_in(kLora, both),
              "override \"lora.rank=4\": lora.rank has no effect with method: full (block all)");
}

// The data alone is what the axis sets.
TEST(Overrides, PinAnAxisThatAKeyOfTheirsEmptiesBeforeOrAfterIt) {
  const std::string text = kLora + "rows: {regime: {a: {data.train: a.txt}, b: {data.train: b.txt}}}\n";
  const auto ids = ids_of(sweep(text, {"regime=b", "data.train=c.txt"}));
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(ids_of(sweep(text, {"data.train=c.txt", "regime=b"})), ids);
}

// What a block had no use for before the command line changed it is there for it now, as in an edited file.
TEST(Overrides, BringCommonKeysIntoEffect) {
  const std::string common = kHead + "axes: {lora.rank: [4, 8]}\ntrain.schedule: wsd\ntrain.cooldown: 50%\n";
  const std::string given = common + "blocks: {a: {method: full}, b: {method: lora}}\n";
  const std::string edited = common + "blocks: {a: {method: lora}, b: {method: lora}}\n";
  EXPECT_EQ(to_json(sweep(given, {"a:method=lora"}).blocks), to_json(sweep(edited).blocks));
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
}

TEST(Overrides, AreSpelledAsInAFile) {
  const auto yaml = [](const std::string& value) { return yaml_of(override_of("k=" + value)); };
  EXPECT_EQ(yaml("1e-4"), "1e-4");
  EXPECT_EQ(yaml("a,b"), "{values: [a,b]}");
  EXPECT_EQ(yaml("[a,b]"), "[a,b]");
  EXPECT_EQ(yaml("'a,b'"), "'a,b'");
  EXPECT_EQ(yaml("choice([a,b],c)"), "{values: [[a,b],c]}");
  EXPECT_EQ(yaml("range(0, 1, 0.25)"), "{values: [0, 0.25, 0.5, 0.75]}");
  EXPECT_EQ(yaml("range(-2,1)"), "{values: [-2, -1, 0]}");
  EXPECT_EQ(yaml("range(0,0.3,0.1)"), "{values: [0, 0.1, 0.2]}");
  EXPECT_EQ(yaml("range(0.1234561,0.1234571,0.000001)"), "{values: [0.123456]}");
  EXPECT_EQ(yaml("range(0.7,0.8,0.1)"), "{values: [0.7]}");
}

// Six digits would make two values of these one, and 1e+05 is no whole number.
TEST(Overrides, ARangeOfWholeNumbersHasThemInFull) {
  const auto steps = [](const std::string& text) {
    std::vector<int64_t> out;
    const SweepSpec spec = sweep(kLora, {text});
    for (const AxisPoint& point : spec.blocks[0].axes.at(0).points)
      out.push_back(point.set.begin()->second.get<int64_t>());
    return out;
  };
  EXPECT_EQ(steps("budget.steps=range(100000,300000,100000)"), (std::vector<int64_t>{100'000, 200'000}));
  EXPECT_EQ(steps("budget.steps=range(1000000,1000004)"),
            (std::vector<int64_t>{1'000'000, 1'000'001, 1'000'002, 1'000'003}));
  EXPECT_EQ(steps("budget.tokens=range(1M, 3M, 1M)"), (std::vector<int64_t>{1'000'000, 2'000'000}));
  const auto rates = sweep(kLora, {"train.clip=range(0.1,0.4,0.1)"}).blocks[0].axes.at(0).points;
  ASSERT_EQ(rates.size(), 3U);
  EXPECT_EQ(rates[2].set.at("train.clip"), 0.3);
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

TEST(Overrides, WhatIsTheWholeSweepsIsSetInNoBlock) {
  for (const std::string text :
       {"seeds=5", "name=zzz", "search={random: 2}", "tune=train.lr", "run.keep=none"}) {
    const std::string key = text.substr(0, text.find('='));
    EXPECT_EQ(error_in(kTwoBlocks, {"lora:" + text}),
              "override \"lora:" + text + "\": " + key +
                  " is the whole sweep's, and no block has its own; write it without the block: " + text);
  }
  EXPECT_EQ(
      error_in(kTwoBlocks + "tune: [lora.rank]\n", {"~lora:tune"}),
      "override \"~lora:tune\": tune is the whole sweep's, and no block has its own; write it without the "
      "block: ~tune");
}

TEST(Overrides, TildeDropsAnAxisOfOneBlock) {
  const std::string text =
      kLora + "axes: {train.clip: [1, 2]}\nblocks: {a: {train.eps: 1e-6}, b: {train.eps: 1e-7}}\n";
  const SweepSpec spec = sweep(text, {"~a:clip"});
  EXPECT_EQ(spec.blocks[0].axes.size(), 0U);
  EXPECT_EQ(spec.blocks[1].axes.size(), 1U);
  EXPECT_EQ(error_in(text, {"~a:train.lr"}), "override \"~a:train.lr\": block a has no axis train.lr");
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

TEST(Overrides, LabelsAndSeedsAreListedLikeValues) {
  const std::string text =
      kLora + "rows: {regime: {a: {data.train: a.txt}, b: {data.train: b.txt}, c: {data.train: c.txt}}}\n";
  for (const std::string value : {"a,b", "a, b", "choice(a,b)", "choice(a, b)", "[a, b]"})
    EXPECT_EQ(ids_of(sweep(text, {"regime=" + value})).size(), 2U) << value;
  for (const std::string value : {"1,2", "1, 2", "choice(1,2)", "range(1,3)", "[1, 2]"})
    EXPECT_EQ(sweep(kLora, {"seeds=" + value}).seeds, (std::vector<uint64_t>{1, 2})) << value;
  EXPECT_EQ(sweep(kLora, {"seeds=2"}).seeds, (std::vector<uint64_t>{0, 1}));
  EXPECT_EQ(sweep(kLora, {"seeds=[2]"}).seeds, (std::vector<uint64_t>{2}));
  EXPECT_EQ(error_in(text, {"regime={a: 1}"}),
            "override \"regime={a: 1}\": regime has no label a map in block all; did you mean \"a\"?");
}

// In a file it is refused too.
TEST(Overrides, AnAxisThatTrainsNothingIsRefused) {
  EXPECT_EQ(
      error_in(kLora, {"eval.at=choice([0,end],[end])"}),
      "override \"eval.at=choice([0,end],[end])\": axis eval.at changes nothing in the training, so its trials "
      "would be equal; list the evals together");
  EXPECT_EQ(error_in(kLora, {"eval.at=choice([0,end])"}), "no error");
}

TEST(Overrides, WhatTakesOneValueSaysSo) {
  EXPECT_EQ(error_in(kLora, {"name=a,b"}), "override \"name=a,b\": a sweep has one name, got a,b");
  EXPECT_EQ(error_in(kLora, {"run.priority=1,2"}),
            "override \"run.priority=1,2\": run.priority is the whole sweep's and takes one value, got 1,2");
  EXPECT_EQ(
      error_in(kLora, {"run.needs.labels=a,b"}),
      "override \"run.needs.labels=a,b\": run.needs.labels is the whole sweep's and takes one value, got a,b; "
      "a list is written run.needs.labels=[a,b]");
  EXPECT_EQ(error_in(kLora, {"run.retry={own: 2}"}),
            "override \"run.retry={own: 2}\": run.retry is a section; on the command line each of its keys is "
            "named:   run.retry.own=2");
  EXPECT_EQ(
      error_in(kLora, {"train={lr: 1e-3, batch: 2}"}),
      "override \"train={lr: 1e-3, batch: 2}\": train is a section; on the command line each of its keys is "
      "named:   train.lr=1e-3");
  EXPECT_EQ(trials_of(sweep(kLora, {"train={path: x.txt}"})).size(), 1U);
}

TEST(Overrides, AnOpenBracketAndAConstructAreSaidToBeWhatTheyAre) {
  EXPECT_EQ(error_in(kLora, {"train.lr={min: 1e-4"}), "override \"train.lr={min: 1e-4\": the { is not closed");
  EXPECT_EQ(error_in(kLora, {"train.betas=[0.9,0.95"}),
            "override \"train.betas=[0.9,0.95\": the [ is not closed");
  EXPECT_EQ(error_in(kLora, {"data.template={prompt} or {completion}"}).find("not closed"), std::string::npos);
  EXPECT_EQ(error_in(kLora, {"version=2"}),
            "override \"version=2\": unknown key \"version\"; version stands at the file's top");
  EXPECT_EQ(error_in(kLora, {"when=3"}),
            "override \"when=3\": unknown key \"when\"; when stands in an axis, beside its values");
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

// A block that says so may not be dropped for it, and one that pins the axis cannot say so.
TEST(Overrides, OnlyRefusesALabelThatNoBlockHas) {
  const std::string text =
      kLora +
      "rows: {regime: {code: {data.train: a.txt}, math: {data.train: b.txt}}}\n"
      "blocks: {a: {train.clip: 1}, b: {regime: code, train.clip: 2}, c: {train.clip: 3}}\n";
  for (const std::string rule : {"regime != mth", "method == lora or regime == mth"}) {
    SweepSpec spec = sweep(text);
    EXPECT_EQ(error_of([&] { keep_only(spec, rule); }),
              "block a: --only: regime is never \"mth\"; it is one of code, math");
    EXPECT_EQ(spec.blocks.size(), 3U);
  }
  SweepSpec pinned = sweep(text);
  keep_only(pinned, "block=b,c");
  EXPECT_NE(error_of([&] { keep_only(pinned, "regime != mth"); }), "no error");
  keep_only(pinned, "regime != math");
  EXPECT_EQ(trials_of(pinned).size(), 2U);
}

// Two axes of one name in two blocks: a label of the one is none of the other, which has cells all the same.
TEST(Overrides, OnlyMaySpeakOfALabelThatOneBlockHas) {
  const std::string text = kLora +
                           "blocks:\n  a: {rows: {pace: {slow: {train.lr: 1e-5}, fast: {train.lr: 1e-3}}}}\n"
                           "  b: {rows: {pace: {even: {train.lr: 1e-6}, odd: {train.lr: 1e-2}}}}\n";
  SweepSpec without = sweep(text);
  keep_only(without, "pace != slow");
  EXPECT_EQ(trials_of(without).size(), 3U);
  SweepSpec one = sweep(text);
  keep_only(one, "pace == slow");
  EXPECT_EQ(trials_of(one).size(), 1U);
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
