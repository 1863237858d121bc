#include "common/sweep/early_stop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "common/sweep/tuning_check.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const std::string kBeforeAxes =
    "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nbudget: {steps: 100}\n"
    "eval: {learn: {words: {data: w.txt}}, retain: {prose: {data: p.txt}}}\n"
    "run.stop_early: {by: words}\n";
const std::string kRates =
    kBeforeAxes + "method: lora\nlora.rank: 8\naxes: {train.lr: [1e-4, 1e-3]}\ntune: [train.lr]\n";

std::vector<std::pair<int, Step>> rungs(const EarlyStop& policy, Step steps) {
  std::vector<std::pair<int, Step>> out;
  for (const Rung& rung : rungs_of(policy, steps)) out.emplace_back(rung.k, rung.at);
  return out;
}

TEST(EarlyStop, RungsAreSharesOfTheBudgetAndNeverItsEnds) {
  EXPECT_THAT(rungs({}, 100), ElementsAre(Pair(0, 10), Pair(1, 30), Pair(2, 90)));
  EXPECT_THAT(rungs({}, 1000), ElementsAre(Pair(0, 100), Pair(1, 300), Pair(2, 900)));
  EXPECT_THAT(rungs({.eta = 2, .first = 0.5}, 6), ElementsAre(Pair(0, 3)));
  EXPECT_THAT(rungs({}, 4), ElementsAre(Pair(1, 1))) << "0.4 of a step is the untouched base";
  EXPECT_THAT(rungs({.eta = 2, .first = 0.01}, 4), ElementsAre(Pair(4, 1), Pair(6, 3))) << "none twice";
  EXPECT_THAT(rungs({}, 1), IsEmpty());
}

// Which trials, by index, are judged among which: contests by the indices of their scouts.
std::set<std::vector<int64_t>> contests_in(const SweepSpec& spec) {
  std::map<std::string, std::vector<int64_t>> by_name;
  for (const SweepTrial& trial : trials_of(spec))
    if (trial.race)
      for (const std::string& contest : trial.race->contests) by_name[contest].push_back(trial.index);
  std::set<std::vector<int64_t>> out;
  for (const auto& [name, trials] : by_name) out.insert(trials);
  return out;
}
using Contests = std::set<std::vector<int64_t>>;

TEST(EarlyStop, IsPolicyAndChangesNoTrialAndNoSpecWithoutIt) {
  SweepSpec plain = sweep(kRates);
  plain.run.stop_early.reset();
  const SweepSpec raced = sweep(kRates);
  EXPECT_EQ(ids_of(plain), ids_of(raced));
  EXPECT_EQ(to_json(plain).dump().find("stop_early"), std::string::npos);
  const SweepTrial trial = trials_of(raced).at(0);
  ASSERT_TRUE(trial.race);
  EXPECT_EQ(trial.race->task.name, "words");
  EXPECT_EQ(trial.race->rungs.size(), 3u);
  EXPECT_EQ(trial.eval_at, trials_of(plain).at(0).eval_at) << "other evals are not run at rungs";
  EXPECT_FALSE(trials_of(plain).at(0).race);
}

TEST(EarlyStop, TheFirstSeedScoutsForTheOthers) {
  EXPECT_EQ(contests_in(sweep(kRates + "seeds: [7, 3]\n")), (Contests{{0, 2}}));
  for (const SweepTrial& trial : trials_of(sweep(kRates + "seeds: [7, 3]\n")))
    EXPECT_EQ(trial.race.has_value(), trial.settings.seed == 7u);
}

TEST(EarlyStop, WhatDiffersInAnUntunedAxisRacesApart) {
  EXPECT_EQ(contests_in(sweep(kBeforeAxes + "method: lora\naxes: {lora.rank: [8, 16], train.lr: [1e-4, 1e-3]}\n"
                                            "tune: [train.lr]\n")),
            (Contests{{0, 1}, {2, 3}}));
  EXPECT_EQ(
      contests_in(sweep(kBeforeAxes + "axes: {train.lr: [1e-4, 1e-3]}\ntune: [train.lr]\n"
                                      "blocks: {full: {method: full}, lora: {method: lora, lora.rank: 8}}\n")),
      (Contests{{0, 1}, {2, 3}}));
}

