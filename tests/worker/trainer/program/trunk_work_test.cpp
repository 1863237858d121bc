// A trunk and its branches as works of the real program: what it finds for a trial is what that finds alone,
// also where it is killed on the way.

#include <gtest/gtest.h>

#include "common/vocabulary/sha256.h"
#include "tests/worker/trainer/program/tiny_works.h"

namespace ranktide {
namespace {

constexpr Step kLeavesAt = 8;
constexpr Step kWholeSteps = 10;

class TrunkWork : public TinyWorks {
 protected:
  Work trial(Method method) const {
    Work work = training("trial", method, kWholeSteps);
    work.stage->settings.train.schedule = Schedule::wsd;
    work.stage->settings.train.warmup = {.steps = 2, .share = {}};
    work.stage->settings.train.cooldown = {.steps = kWholeSteps - kLeavesAt, .share = {}};
    work.evals = {loss_eval("early", 4), loss_eval("where it leaves", kLeavesAt),
                  loss_eval("end", kWholeSteps)};
    return work;
  }

  Work trunk_of(const Work& trial) const {
    Work work = trial;
    work.stage->id = StageId{sha256_hex("trunk")};
    work.stage->trial = TrialId{sha256_hex("trial trunk")};
    work.stage->to = kLeavesAt;
    work.stage->settings.train.schedule = Schedule::constant;
    work.keep = Keep::none;
    work.checkpoint_every_ms = 0;
    work.branches = {{trial.stage->id, kLeavesAt}};
    work.evals.pop_back();
    work.evals.push_back(loss_eval("another trial's early", 4));
    return work;
  }

  static Work rest_of(Work trial) {
    trial.resume_at_most = kLeavesAt;
    trial.evals.erase(trial.evals.begin(), trial.evals.end() - 1);
    return trial;
  }

  Told run_until_killed(const Work& work, Step step) {
    const Told told = run(work, 1, [&](const TrainerReport& report) {
      const auto* found = std::get_if<WorkFound>(&report);
      if (found && found->findings.checkpoint.value_or(0) >= step) trainer().kill();
    });
    restart_trainer();
    return told;
  }

  void remove_work_dir() {
    restart_trainer();
    std::filesystem::remove_all(work_dir());
  }
};

TEST_F(TrunkWork, FindsForItsBranchWhatThatFindsAlone) {
  for (const Method method : {Method::lora, Method::full}) {
    const Work whole = trial(method);
    const Told alone = run(whole);
    ASSERT_TRUE(alone.outcome);
    remove_work_dir();
    const Told trunk = run(trunk_of(whole));
    ASSERT_TRUE(trunk.outcome);
    EXPECT_TRUE(trunk.outcome->exact);
    const Told rest = run(rest_of(whole));
    ASSERT_TRUE(rest.outcome);
    EXPECT_EQ(rest.outcome->weights_sha256, alone.outcome->weights_sha256) << text_of(method);
    std::map<Step, double> curve = trunk.points.at("loss");
    curve.insert(rest.points.at("loss").begin(), rest.points.at("loss").end());
    EXPECT_EQ(curve, alone.points.at("loss"));
    EXPECT_EQ(rest.points.at("loss").size(), size_t{kWholeSteps - kLeavesAt});
    for (const auto& [id, result] : alone.evals) {
      const Told& by = trunk.evals.contains(id) ? trunk : rest;
      EXPECT_EQ(by.evals.at(id).value, result.value) << id;
    }
    EXPECT_EQ(trunk.evals.at("another trial's early").value, trunk.evals.at("early").value);
    EXPECT_EQ(trunk.evals.size(), 3U) << "one of them is of another trial, of the same weights and items";
    EXPECT_FALSE(std::filesystem::exists(artifact("trunk")));
    remove_work_dir();
  }
}

TEST_F(TrunkWork, KilledOnTheWayEndsInTheSameBits) {
  for (const Method method : {Method::lora, Method::full}) {
    const Work whole = trial(method);
    const Told alone = run(whole);
    remove_work_dir();
    run_until_killed(trunk_of(whole), 5);
    EXPECT_TRUE(run(trunk_of(whole), 2).outcome);
    Work rest = rest_of(whole);
    rest.checkpoint_every_ms = 0;
    run_until_killed(rest, kLeavesAt + 1);
    const Told again = run(rest, 2);
    ASSERT_TRUE(again.outcome && alone.outcome);
    EXPECT_EQ(again.outcome->weights_sha256, alone.outcome->weights_sha256) << text_of(method);
    EXPECT_LE(again.points.at("loss").size(), size_t{kWholeSteps - kLeavesAt});
    remove_work_dir();
  }
}

}  // namespace
}  // namespace ranktide
