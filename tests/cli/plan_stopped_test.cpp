// What a plan says of a sweep whose run.stop_early stops values: which stay stopped, and what its scouts run.

#include <gmock/gmock.h>

#include "common/sweep/early_stop.h"
#include "tests/cli/plan_world.h"

namespace ranktide::cli {
namespace {

using Words = std::vector<std::string>;

// Rates of two seeds race; the rung of eight steps is step 4.
class PlanOfARace : public PlanWorld {
 protected:
  static std::string race(const std::string& rates = "1e-4, 1e-3, 1e-2", const std::string& more = "",
                          const std::string& eta = "2") {
    return "version: 1\nname: s\nmodel: {path: model, dtype: fp32}\ndata: {train: d.txt}\nbudget: {steps: 8}\n"
           "train: {batch: 4}\nmethod: full\nseeds: 2\neval: {learn: {held: {data: held.txt}}}\n"
           "axes: {train.lr: [" +
           rates + "]}\ntune: {axes: [train.lr], by: held}\n" +
           (eta.empty() ? "" : "run: {stop_early: {by: held, eta: " + eta + ", first: 50%}}\n") + more;
  }

  // A trial of the race that came to the rung with this score.
  TrialStanding came(const SweepTrial& trial, const std::string& state, double score) const {
    TrialStanding out = standing(trial, state, "weights", state == "completed");
    out.checkpoint_step = 4;
    if (trial.race)
      out.shown = {{.spec = trial.evals.at(0).spec_id.substr(0, kEvalDigits), .step = 4, .score = score}};
    return out;
  }

  // It was stopped there.
  TrialStanding out(const SweepTrial& trial, double score) const {
    TrialStanding stopped = came(trial, "cancelled", score);
    const std::string policy = early_stop_policy(read(race()).spec);
    stopped.verdicts = {{.by = stopped_by("s", policy), .rung = 0, .score = score}};
    return stopped;
  }

  // The first rate is trained; the others were stopped at the rung, and their second seeds never listed.
  Past past() const {
    const auto t = listed(plan(race())).trials;
    return {.trials = {came(t.at(0), "completed", -5), standing(t.at(1), "completed", "weights"),
                       out(t.at(2), -7), out(t.at(4), -6)}};
  }

  Words fates(const std::string& sweep, const Past& past) const {
    Words words;
    for (const Fate fate : listed(plan(sweep, past)).fates) words.push_back(word_of(fate));
    return words;
  }
};

TEST_F(PlanOfARace, SeedsOfAStoppedValueThatWereNeverListedAreStoppedToo) {
  EXPECT_EQ(fates(race(), past()),
            (Words{"done", "done", "stopped_early", "stopped_early", "stopped_early", "stopped_early"}));
  EXPECT_THAT(plan_text(plan(race(), past()), slots({int64_t{1} << 30})),
              testing::HasSubstr("6 trials: 2 done, 4 stopped early, 0 resumable, 0 new\n"));
}

TEST_F(PlanOfARace, ASeedOfAStoppedValueThatAnotherSweepTrainedIsDone) {
  Past shared = past();
  shared.trials.push_back(standing(listed(plan(race())).trials.at(3), "completed", "weights"));
  EXPECT_EQ(fates(race(), shared),
            (Words{"done", "done", "stopped_early", "done", "stopped_early", "stopped_early"}));
}

TEST_F(PlanOfARace, AValueThatNobodyInTheFileIsAheadOfIsTrained) {
  EXPECT_EQ(fates(race("1e-3, 1e-2"), past()), (Words{"stopped_early", "stopped_early", "resumable", "new"}))
      << "the second is behind the third, which goes on";
  Past without_a_score = past();
  without_a_score.trials.at(2).verdicts.at(0).score.reset();
  EXPECT_EQ(fates(race("1e-3, 1e-2, 1e-1"), without_a_score),
            (Words{"stopped_early", "stopped_early", "resumable", "new", "new", "new"}));
}

TEST_F(PlanOfARace, NobodyIsOutForAValueOfWhichASeedDiverged) {
  Past diverged = past();
  diverged.trials.at(1).state = "diverged";
  EXPECT_EQ(fates(race(), diverged),
            (Words{"done", "done", "stopped_early", "stopped_early", "resumable", "new"}));
  diverged.trials.at(3).state = "diverged";
  EXPECT_EQ(fates(race(), diverged), (Words{"done", "done", "resumable", "new", "done", "stopped_early"}))
      << "of a value with a diverged seed nothing is trained";
}

TEST_F(PlanOfARace, ByAnotherPolicyOrNoneNothingIsStopped) {
  const Words trained{"done", "done", "resumable", "new", "resumable", "new"};
  EXPECT_EQ(fates(race("1e-4, 1e-3, 1e-2", "", "3"), past()), trained);
  EXPECT_EQ(fates(race("1e-4, 1e-3, 1e-2", "", ""), past()), trained);
}

TEST_F(PlanOfARace, WhereAnotherSeedScoutsNobodyIsKnownToBeAhead) {
  std::string sweep = race();
  sweep.replace(sweep.find("seeds: 2"), 8, "seeds: [1, 0]");
  EXPECT_EQ(fates(sweep, past()), (Words{"done", "done", "new", "resumable", "new", "resumable"}));
}

TEST_F(PlanOfARace, ScoutsRunTheEvalAtTheRungsToo) {
  std::ofstream(path("held.txt")) << std::string(20'000, 'x');
  const SweepPlan raced = plan(race()), all = plan(race("1e-4, 1e-3, 1e-2", "", ""));
  const auto costs = listed(raced).costs, plain = listed(all).costs;
  const double eval = plain.at(0)->eval_seconds;
  ASSERT_GT(eval, 0);
  EXPECT_NEAR(costs.at(0)->seconds, plain.at(0)->seconds + eval, 1e-9 * eval) << "the scout, at one rung";
  EXPECT_NEAR(costs.at(1)->seconds, plain.at(1)->seconds, 1e-9 * eval) << "the other seed";
  EXPECT_NEAR(raced.estimate->slot_seconds, all.estimate->slot_seconds + 3 * eval, 1e-9 * eval);
  EXPECT_NEAR(cost_range(raced, raced.blocks.at(0).block)->seconds_max, plain.at(0)->seconds + eval,
              1e-9 * eval);
  const SweepPlan begun = plan(race(), past());
  EXPECT_EQ(begun.estimate->slot_seconds, 0) << "those that are stopped run nothing";
  const SweepPlan edited = plan(race("1e-3, 1e-2"), past());
  EXPECT_NEAR(edited.estimate->slot_seconds, 2 * plain.at(0)->seconds + eval, 1e-9 * eval)
      << "of two that are left one scouts";
}

TEST_F(PlanOfARace, AnEvalThatIsRunAtTheRungAnywayCostsOnce) {
  std::ofstream(path("held.txt")) << std::string(20'000, 'x');
  std::string sweep = race();
  sweep.replace(sweep.find("eval: {learn"), 12, "eval: {at: [50%, 100%], learn");
  const auto costs = listed(plan(sweep)).costs;
  EXPECT_EQ(costs.at(0)->rung_seconds, 0);
  EXPECT_EQ(costs.at(0)->seconds, costs.at(1)->seconds);
}

}  // namespace
}  // namespace ranktide::cli