TEST(EarlyStop, ValuesOfEveryKindOfAxisRaceTogether) {
  EXPECT_EQ(contests_in(sweep(kBeforeAxes +
                              "method: lora\nlora.rank: 8\ntrain.lr: 1e-4\n"
                              "axes: {train.optimizer: [adamw, lion], train.schedule: [cosine, linear]}\n"
                              "tune: [train.optimizer, train.schedule]\n")),
            (Contests{{0, 1, 2, 3}}))
      << "the optimizers have other keys";
  EXPECT_EQ(contests_in(sweep(kBeforeAxes +
                              "method: lora\nlora.rank: 8\n"
                              "rows: {how: {slow: {train.lr: 1e-4, train.clip: 1}, fast: {train.lr: 1e-3}}}\n"
                              "zip: {both: {train.weight_decay: [0, 0.1], lora.dropout: [0, 0.1]}}\n"
                              "tune: [how]\n")),
            (Contests{{0, 2}, {1, 3}}));
  EXPECT_EQ(contests_in(sweep(kBeforeAxes +
                              "method: lora\naxes: {lora.rank: [8, 16]}\nderive: {train.lr: 2e-4 / rank}\n"
                              "tune: [lora.rank]\n")),
            (Contests{{0, 1}}))
      << "what is derived from a tuned value differs with it";
}

TEST(EarlyStop, DrawnValuesRaceTogether) {
  EXPECT_EQ(
      contests_in(sweep(kBeforeAxes + "method: lora\nlora.rank: 8\naxes: {train.lr: {log: [1e-5, 1e-2]}}\n"
                                      "search: {random: 4, seed: 7}\ntune: [train.lr]\n")),
      (Contests{{0, 1, 2, 3}}));
}

TEST(EarlyStop, ATrialOfTwoBlocksRacesInBoth) {
  const SweepSpec spec = sweep(kBeforeAxes +
                               "method: lora\nlora.rank: 8\ntune: [train.lr]\n"
                               "blocks: {a: {train.lr: [1e-4, 1e-3]}, b: {train.lr: [1e-3, 1e-2]}}\n");
  EXPECT_EQ(contests_in(spec), (Contests{{0, 1}, {1, 3}}));
}

TEST(EarlyStop, DataWithoutRowsIsRefusedAsWithoutARace) {
  SweepSpec spec = with_a_data_index(sweep(kRates, {"budget.epochs=1"}));
  EXPECT_TRUE(Grid(spec).at(0));
  for (auto& [key, data] : spec.inputs.data) data = {.sha256 = "d", .documents = 0, .tokens = 0, .rows = 0};
  EXPECT_THROW((void)Grid(spec).at(0), SpecError);
}

TEST(EarlyStop, VerdictsHangOnThePolicyAndOnWhatIsTuned) {
  const std::string policy = early_stop_policy(sweep(kRates));
  EXPECT_EQ(early_stop_policy(sweep(kRates, {"train.lr=1e-4,1e-3,1e-2"})), policy);
  EXPECT_NE(early_stop_policy(sweep(kRates, {"run.stop_early.eta=2"})), policy);
  EXPECT_NE(early_stop_policy(sweep(kRates, {"run.stop_early.first=20%"})), policy);
  EXPECT_NE(early_stop_policy(sweep(kRates, {"run.stop_early.by=prose"})), policy);
  SweepSpec none = sweep(kRates);
  none.run.stop_early.reset();
  EXPECT_EQ(early_stop_policy(none), "");
}

