// kill -9 at any moment costs steps, never a bit of the result.

#include <csignal>
#include <cstdlib>
#include <gtest/gtest.h>

#include "common/vocabulary/random.h"
#include "common/vocabulary/sha256.h"
#include "tests/worker/trainer/program/tiny_works.h"

namespace ranktide {
namespace {

constexpr Step kSteps = 80;
constexpr int kKills = 5;

class Resume : public TinyWorks {
 protected:
  // A checkpoint after every step, and evals on the way, at the end.
  Work long_work(const std::string& name, Method method) const {
    Work work = training(name, method, kSteps);
    work.checkpoint_every_ms = 0;
    work.evals = {loss_eval(name + " middle", kSteps / 2), loss_eval(name + " end", kSteps)};
    return work;
  }

  // Kills the trainer once it has told of a checkpoint at or after `step`.
  Told run_until_killed(const Work& work, Attempt attempt, Step step) {
    const Told told = run(work, attempt, [&](const TrainerReport& report) {
      const auto* found = std::get_if<WorkFound>(&report);
      if (found && found->findings.checkpoint.value_or(0) >= step) trainer().kill();
    });
    restart_trainer();
    return told;
  }

  // Several forward passes long.
  EvalOrder long_eval(const std::string& id, Step at) const {
    std::string text;
    while (text.size() < 12'000) text += read_file(folder_ / "held.txt");
    write_file(folder_ / "long.txt", text);
    EvalOrder eval = loss_eval(id, at);
    eval.spec.data = (folder_ / "long.txt").string();
    eval.spec.data_sha256 = sha256_of_file(folder_ / "long.txt");
    return eval;
  }

  void restart_to_die_after_two_forward_passes() {
    restart_trainer();
    ::setenv("RANKTIDE_FAILPOINT", "eval_forward_done:2", 1);
    trainer();
    ::unsetenv("RANKTIDE_FAILPOINT");
  }

  // Ends the trainer after the second forward pass of an eval.
  Told run_until_killed_in_an_eval(const Work& work) {
    restart_to_die_after_two_forward_passes();
    const Told told = run(work, 1);
    EXPECT_EQ(trainer().wait(), 128 + SIGKILL);
    restart_trainer();
    return told;
  }

  // Whether the trainer lives to tell the eval's result, where the second forward pass would end it.
  bool ends_within_one_pass(const Work& work) {
    restart_to_die_after_two_forward_passes();
    return run(work).outcome.has_value();
  }

  // A checkpoint that was told of is not trained again; one more may have been saved before the kill came.
  static void expect_begun_after(Step saved, const Told& told) {
    ASSERT_TRUE(told.points.contains("loss"));
    EXPECT_GT(told.points.at("loss").begin()->first, saved);
  }

  void expect_the_same_after_kills(Method method) {
    const Told whole = run(long_work("whole", method));
    ASSERT_EQ(whole.outcome->kind, OutcomeKind::completed) << whole.outcome->message;
    restart_trainer();
    const Work work = long_work("killed", method);
    SplitMix64 chance{2024};
    Step saved = 0;
    for (int kill = 0; kill < kKills; ++kill) {
      const Step step = 1 + kill * 7 + static_cast<Step>(chance.below(7));
      const Told told = run_until_killed(work, kill + 1, step);
      expect_begun_after(saved, told);
      ASSERT_FALSE(told.checkpoints.empty());
      saved = told.checkpoints.back();
      EXPECT_GE(saved, step);
    }
    const Told last = run(work, kKills + 1);
    expect_begun_after(saved, last);
    ASSERT_EQ(last.outcome->kind, OutcomeKind::completed) << last.outcome->message;
    EXPECT_EQ(last.outcome->weights_sha256, whole.outcome->weights_sha256);
    EXPECT_EQ(last.outcome->message, "");  // no eval was lost
    for (const char* when : {" middle", " end"})
      EXPECT_EQ(last.evals.at("killed" + std::string(when)).value,
                whole.evals.at("whole" + std::string(when)).value);
  }
};

TEST_F(Resume, ALoraTrialKilledFiveTimesEndsWithTheSameWeights) {
  expect_the_same_after_kills(Method::lora);
}

TEST_F(Resume, AFullTrialKilledFiveTimesEndsWithTheSameWeights) {
  expect_the_same_after_kills(Method::full);
}

// On the way and at the end; the checkpoint of the step itself is not saved before its evals.
TEST_F(Resume, AKillWithinAnEvalCostsItsStepAndNoBit) {
  for (const Method method : {Method::lora, Method::full})
    for (const Step at : {2, 4}) {
      const std::string name = std::string(text_of(method)) + " at " + std::to_string(at);
      Work whole = training(name + " whole", method, 4), cut = training(name + " cut", method, 4);
      cut.checkpoint_every_ms = 0;
      whole.evals = {long_eval(name + " whole", at)};
      cut.evals = {long_eval(name + " cut", at)};
      const Told expected = run(whole);
      ASSERT_EQ(expected.outcome->kind, OutcomeKind::completed) << expected.outcome->message;
      const Told killed = run_until_killed_in_an_eval(cut);
      EXPECT_FALSE(killed.outcome.has_value());
      EXPECT_EQ(killed.phases.back(), "evaluating long");
      EXPECT_TRUE(killed.evals.empty());
      const Told again = run(cut, 2);
      EXPECT_EQ(again.points.at("loss").begin()->first, at);
      EXPECT_EQ(again.outcome->message, "");
      EXPECT_EQ(again.outcome->weights_sha256, expected.outcome->weights_sha256) << name;
      EXPECT_EQ(again.evals.at(name + " cut").value, expected.evals.at(name + " whole").value) << name;
    }
}

TEST_F(Resume, SaysAgainTheEvalsOfStepsThatAreGone) {
  const Work work = long_work("again", Method::lora);
  const Told killed = run_until_killed(work, 1, kSteps / 2 + 5);
  ASSERT_TRUE(killed.evals.contains("again middle"));
  const Told resumed = run(work, 2);
  EXPECT_EQ(resumed.evals.at("again middle").value, killed.evals.at("again middle").value);
  EXPECT_GT(resumed.points.at("loss").begin()->first, kSteps / 2);
}

// As when run.microbatch is taken out of a file after its worker was lost.
TEST_F(Resume, OfRowsThatWereCutByHandIsNotExactOrBeginsAnew) {
  for (const bool must_be_exact : {false, true}) {
    Work work = training(must_be_exact ? "exact" : "any", Method::lora, 20);
    work.checkpoint_every_ms = 0;
    work.microbatch = 1;
    run_until_killed(work, 1, 4);
    work.microbatch = 0;
    work.require_exact = must_be_exact;
    const Told told = run(work, 2);
    ASSERT_TRUE(told.outcome && told.points.contains("loss"));
    EXPECT_EQ(told.points.at("loss").begin()->first == 1, must_be_exact);
    EXPECT_EQ(told.outcome->exact, must_be_exact);
  }
}

TEST_F(Resume, AnEvalWithFewerRowsMakesMorePasses) {
  Work work = evaluation({loss_eval("e", 0)});
  EXPECT_TRUE(ends_within_one_pass(work));
  work.microbatch = 1;
  EXPECT_FALSE(ends_within_one_pass(work));
  restart_trainer();
}

}  // namespace
}  // namespace ranktide
