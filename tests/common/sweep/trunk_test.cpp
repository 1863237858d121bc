#include "common/sweep/trunk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/sweep/budget_sweeps.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<Step> leave_at(const std::vector<TrialBranch>& branches) {
  std::vector<Step> out;
  for (const TrialBranch& branch : branches) out.push_back(branch.place.at);
  return out;
}

TEST(Trunk, BudgetsOfAWsdScheduleLeaveItBeforeTheirCooldowns) {
  const auto branches = branches_in(budgets("schedule: wsd, warmup: 2, cooldown: 20%"));
  EXPECT_THAT(leave_at(branches), ElementsAre(8, 16, 32));
  for (const TrialBranch& branch : branches) {
    EXPECT_EQ(branch.place.to, 32);
    EXPECT_EQ(branch.place.trunk, branches[0].place.trunk);
  }
}

TEST(Trunk, BudgetsOfAConstantRateLeaveItAtTheirEnds) {
  EXPECT_THAT(leave_at(branches_in(budgets("schedule: constant, warmup: 2"))), ElementsAre(10, 20, 40));
}

TEST(Trunk, IsTheSameWhicheverOfItsTrialsAsks) {
  const SweepSpec spec = budgets("schedule: wsd, warmup: 2");
  for (const size_t of : {1, 2}) {
    const auto branches = branches_in(spec, of);
    EXPECT_THAT(leave_at(branches), ElementsAre(8, 16, 32)) << of;
    EXPECT_EQ(branches[0].place.trunk, branches_in(spec)[0].place.trunk) << of;
  }
}

// What a schedule makes of a step must not depend on how many there are.
TEST(Trunk, NothingIsSharedWhereTheRateDependsOnTheTotal) {
  for (const char* train :
       {"schedule: cosine, warmup: 0", "schedule: linear, warmup: 0", "schedule: constant, warmup: 10%",
        "schedule: wsd, warmup: 10%", "schedule: wsd, warmup: 0, cooldown: 38"})
    EXPECT_THAT(branches_in(budgets(train)), testing::SizeIs(0)) << train;
}

TEST(Trunk, ATrialThatOnlyWarmsUpTrainsAlone) {
  const SweepSpec spec = budgets("schedule: constant, warmup: 15");
  EXPECT_THAT(leave_at(branches_in(spec, 1)), ElementsAre(20, 40));
  EXPECT_THAT(branches_in(spec, 0), IsEmpty());
}

TEST(Trunk, IsTheBeginningOfNoTrialThatDiffersInMoreThanItsBudget) {
  const std::string seeds_and_ranks = "seeds: 2\nblocks: {a: {lora.rank: [4, 8]}}\n";
  const SweepSpec spec = budgets("schedule: constant, warmup: 0", seeds_and_ranks);
  std::set<std::string> trunks;
  for (size_t of = 0; of < 12; ++of) {
    const auto branches = branches_in(spec, of);
    ASSERT_EQ(branches.size(), 3U);
    for (const TrialBranch& branch : branches) {
      EXPECT_EQ(branch.trial.settings.seed, branches[0].trial.settings.seed);
      EXPECT_EQ(branch.trial.settings.lora->rank, branches[0].trial.settings.lora->rank);
    }
    trunks.insert(branches[0].place.trunk.text);
  }
  EXPECT_EQ(trunks.size(), 4U);
}

TEST(Trunk, ARowThatSetsMoreThanABudgetSharesWithItsLikeOnly) {
  const SweepSpec spec = with_a_data_index(
      sweep("version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\nlora.rank: 8\n"
            "train: {schedule: constant, warmup: 0}\nrows: {size: {a: {budget.steps: 4, train.lr: 1e-3}, b: "
            "{budget.steps: 8, "
            "train.lr: 1e-3}, c: {budget.steps: 16, train.lr: 1e-4}}}\n"));
  EXPECT_THAT(leave_at(branches_in(spec, 0)), ElementsAre(4, 8));
  EXPECT_THAT(branches_in(spec, 2), IsEmpty());
}

TEST(Trunk, IsNamedByContentAndNotByPlace) {
  const std::string train = "schedule: constant, warmup: 0";
  const auto id = [&](const SweepSpec& spec) { return branches_in(spec)[0].place.trunk; };
  const std::string elsewhere =
      "version: 1\nname: s\nmodel: {path: n}\ndata: {train: e.txt}\ntrain: {lr: 1e-4, schedule: wsd, cooldown: "
      "0, warmup: 0}\n"
      "axes: {budget.steps: [10, 40]}\nmethod: lora\nlora.rank: 8\n";
  EXPECT_EQ(id(with_a_data_index(sweep(elsewhere))), id(budgets(train)))
      << "up to there it is the same training";
  EXPECT_NE(id(with_a_data_index(sweep(elsewhere), "other")), id(budgets(train)));
  EXPECT_NE(id(budgets(train)), id(budgets(train, "", "[10, 20]"))) << "it ends elsewhere";
}

Stage stage_of(const SweepTrial& trial) {
  return {.id = trial.stage,
          .trial = trial.id,
          .base = trial.base,
          .tokenizer_sha256 = trial.tokenizer_sha256,
          .data_sha256 = trial.data_sha256,
          .from = 0,
          .to = trial.steps,
          .settings = trial.settings};
}

TEST(Trunk, ItsStageIsTheBeginningOfEachTrialAtAFlatRate) {
  const auto branches = branches_in(budgets("schedule: wsd, warmup: 2"));
  const Stage stage = trunk_stage(stage_of(branches[0].trial), branches[0].place.trunk, branches[0].place.to);
  EXPECT_EQ(stage.id, branches[0].place.trunk);
  EXPECT_EQ(stage.to, 32);
  EXPECT_EQ(stage.settings.train.schedule, Schedule::constant);
  EXPECT_EQ(stage.settings.train.warmup.steps, 2);
  EXPECT_NE(stage.id, branches[2].trial.stage);
}

// Results that were there before trunks were, and those of a trial that trains alone, are found again.
TEST(Trunk, NoTrialOrStageIsNamedOtherwiseForIt) {
  const SweepSpec many = budgets("schedule: wsd, warmup: 2");
  const SweepSpec one = budgets("schedule: wsd, warmup: 2", "", "{value: 20}");
  EXPECT_EQ(trials_of(many).at(1).id, trials_of(one).at(0).id);
  EXPECT_EQ(trials_of(many).at(1).stage, trials_of(one).at(0).stage);
}

TEST(Trunk, RunsTheEvalsBeforeItsBranchesButNoTrialsLast) {
  EXPECT_FALSE(is_on_trunk(0, 8, 10)) << "of the untouched base";
  EXPECT_TRUE(is_on_trunk(8, 8, 10));
  EXPECT_FALSE(is_on_trunk(9, 8, 10));
  EXPECT_FALSE(is_on_trunk(10, 10, 10));
}

TEST(Trunk, HasAsManyBranchesAsItsLimitAndNoMore) {
  const auto trials = [](size_t n) {
    SweepSpec spec =
        budgets("schedule: constant, warmup: 0", "", "{min: 1, max: " + std::to_string(n) + ", step: 1}");
    return branches_in(spec).size();
  };
  EXPECT_EQ(trials(kBranchesMax), kBranchesMax);
  EXPECT_EQ(trials(kBranchesMax + 1), 0U);
}

}  // namespace
}  // namespace ranktide