TEST(EarlyStop, ReadsItsSettings) {
  const SweepSpec spec = sweep(kRates + "run: {stop_early: {rule: asha, eta: 4, first: 25%}}\n",
                               {"run.stop_early.eta=2", "run.stop_early.by=prose"});
  ASSERT_TRUE(spec.run.stop_early);
  EXPECT_EQ(spec.run.stop_early->by, "prose");
  EXPECT_EQ(spec.run.stop_early->eta, 2);
  EXPECT_EQ(spec.run.stop_early->first, 0.25);
  EXPECT_EQ(to_json(from_json<SweepSpec>(to_json(spec))), to_json(spec));
}

std::string refused(const std::string& lines, const std::string& policy) {
  return error_in(
      "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\nlora.rank: 8\n"
      "run.stop_early: " +
      policy + "\n" + lines);
}

TEST(EarlyStop, IsRefusedWhereItWouldCutWhatTheSweepCompares) {
  const std::string evals = "eval: {learn: {words: {data: w.txt}}, retain: {prose: {data: p.txt}}}\n";
  const std::string tuned = evals + "budget: {steps: 100}\naxes: {train.lr: [1e-4, 1e-3]}\ntune: [train.lr]\n";
  EXPECT_EQ(refused(tuned, "{by: words}"), "no error");
  EXPECT_THAT(refused(evals + "budget: {steps: 100}\ntrain.lr: 1e-4\n", "{by: words}"),
              HasSubstr("nothing is tuned; write tune: [train.lr]"));
  EXPECT_THAT(refused(tuned, "{by: word}"),
              HasSubstr("run.stop_early.by word is no eval of the sweep; did you mean \"words\"?"));
  EXPECT_THAT(refused(tuned, "{eta: 2}"),
              AllOf(HasSubstr("run.stop_early.by names the eval"), HasSubstr("there are: prose, words")));
  for (const char* nothing : {"{}", "asha"})
    EXPECT_THAT(refused(tuned, nothing),
                HasSubstr("bad.yaml:7:1: run.stop_early takes a map that names the eval"));
  EXPECT_THAT(error_in(kLora + "run: {stop_early: {}}\n"),
              HasSubstr("bad.yaml:9:7: run.stop_early takes a map"));
  EXPECT_THAT(refused(tuned, "{by: words, eta: 1}"), HasSubstr("run.stop_early.eta"));
  EXPECT_THAT(refused(tuned, "{by: words, first: 100%}"), HasSubstr("run.stop_early.first"));
  EXPECT_THAT(refused(tuned, "{by: words, rule: median}"), HasSubstr("asha"));
}

TEST(EarlyStop, IsRefusedWhereTunedValuesCannotBeCompared) {
  const std::string evals = "eval: {learn: {words: {data: w.txt}}}\n";
  EXPECT_THAT(
      refused(evals + "train.lr: 1e-4\naxes: {budget.steps: [50, 100]}\ntune: [budget.steps]\n", "{by: words}"),
      HasSubstr("budget.steps differs between the values of a tuned axis"));
  EXPECT_THAT(refused(evals + "train.lr: 1e-4\nrows: {how: {a: {budget.steps: 50}, b: {budget.steps: 100}}}\n"
                              "tune: [how]\n",
                      "{by: words}"),
              HasSubstr("budget.steps differs between the values of a tuned axis"));
  EXPECT_THAT(refused(evals + "axes: {train.lr: [1e-4, 1e-3]}\ntune: [train.lr]\n"
                              "derive: {budget.steps: 100 if lr > 5e-4 else 50}\n",
                      "{by: words}"),
              HasSubstr("budget.steps differs between the values of a tuned axis"));
  EXPECT_THAT(
      refused("train.lr: 1e-4\nbudget: {steps: 100}\ntune: [on]\n"
              "rows: {on: {a: {data.train: a.txt, eval.learn: {words: {data: a.txt}}}, b: {data.train: b.txt, "
              "eval.learn: {words: {data: b.txt}}}}}\n",
              "{by: words}"),
      HasSubstr("run.stop_early.by words is another eval for each value of on"));
}

