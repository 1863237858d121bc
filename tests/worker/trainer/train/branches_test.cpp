// Trials that begin alike: what goes on from a checkpoint of their trunk ends with the bits of the same trial
// alone.

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "common/vocabulary/flat_rate.h"
#include "tests/worker/trainer/train/lessons.h"

namespace ranktide {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr Step kBudgets[] = {5, 8, 12};
constexpr Step kTrunkKilledAt = 4;

Stage stage_to(Step to, Method method, Schedule schedule, const std::string& id) {
  Stage stage = tiny::stage(to, method);
  stage.id = StageId{id};
  if (stage.settings.lora) stage.settings.lora->dropout = 0.1;
  stage.settings.train.attention_dropout = 0.1;
  stage.settings.train.schedule = schedule;
  stage.settings.train.warmup = {.steps = 2, .share = {}};
  stage.settings.train.cooldown = {.steps = {}, .share = 0.2};
  return stage;
}

Stage trial(Step to, Method method, Schedule schedule) {
  return stage_to(to, method, schedule, "trial" + std::to_string(to));
}

Step leaves_trunk_at(const Stage& stage) {
  return stage.settings.train.schedule == Schedule::wsd ? flat_until(stage.settings.train, stage.to) : stage.to;
}

tiny::Run attempt_at(const Stage& stage, const tiny::How& how) {
  Model model = Model::for_trial(tiny::base(), stage.settings);
  return tiny::run(stage, model, tiny::lessons(), how);
}

// A child that trains with a checkpoint every other step, and is killed after a step.
void train_trunk_and_die(const Stage& stage, tiny::How how, Step step) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    how.checkpoint_every = 2;
    how.after_step = [&](Step s) {
      if (s == step) std::raise(SIGKILL);
    };
    attempt_at(stage, how);
    std::_Exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

// Every loss that the trunk and then the branch made, one a step.
std::map<Step, double> curve_of(const tiny::Run& trunk, const tiny::Run& branch, Step at) {
  std::map<Step, double> out;
  for (const StepProgress& p : trunk.progress)
    if (p.step <= at) out[p.step] = p.loss;
  for (const StepProgress& p : branch.progress) out[p.step] = p.loss;
  return out;
}

class Branches : public testing::TestWithParam<std::pair<Method, Schedule>> {
 protected:
  std::vector<Stage> trials() const {
    std::vector<Stage> out;
    for (const Step budget : kBudgets) out.push_back(trial(budget, GetParam().first, GetParam().second));
    return out;
  }
  Stage trunk() const {
    return stage_to(leaves_trunk_at(trials().back()), GetParam().first, Schedule::constant, "trunk");
  }
  std::vector<BranchOrder> orders() const {
    std::vector<BranchOrder> out;
    for (const Stage& each : trials()) out.push_back({each.id, leaves_trunk_at(each)});
    return out;
  }
};

TEST_P(Branches, EndWithTheBitsOfTheSameTrialsAlone) {
  const Scratch scratch;
  const auto begun = attempt_at(trunk(), {.checkpoints = scratch.path(), .branches = orders()});
  ASSERT_EQ(begun.outcome.kind, OutcomeKind::completed);
  for (const Stage& each : trials()) {
    const Scratch apart;
    const auto alone = attempt_at(each, {.checkpoints = apart.path()});
    const Step at = leaves_trunk_at(each);
    const auto branch = attempt_at(each, {.checkpoints = scratch.path(), .resume_at_most = at});
    EXPECT_EQ(std::ssize(branch.progress), each.to - at) << "trained what the trunk had done";
    EXPECT_EQ(branch.outcome.weights_sha256, alone.outcome.weights_sha256) << each.to;
    EXPECT_EQ(branch.outcome.tokens, alone.outcome.tokens);
    EXPECT_EQ(curve_of(begun, branch, at), curve_of(alone, {}, each.to)) << each.to;
  }
}

TEST_P(Branches, EndWithTheSameBitsAfterAKillInTheTrunkAndOneInABranch) {
  const Scratch scratch;
  train_trunk_and_die(trunk(), {.checkpoints = scratch.path(), .branches = orders()}, kTrunkKilledAt);
  attempt_at(trunk(), {.checkpoints = scratch.path(), .attempt = 2, .branches = orders()});
  for (const Stage& each : trials()) {
    const Scratch apart;
    const std::string alone = attempt_at(each, {.checkpoints = apart.path()}).outcome.weights_sha256;
    if (leaves_trunk_at(each) < each.to) train_trunk_and_die(each, {.checkpoints = scratch.path()}, each.to);
    const auto again = attempt_at(each, {.checkpoints = scratch.path(), .attempt = 2});
    EXPECT_EQ(again.outcome.weights_sha256, alone) << each.to;
    EXPECT_LE(std::ssize(again.progress), each.to - leaves_trunk_at(each)) << each.to;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Methods, Branches,
    testing::Values(std::pair{Method::lora, Schedule::wsd}, std::pair{Method::full, Schedule::wsd},
                    std::pair{Method::lora, Schedule::constant}, std::pair{Method::full, Schedule::constant}),
    [](const auto& made) {
      return std::string(text_of(made.param.first)) + "_" + std::string(text_of(made.param.second));
    });

// The trunk counted for nothing where the coordinator did not take it, as when its rows were fewer.
TEST(Branch, IsTrainedFromItsBeginningWhereItMustNotGoOn) {
  const Scratch scratch;
  const Stage branch = trial(8, Method::lora, Schedule::wsd);
  attempt_at(stage_to(6, Method::lora, Schedule::constant, "trunk"),
             {.checkpoints = scratch.path(), .branches = {{branch.id, 6}}});
  const auto whole = attempt_at(branch, {.checkpoints = scratch.path(), .resume_at_most = 0});
  EXPECT_EQ(whole.progress.size(), 8U);
}

// A coordinator opens none from such a trunk; a checkpoint says so all the same.
TEST(Branch, OfATrunkThatIsNotExactIsNotExact) {
  const Scratch scratch;
  const Stage branch = trial(8, Method::lora, Schedule::wsd);
  const auto trunk = attempt_at(stage_to(6, Method::lora, Schedule::constant, "trunk"),
                                {.checkpoints = scratch.path(), .branches = {{branch.id, 6}}, .microbatch = 1});
  EXPECT_FALSE(trunk.outcome.exact);
  const auto rest = attempt_at(branch, {.checkpoints = scratch.path(), .resume_at_most = 6});
  EXPECT_EQ(rest.progress.size(), 2U);
  EXPECT_FALSE(rest.outcome.exact);
}

TEST(Branch, WithoutItsCheckpointIsTrainedFromItsBeginning) {
  const Scratch scratch;
  const Stage branch = trial(8, Method::lora, Schedule::wsd);
  const auto occupied = scratch.path() / branch.id.text;
  std::ofstream(occupied) << "a file where its checkpoints would be\n";
  const auto trunk = attempt_at(stage_to(6, Method::lora, Schedule::constant, "trunk"),
                                {.checkpoints = scratch.path(), .branches = {{branch.id, 6}}});
  EXPECT_EQ(trunk.outcome.kind, OutcomeKind::completed);
  EXPECT_THAT(trunk.notes, Contains(HasSubstr("which will be trained from its beginning")));
  std::filesystem::remove(occupied);
  EXPECT_EQ(attempt_at(branch, {.checkpoints = scratch.path(), .resume_at_most = 6}).progress.size(), 8U);
}

}  // namespace
}  // namespace ranktide
