// What --budget and plan files take of a sweep, without processes.

#include "cli/sweep_selection.h"

#include <gmock/gmock.h>
#include <sstream>

#include "cli/command.h"
#include "cli/hour_budget.h"
#include "cli/makespan.h"
#include "cli/plan_difference.h"
#include "cli/plan_file.h"
#include "cli/sweep_choice.h"
#include "common/vocabulary/numerics.h"
#include "tests/cli/plan_world.h"

namespace ranktide::cli {
namespace {

using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kRoom = int64_t{1} << 30;

std::string said_by(const std::function<void()>& act) {
  try {
    act();
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "nothing";
}

class Selection : public PlanWorld {
 protected:
  static HourBudget hours_of(double seconds) { return {.hours = seconds / 3600, .on = {}, .text = "some h"}; }
  static BudgetChoice choice(const SweepPlan& plan, double seconds) {
    return within(plan, hours_of(seconds), ComputedOn::cpu);
  }

  std::string file() const { return path("plan.jsonl").string(); }
  std::vector<std::string> lines() const {
    std::ifstream in(file());
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }
  void write(const std::vector<std::string>& lines) const {
    std::ofstream out(file());
    for (const std::string& line : lines) out << line << "\n";
  }
};

TEST_F(Selection, ResultsOfAnotherVersionAreComputedAgainAsNewTrials) {
  std::ofstream(path("s.yaml")) << text();
  SweepChoice choice{.file = path("s.yaml").string(), .overrides = {}, .only = {}, .budget = {}};
  const SweepSpec as_written = chosen_sweep(choice);
  choice.recompute_numerics = true;
  const SweepSpec spec = chosen_sweep(choice);
  ASSERT_EQ(spec.blocks.size(), 2U);
  for (const Block& block : spec.blocks) EXPECT_EQ(block.constants.at("engine.numerics"), kNumericsVersion);
  for (const Block& block : as_written.blocks) EXPECT_FALSE(block.constants.contains("engine.numerics"));
  EXPECT_THAT(command_line_of(choice), HasSubstr(" --recompute-numerics"));
}

TEST(HourBudgetText, IsHoursOfSlotsOfGpusOrOfCpuSlots) {
  EXPECT_EQ(read_hour_budget("20gpuh").on, ComputedOn::gpu);
  EXPECT_EQ(read_hour_budget("1.5cpuh").hours, 1.5);
  EXPECT_FALSE(read_hour_budget("3h").on);
  for (const char* wrong : {"20", "h", "-3h", "0h", "3d", "3 h", "nanh"})
    EXPECT_THAT(said_by([&] { read_hour_budget(wrong); }), HasSubstr("write hours of slots: 20h")) << wrong;
}

TEST_F(Selection, ABudgetTakesWholeCellsInFileOrderAndListsTheOthers) {
  SweepPlan plan = this->plan(text());
  const double full = 2 * listed(plan).costs.at(0)->seconds, lora = 2 * listed(plan).costs.at(2)->seconds;
  const BudgetChoice some = choice(plan, full + lora * 1.01);
  EXPECT_THAT(some.taken, ElementsAre(0, 1, 2, 3));
  ASSERT_EQ(some.dropped.size(), 1u);
  EXPECT_THAT(some.dropped[0], ContainsRegex("^lora  .* r=16 all .* h$"));
  EXPECT_THAT(text_of(some, hours_of(1)),
              ContainsRegex("takes 4 trials, about .* h; 1 cell is left out:\n  lora"));
  EXPECT_THAT(choice(plan, full * 0.99).taken, ElementsAre(2, 3)) << "a cell that does not fit is passed over";
  EXPECT_EQ(choice(plan, 1e9).taken.size(), 6u);
  take_only(plan, some.taken);
  EXPECT_EQ(listed(plan).trials.size(), 4u);
  EXPECT_EQ(plan.trials(), 4);
  EXPECT_THAT(plan_text(plan, slots({kRoom})),
              HasSubstr("x 2 seeds, taken 4 trials: 0 done, 0 resumable, 4 new"));
}

TEST_F(Selection, ABudgetIsNotSpentOnWhatIsDone) {
  const Listed fresh = listed(plan(text()));
  const Past past{.trials = {standing(fresh.trials.at(0), "completed", "weights"),
                             standing(fresh.trials.at(1), "completed", "weights")}};
  const BudgetChoice taken = choice(plan(text(), past), 2 * fresh.costs.at(2)->seconds * 1.01);
  EXPECT_THAT(taken.taken, ElementsAre(0, 1, 2, 3));
}

TEST_F(Selection, WhatIsSaidOfAPlanIsOfThePartThatIsTaken) {
  std::string sweep = text();
  sweep.replace(sweep.find("budget: {steps: 8}\n"), 19, "");
  sweep.replace(sweep.find("batch: 4"), 8, "batch: 4, schedule: constant, warmup: 0");
  sweep += "axes: {budget.steps: [4, 8]}\nrun: {keep: weights}\n";
  Past past;
  for (const SweepTrial& trial : listed(plan(sweep)).trials)
    past.trials.push_back(standing(trial, "completed", "none"));
  SweepPlan plan = this->plan(sweep, past);
  ASSERT_EQ(plan.trials(), 12);
  EXPECT_EQ(plan.not_kept(), 12);
  EXPECT_THAT(plan.sharing, ElementsAre(HasSubstr("12 trials begin with 6 trunks")));
  SweepPlan shared = this->plan(sweep), alone = this->plan(text());
  const SweepChoice ample{.file = "s.yaml", .budget = "1000h"};
  const std::string by_itself = "each trial counts as if it trained alone: what trunks save of them";
  EXPECT_THAT(take_budget(shared, ample, ComputedOn::cpu)->text, HasSubstr(by_itself));
  EXPECT_THAT(take_budget(alone, ample, ComputedOn::cpu)->text, Not(HasSubstr(by_itself)));
  take_only(plan, {0, 1, 2, 3});
  EXPECT_EQ(plan.not_kept(), 4);
  EXPECT_THAT(plan.sharing, ElementsAre(HasSubstr("4 trials begin with 2 trunks")));
}

TEST_F(Selection, ABudgetIsRefusedWhereNoTimeIsPredicted) {
  const SweepPlan guess = plan_of(read(text()), {});
  EXPECT_THAT(said_by([&] { choice(guess, 1); }), HasSubstr("`ranktide doctor --measure` takes 10 s"));
  SweepPlan elsewhere = plan_of(read(text()), {});
  predict(elsewhere, {}, std::nullopt, 8, cores_of("Make Of Tides", 8));
  EXPECT_THAT(said_by([&] { choice(elsewhere, 1); }), HasSubstr("trials that finish on them make it sharper"));
  SweepPlan unread = plan(text());
  unread.estimate.reset();
  EXPECT_THAT(said_by([&] { choice(unread, 1); }), HasSubstr("while an input cannot be read"));
  const SweepPlan measured = plan(text());
  EXPECT_THAT(said_by([&] { choice(measured, 1e-9); }),
              HasSubstr("not one cell fits; the first would take full"));
  EXPECT_THAT(said_by([&] { within(measured, read_hour_budget("9gpuh"), ComputedOn::cpu); }),
              HasSubstr("would run on CPU cores; write cpuh or h"));
}

TEST_F(Selection, TheLongestTrialsComeFirstToTheSlotThatIsFreeFirst) {
  const SweepPlan plan = this->plan(text());
  double all = 0, longest = 0;
  const Listed each = listed(plan);
  for (const auto& cost : each.costs) all += cost->seconds, longest = std::max(longest, cost->seconds);
  EXPECT_NEAR(makespan_of(plan, slots({kRoom})).seconds, all, 1e-9 * all);
  EXPECT_NEAR(makespan_of(plan, slots(std::vector<int64_t>(6, kRoom))).seconds, longest, 1e-9 * longest);
  const double two = makespan_of(plan, slots({kRoom, kRoom})).seconds;
  EXPECT_GE(two, all / 2);
  EXPECT_LE(two, all / 2 + longest / 2);
  EXPECT_NEAR(makespan_of(plan, slots({kRoom, kRoom / 8})).seconds, all, 1e-9 * all) << "one is too small";
}

TEST_F(Selection, APlanFileGivesBackTheSpecAndItsIds) {
  SweepPlan plan = this->plan(text());
  take_only(plan, {0, 1, 4, 5});
  write_plan_file(plan, file());
  const PlanFile read = read_plan_file(file());
  EXPECT_EQ(ranktide::to_json(read.spec), ranktide::to_json(plan.spec));
  ASSERT_EQ(read.ids.size(), 4u);
  EXPECT_EQ(read.ids[2], listed(plan).trials[2].id.text);
  EXPECT_EQ(said_by([&] { require_as_planned(file(), plan.spec); }), "nothing");
  const Json line = parse_json(lines().at(1));
  EXPECT_EQ(line.at("state"), "new");
  EXPECT_GT(line.at("seconds").get<double>(), 0);
}

TEST_F(Selection, APlanIsWrittenOverAPlanOnly) {
  const SweepPlan plan = this->plan(text());
  for (const std::string& foreign : {std::string("{\"prompt\": \"a\"}"), std::string("text"), std::string()}) {
    write({foreign});
    EXPECT_THAT(said_by([&] { write_plan_file(plan, file()); }), HasSubstr("is there already and is no plan"));
    EXPECT_THAT(lines(), ElementsAre(foreign));
  }
  std::filesystem::remove(file());
  for (int times = 0; times < 2; ++times) write_plan_file(plan, file());
  EXPECT_EQ(lines().size(), 7u);
  EXPECT_FALSE(std::filesystem::exists(file() + ".draft"));
}

TEST_F(Selection, ExtendAndABudgetTogetherAreRefusedWithWhatToDo) {
  const SweepChoice both{.file = "s.yaml", .extend = true, .budget = "2h"};
  EXPECT_THAT(said_by([&] { selected_sweep(read(text()).spec, both, {}, {}); }),
              HasSubstr("`ranktide plan FILE --budget 2h -o part.jsonl`, then give part.jsonl with --extend"));
}

TEST_F(Selection, APlanFileThatWasCutOrEditedOrIsNoneIsRefused) {
  const SweepPlan plan = this->plan(text());
  write_plan_file(plan, file());
  const std::vector<std::string> whole = lines();
  const auto refusal = [&](std::vector<std::string> edited) {
    write(edited);
    return said_by([&] { require_as_planned(file(), plan.spec); });
  };
  std::vector<std::string> edited = whole;
  edited.pop_back();
  EXPECT_THAT(refusal(edited), HasSubstr("has 5 of 6 trials: it was cut or edited"));
  edited = whole;
  edited[3] = edited[3].substr(0, 20);
  EXPECT_THAT(refusal(edited), HasSubstr("line 4 is no trial"));
  edited = whole;
  std::swap(edited[1], edited[2]);
  EXPECT_THAT(refusal(edited), HasSubstr("line 2: trial"));
  edited = whole;
  edited[0].replace(edited[0].find("\"seeds\":[0,1]"), 13, "\"seeds\":[0,2]");
  EXPECT_THAT(refusal(edited), HasSubstr("its first line was edited"));
  edited = whole;
  edited[0].replace(edited[0].find("\"ranktide_plan\":1"), 17, "\"ranktide_plan\":2");
  EXPECT_THAT(refusal(edited), HasSubstr("a plan of version 2"));
  for (const std::string& foreign :
       {std::string("{\"prompt\": \"a\"}"), std::string("text"), whole[0].substr(0, 99)})
    EXPECT_THAT(refusal({foreign}), HasSubstr("is no plan of ranktide"));
}

TEST_F(Selection, APlanFileNamesTheFileThatChangedSinceAndWhoReadsIt) {
  const std::string rows = text("seeds: 2\nrows: {regime: {a: {data.train: a.txt}, b: {data.train: b.txt}}}\n");
  std::string sweep = rows;
  sweep.replace(sweep.find("data: {train: d.txt}\n"), 21, "");
  write_plan_file(plan(sweep), file());
  EXPECT_THAT(said_by([&] { require_as_planned(file(), read(sweep, {}, "b.txt").spec); }),
              HasSubstr("b.txt has other content than when it was planned: 6 trials read it\n"));
  EXPECT_THAT(said_by([&] { require_as_planned(file(), read(sweep, {}, "held.txt").spec); }),
              HasSubstr("held.txt has other content than when it was planned: evals of 12 trials read it\n"));
}

TEST_F(Selection, AChangedFileChangesTheIdsOfThoseThatReadItAndARenamedOneNone) {
  std::string sweep = text("seeds: 2\nrows: {regime: {a: {data.train: a.txt}, b: {data.train: b.txt}}}\n");
  sweep.replace(sweep.find("data: {train: d.txt}\n"), 21, "");
  const SweepSpec before = read(sweep).spec;
  EXPECT_THAT(
      text_of(difference_to(before, read(sweep, {}, "b.txt").spec)),
      ContainsRegex("b.txt has other content .6 trials read it.: 6 trials kept, 6 new, 6 no longer listed"));
  SweepSpec renamed = read(sweep).spec;
  for (Block& block : renamed.blocks)
    for (Axis& axis : block.axes)
      for (AxisPoint& point : axis.points)
        if (point.label == "b") point.set["data.train"][0]["path"] = path("other.txt").string();
  const WantedInputs wanted = wanted_inputs(renamed);
  for (const WantedData& data : wanted.data)
    renamed.inputs.data[data_key(data.data, "t")] = {
        .sha256 = sha256_hex(data.data.train[0].path.ends_with("other.txt") ? path("b.txt").string()
                                                                            : data.data.train[0].path),
        .documents = 100,
        .tokens = 4800,
        .rows = 100};
  const PlanDifference difference = difference_to(before, renamed);
  EXPECT_EQ(difference.trials->kept, 12);
  EXPECT_EQ(difference.trials->added, 0);
}

TEST_F(Selection, WhatBecomesOfRunningTrialsThatAreNoLongerListedIsSaidWhereThereAreAny) {
  const SweepSpec before = read(text()).spec, fewer = read(text("seeds: 1\n")).spec;
  EXPECT_THAT(
      revision_notice(before, fewer, Removed::finish),
      HasSubstr("3 no longer listed\nthose no longer listed leave the queue; what runs of them finishes "
                "(--cancel-removed cancels it)\n"));
  EXPECT_THAT(revision_notice(before, fewer, Removed::are_cancelled),
              HasSubstr("what runs of them is cancelled, unless another sweep wants it\n"));
  EXPECT_THAT(revision_notice(fewer, before, Removed::finish), Not(HasSubstr("leave the queue")));
}

}  // namespace
}  // namespace ranktide::cli