TEST(EarlyStop, IsRefusedWhereOnePointOrAnIncludedCellHasAnotherEval) {
  const std::string lines = "train.lr: 1e-4\nbudget: {steps: 100}\neval: {learn: {words: {data: w.txt}}}\n";
  EXPECT_THAT(refused(lines + "tune: [on]\nrows: {on: {a: {train.clip: 1}, b: {eval.learn: {words: {data: "
                              "b.txt}}}}}\n",
                      "{by: words}"),
              HasSubstr("run.stop_early.by words is another eval for each value of on"));

  SweepSpec spec = sweep(kRates);
  EXPECT_EQ(early_stop_refusal(spec), std::nullopt);
  const Json other = {{"words", {{"data", "c.txt"}}}};
  spec.blocks.at(0).include.push_back(
      {.points = {{.label = "x", .set = {{"train.lr", 0.01}, {"eval.learn", other}}}}, .where = ""});
  EXPECT_THAT(early_stop_refusal(spec).value_or(""),
              HasSubstr("run.stop_early.by words is another eval for each value of train.lr"));
}

// What a rule says of the adapter's scale differs with the rank: twice the rank where nothing else is said.
TEST(EarlyStop, WhatFollowsATunedValueIsTunedToo) {
  EXPECT_EQ(with_derived({"lora.rank"}, Block{}), (std::set<std::string>{"lora.alpha", "lora.rank"}));
  const Block block{.name = "b",
                    .constants = {},
                    .axes = {},
                    .derive = {{"budget.steps", "100 if lora.alpha > 20 else 50"}},
                    .exclude = {}};
  EXPECT_TRUE(with_derived({"lora.rank"}, block).contains("budget.steps"));
}

TEST(EarlyStop, AScaleThatTheBlockSetsItselfDoesNotFollowTheRank) {
  Block constant{.name = "b",
                 .constants = {{"lora.alpha", 16}},
                 .axes = {},
                 .derive = {{"budget.steps", "100 if lora.alpha > 20 else 50"}},
                 .exclude = {}};
  EXPECT_EQ(with_derived({"lora.rank"}, constant), (std::set<std::string>{"lora.rank"}));
  const Block crossed =
      sweep(kHead + "method: lora\naxes: {lora.rank: [4, 8], lora.alpha: [16, 32]}\n").blocks[0];
  EXPECT_EQ(with_derived({"lora.rank"}, crossed), (std::set<std::string>{"lora.rank"}));
  const Block derived = sweep(kHead + "method: lora\nlora.rank: 8\nderive: {lora.alpha: 4 * rank}\n").blocks[0];
  EXPECT_EQ(with_derived({"lora.rank"}, derived), (std::set<std::string>{"lora.alpha", "lora.rank"}));
}

TEST(EarlyStop, IsRefusedWhereTrialsLackTheEval) {
  const std::string tuned = "budget: {steps: 100}\naxes: {train.lr: [1e-4, 1e-3]}\ntune: [train.lr]\n";
  EXPECT_THAT(refused(tuned + "blocks: {a: {eval.learn: {words: {data: a.txt}}}, b: {eval.learn: {code: {data: "
                              "b.txt}}}}\n",
                      "{by: words}"),
              HasSubstr("run.stop_early.by words is not wanted of every trial of block b"));
  EXPECT_THAT(
      refused(tuned + "rows: {on: {a: {data.train: a.txt, eval.learn: {words: {data: a.txt}}}, b: {data.train: "
                      "b.txt, eval.learn: {code: {data: b.txt}}}}}\n",
              "{by: words}"),
      HasSubstr("is not wanted of every trial"));
  EXPECT_EQ(
      refused(
          tuned +
              "rows: {on: {a: {data.train: a.txt, eval.learn: {words: {data: a.txt}}}, b: {data.train: b.txt, "
              "eval.learn: {words: {data: b.txt}}}}}\n",
          "{by: words}"),
      "no error")
      << "an untuned axis may bring another eval of the name";
}

}  // namespace
}  // namespace ranktide
