#include "common/sweep/early_stop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kRates =
    "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nbudget: {steps: 100}\n"
    "method: lora\nlora.rank: 8\naxes: {train.lr: [1e-4, 1e-3]}\ntune: [train.lr]\n"
    "eval: {learn: {words: {data: w.txt}}, retain: {prose: {data: p.txt}}}\n";

TEST(EarlyStop, RungsAreSharesOfTheBudgetAndNeverItsEnd) {
  EXPECT_THAT(rungs_of({}, 100), ElementsAre(10, 30, 90));
  EXPECT_THAT(rungs_of({}, 1000), ElementsAre(100, 300, 900));
  EXPECT_THAT(rungs_of({.eta = 2, .first = 0.5}, 6), ElementsAre(3));
  EXPECT_THAT(rungs_of({.eta = 2, .first = 0.01}, 4), ElementsAre(1, 3)) << "none twice";
  EXPECT_THAT(rungs_of({}, 1), IsEmpty());
}

TEST(EarlyStop, IsPolicyAndChangesNoTrialAndNoSpecWithoutIt) {
  const SweepSpec plain = sweep(kRates);
  const SweepSpec raced = sweep(kRates + "run.stop_early: {by: words}\n");
  EXPECT_EQ(ids_of(plain), ids_of(raced));
  EXPECT_FALSE(to_json(plain).dump().find("stop_early") != std::string::npos);
  const SweepTrial trial = trials_of(raced).at(0);
  ASSERT_TRUE(trial.race);
  EXPECT_EQ(trial.race->task.name, "words");
  EXPECT_THAT(trial.race->rungs, ElementsAre(10, 30, 90));
  EXPECT_EQ(trial.eval_at, trials_of(plain).at(0).eval_at) << "other evals are not run at rungs";
  EXPECT_FALSE(trials_of(plain).at(0).race);
}

TEST(EarlyStop, ReadsItsSettings) {
  const SweepSpec spec = sweep(kRates + "run: {stop_early: {rule: asha, by: prose, eta: 4, first: 25%}}\n",
                               {"run.stop_early.eta=2"});
  ASSERT_TRUE(spec.run.stop_early);
  EXPECT_EQ(spec.run.stop_early->by, "prose");
  EXPECT_EQ(spec.run.stop_early->eta, 2);
  EXPECT_EQ(spec.run.stop_early->first, 0.25);
  EXPECT_EQ(to_json(from_json<SweepSpec>(to_json(spec))), to_json(spec));
}

TEST(EarlyStop, IsRefusedWhereItWouldCutWhatTheSweepCompares) {
  const std::string untuned = kLora + "eval: {learn: {words: {data: w.txt}}}\nrun.stop_early: {by: words}\n";
  EXPECT_THAT(error_in(untuned), HasSubstr("nothing is tuned; write tune: [train.lr]"));
  EXPECT_THAT(error_in(kRates + "run.stop_early: {by: word}\n"),
              HasSubstr("run.stop_early.by word is no eval of the sweep; did you mean \"words\"?"));
  EXPECT_THAT(
      error_in(kRates + "run.stop_early: {eta: 2}\n"),
      HasSubstr("run.stop_early.by names the eval that trials are compared by; there are: prose, words"));
  EXPECT_THAT(error_in(kRates + "run.stop_early: {by: words, eta: 1}\n"), HasSubstr("run.stop_early.eta"));
  EXPECT_THAT(error_in(kRates + "run.stop_early: {by: words, first: 100%}\n"),
              HasSubstr("run.stop_early.first"));
  EXPECT_THAT(error_in(kRates + "run.stop_early: {by: words, rule: median}\n"), HasSubstr("asha"));
}

}  // namespace
}  // namespace ranktide
