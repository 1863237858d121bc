#include "common/sweep/last_eval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Of 4 steps.
const std::string kEvaluated = kLora + "eval.learn: {x: {data: x.txt}}\n";

std::vector<std::string> warnings_in(const std::string& text) {
  const Grid grid(sweep(text));
  return warnings_of(grid, grid.counts());
}

TEST(LastEval, WithoutOneAPlanWarns) {
  EXPECT_THAT(warnings_in(kEvaluated + "eval.at: [0, 50%]\n"),
              ElementsAre("block all has no eval at a trial's last step, so that its trials are in no mean; "
                          "write   eval.at: [0, 50%, end] (warning)"));
  EXPECT_THAT(warnings_in(kEvaluated + "eval.at: [3]\n"), testing::SizeIs(1));
  EXPECT_THAT(warnings_in(kLora + "eval.at: [0]\n"), IsEmpty()) << "nor has it any other eval";
}

TEST(LastEval, IsOneThatStandsThereInWhateverWords) {
  for (const char* at : {"[end]", "[50%, 100%]", "[90%]", "[4]", "[8]", "[1 epochs]"})
    EXPECT_THAT(warnings_in(kEvaluated + "eval.at: " + at + "\n"), IsEmpty()) << at;
  EXPECT_THAT(warnings_in(kEvaluated), IsEmpty()) << "by default";
}

TEST(LastEval, OfEveryBudgetIsWanted) {
  std::string text = kEvaluated;
  text.erase(text.find("budget: {steps: 4}\n"), 19);
  EXPECT_THAT(warnings_in(text + "eval.at: [4]\naxes: {budget.steps: [2, 4]}\n"), IsEmpty());
  EXPECT_THAT(warnings_in(text + "eval.at: [4]\naxes: {budget.steps: [2, 4, 8]}\n"), testing::SizeIs(1));
  EXPECT_THAT(warnings_in(text + "eval.at: [2 epochs]\naxes: {budget.epochs: [1, 2]}\n"), IsEmpty());
  EXPECT_THAT(warnings_in(text + "eval.at: [2 epochs]\naxes: {budget.epochs: [4, 1]}\n"), testing::SizeIs(1));
  const std::string rows =
      "rows: {how: {a: {train.clip: 1, eval.at: [end]}, b: {train.clip: 2, eval.at: [4]}}}\n";
  EXPECT_THAT(warnings_in(text + rows + "axes: {budget.steps: [2, 4]}\n"), IsEmpty());
  EXPECT_THAT(warnings_in(text + rows + "axes: {budget.steps: [4, 8]}\n"), testing::SizeIs(1)) << "8 at b";
}

TEST(LastEval, WhereNobodyKnowsTheStepsMayStandThere) {
  std::string text = kEvaluated;
  text.replace(text.find("budget: {steps: 4}"), 18, "budget: {epochs: 1}");
  EXPECT_THAT(warnings_in(text + "eval.at: [400]\n"), IsEmpty());
  EXPECT_THAT(warnings_in(text + "eval.at: [99%]\n"), testing::SizeIs(1));
}

TEST(LastEval, IsWantedOfWhatIsTuned) {
  const std::string tuned = kEvaluated + "axes: {train.clip: [1, 2]}\neval.at: [0, 50%]\n";
  EXPECT_EQ(error_in(tuned), "no error");
  EXPECT_EQ(error_in(tuned + "tune: [train.clip]\n"),
            "bad.yaml:12:7: tune: values are judged by evals at a trial's last step, and block all has none "
            "there; write   eval.at: [0, 50%, end]");
  EXPECT_EQ(error_in(tuned + "tune: [train.clip]\n", {"eval.at=[end]"}), "no error");
}

TEST(LastEval, IsNotRefusedWhereRulesMayLeaveOutTheCellsWithoutIt) {
  std::string text = kEvaluated;
  text.erase(text.find("budget: {steps: 4}\n"), 19);
  const std::string tuned = text + "axes: {budget.steps: [4, 8]}\ntune: [budget.steps]\neval.at: [4]\n";
  EXPECT_THAT(error_in(tuned), HasSubstr("block all has none there"));
  EXPECT_EQ(error_in(tuned + "exclude: [steps == 8]\n"), "no error");
}

// Its journal would not be read any more.
TEST(LastEval, IsNotAskedOfWhatAJournalHas) {
  SweepSpec spec = sweep(kEvaluated + "axes: {train.clip: [1, 2]}\neval.at: [50%]\n");
  spec.tune = {.axes = {"train.clip"}, .by = ""};
  EXPECT_NO_THROW(validate(spec));
  EXPECT_THAT(last_eval_refusal(spec).value_or(""), HasSubstr("block all has none there"));
}

}  // namespace
}  // namespace ranktide
