#include "common/sweep/trunk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Every input was read: trunks are named by content.
SweepSpec with_a_data_index(SweepSpec spec, const std::string& data = "data") {
  const WantedInputs wanted = wanted_inputs(spec);
  for (const ModelSettings& model : wanted.models)
    spec.inputs.models[model_key(model)] = {
        .path = model.path, .base = BaseId{"base"}, .tokenizer_sha256 = "words"};
  for (const WantedData& each : wanted.data)
    spec.inputs.data[data_key(each.data, "words")] = {
        .sha256 = data, .documents = 9, .tokens = 900, .rows = 90};
  return spec;
}

SweepSpec budgets(const std::string& train, const std::string& more = "",
                  const std::string& axis = "[10, 20, 40]") {
  return with_a_data_index(
      sweep("version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\ntrain: {lr: 1e-4, " + train +
            "}\naxes: {budget.steps: " + axis + "}\nmethod: lora\nlora.rank: 8\n" + more));
}

std::vector<TrialBranch> branches_in(const SweepSpec& spec, size_t of = 0) {
  const Grid grid(spec);
  return branches_of(trials_beside(grid, trials_of(spec).at(of)));
}

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

TEST(Trunk, ThePlanCountsWhatItSaves) {
  const SharedWork work = shared_work(Grid(budgets("schedule: wsd, warmup: 2, cooldown: 20%", "seeds: 3\n")));
  EXPECT_EQ(work.trials, 9);
  EXPECT_EQ(work.trunks, 3);
  EXPECT_EQ(work.alone, 3 * (10 + 20 + 40));
  EXPECT_EQ(work.shared, 3 * (32 + 2 + 4 + 8));
  EXPECT_THAT(sharing_text(work), ElementsAre("9 trials begin with 3 trunks: 1.5x less work on them"));
}

TEST(Trunk, ThePlanSavesNothingByATrunkOfMoreEvalsThanOneMayHave) {
  std::string steps;
  for (int at = 1; at < 100; ++at) steps += std::to_string(at) + ", ";
  const auto spec_of = [&](const std::string& evals) {
    return budgets("schedule: constant, warmup: 0", "eval: {learn: {" + evals + "}, at: [" + steps + "end]}\n",
                   "[100, 200, 400, 800]");
  };
  const SweepSpec few = spec_of("a: {data: a.txt}");
  EXPECT_EQ(branches_in(few).size(), 4u);
  EXPECT_EQ(shared_work(Grid(few)).trunks, 1);
  const SweepSpec many = spec_of("a: {data: a.txt}, b: {data: b.txt}");
  EXPECT_THAT(branches_in(many), IsEmpty());
  EXPECT_EQ(shared_work(Grid(many)).trunks, 0);
  EXPECT_THAT(shared_work(Grid(many)).saved, IsEmpty());
}

TEST(Trunk, ThePlanSaysWhyNothingIsSharedAndWhatWould) {
  EXPECT_THAT(
      sharing_text(shared_work(Grid(budgets("schedule: cosine", "seeds: 2\n")))),
      ElementsAre(
          "none on budget.steps (cosine depends on the total); with schedule wsd, warmup in steps and 20 % "
          "cooldown: 1.5x less work on this axis"));
  EXPECT_THAT(sharing_text(shared_work(Grid(budgets("schedule: wsd, warmup: 10%")))),
              ElementsAre(HasSubstr("the warmup is a share of the budget")));
  EXPECT_THAT(sharing_text(shared_work(Grid(budgets("schedule: cosine", "", "[10]")))), IsEmpty());
}

TEST(Trunk, ThePlanOfUnreadDataKnowsTheShare) {
  const SweepSpec spec = sweep(
      "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\nlora.rank: 8\n"
      "train: {lr: 1e-4, schedule: wsd, warmup: 100, cooldown: 20%}\naxes: {budget.epochs: [1, 2, 4, 8]}\n");
  EXPECT_THAT(sharing_text(shared_work(Grid(spec))),
              ElementsAre("4 trials begin with 1 trunk: 1.6x less work on them"));
}

TEST(Trunk, ThePlanOfUnreadDataAddsUpNoStepsTokensAndEpochs) {
  const SweepSpec spec = sweep(
      "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\nlora.rank: 8\n"
      "train: {lr: 1e-4, schedule: constant, warmup: 0}\n"
      "rows: {size: {a: {budget.epochs: 1}, b: {budget.tokens: 100000}}}\n");
  EXPECT_THAT(sharing_text(shared_work(Grid(spec))), ElementsAre("2 trials begin with 1 trunk"));
}

TEST(Trunk, RowsSetByHandAndDrawnCellsShareNothing) {
  EXPECT_THAT(
      sharing_text(shared_work(Grid(budgets("schedule: constant, warmup: 0", "run: {microbatch: 2}\n")))),
      IsEmpty());
}

}  // namespace
}  // namespace ranktide
