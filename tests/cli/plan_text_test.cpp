#include "cli/plan_text.h"

#include <algorithm>
#include <cstdlib>
#include <gmock/gmock.h>
#include <set>

#include "cli/plan_json.h"
#include "tests/cli/plan_world.h"

namespace ranktide::cli {
namespace {

namespace fs = std::filesystem;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kGiB = int64_t{1} << 30;

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> yaml_in(const fs::path& folder) {
  std::set<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".yaml") out.insert(entry.path());
  return {out.begin(), out.end()};
}

// Without its inputs: ids are provisional, counts are not.
SweepPlan plan_without_inputs(const fs::path& file) {
  return plan_of({.spec = parse_sweep(content_of(file), file.filename().string(), file.parent_path()),
                  .read = {},
                  .unreadable = {},
                  .elsewhere = {}},
                 {});
}

// tests/cli/plans holds a file per construct of the language and what is printed of it. RANKTIDE_REWRITE=1
// writes them anew, to be reviewed as a diff.
TEST(PlanText, OfEachConstructIsAsItWasReviewed) {
  const std::vector<fs::path> files = yaml_in(fs::path(RANKTIDE_SOURCE_DIR) / "tests/cli/plans");
  EXPECT_GE(files.size(), 10u);
  for (const fs::path& file : files) {
    const std::string text = plan_text(plan_without_inputs(file), {});
    const fs::path golden = fs::path(file).replace_extension(".txt");
    if (std::getenv("RANKTIDE_REWRITE") != nullptr) std::ofstream(golden, std::ios::binary) << text;
    EXPECT_EQ(text, content_of(golden)) << file;
  }
}

TEST(PlanText, OfEverySweepFileOfTheTreeCountsItsTrials) {
  for (const fs::path& file : yaml_in(fs::path(RANKTIDE_SOURCE_DIR) / "sweeps")) {
    const SweepPlan plan = plan_without_inputs(file);
    EXPECT_GT(plan.trials(), 0) << file;
    std::set<std::string> ids;
    for_each_trial(plan, [&](const PlannedTrial& planned) { ids.insert(planned.trial.id.text); });
    EXPECT_EQ(std::ssize(ids), plan.trials()) << file;
    EXPECT_FALSE(plan.estimate) << file << ": nothing was read";
  }
}

TEST(PlanText, NoMoreValuesArePromisedOfAPartThatSomebodyChose) {
  SweepPlan plan = plan_without_inputs(fs::path(RANKTIDE_SOURCE_DIR) / "tests/cli/plans/tune.yaml");
  ASSERT_THAT(plan_text(plan, {}), HasSubstr("up to 2 more values"));
  plan.spec.taken_unites = true;
  take_only(plan, {0, 1});
  EXPECT_THAT(plan_text(plan, {}), HasSubstr("tune   train.lr by learning\n"));
}

using PlanOf = PlanWorld;

TEST_F(PlanOf, MeasuredProductsHasHoursOfBlocksAndAnInterval) {
  const std::string said = plan_text(plan(text()), slots({kGiB, kGiB}));
  EXPECT_THAT(said,
              ContainsRegex("full +1 +2  a trial [0-9]+ h [0-9]+ min, [0-9]+ MiB +[0-9.]+ h of slots ±30 %\n"));
  EXPECT_THAT(said, ContainsRegex("sum    3 cells, 3 distinct x 2 seeds = 6 trials: 0 done, 0 resumable, 6 "
                                  "new\n"));
  EXPECT_THAT(said, ContainsRegex("estimate  [0-9.]+ days .[0-9]+ h [0-9]+ min to [0-9.]+ days. on 2 slots "
                                  ".basis: measured products of "
                                  "this machine, ±30 %.; about [0-9]+ MiB ±10 % of memory a trial\n"));
  EXPECT_THAT(said,
              ContainsRegex("disk   .* stay .run.keep: adapters.; up to .* of checkpoints while trials run\n"));
}

// Three budgets of 4, 8 and 16 steps under a flat rate: a trunk of 16 steps, and nothing that is left.
TEST_F(PlanOf, WhatATrunkSavesIsTakenOffTheBlockAndTheEstimateUntilATrialIsTrained) {
  std::string sweep = text("axes: {budget.steps: [4, 8, 16]}\nseeds: 1\n");
  sweep.replace(sweep.find("budget: {steps: 8}\n"), 19, "");
  sweep.erase(sweep.find("  lora: {"), sweep.find("axes:") - sweep.find("  lora: {"));
  sweep.replace(sweep.find("train: {lr"), 8, "train: {schedule: constant, warmup: 0, ");
  const SweepPlan fresh = plan(sweep);
  const Listed all = listed(fresh);
  ASSERT_EQ(all.trials.size(), 3u);
  double alone = 0, evals = 0;
  for (const auto& cost : all.costs) alone += cost->seconds, evals += cost->eval_seconds;
  const double expected = evals + (alone - evals) * 16 / 28;
  EXPECT_NEAR(fresh.estimate->slot_seconds, expected, 1e-9 * alone);
  EXPECT_NEAR(cost_range(fresh, "full")->slot_seconds, expected, 1e-9 * alone);
  EXPECT_NEAR(cost_range(fresh, "full")->seconds_max, all.costs.at(2)->seconds, 1e-12) << "of one alone";
  const auto seconds = to_json(fresh, slots({kGiB, kGiB, kGiB})).at("estimate").at("seconds").get<double>();
  EXPECT_NEAR(seconds, all.costs.at(2)->seconds, 1e-9) << "the longest is no faster than alone";
  const SweepPlan begun = plan(sweep, {.trials = {standing(all.trials.at(0), "completed", "weights")}});
  EXPECT_NEAR(begun.estimate->slot_seconds, all.costs.at(1)->seconds + all.costs.at(2)->seconds, 1e-9 * alone);
}

TEST_F(PlanOf, EvalsWhoseItemsWereReadTakesWhatTheyTakeInAllOfItsCosts) {
  PreparedSweep sweep = read(text());
  const EvalSpec eval = with_content(wanted_inputs(sweep.spec).evals.at(0).spec, sweep.spec.inputs);
  const std::string id = eval_spec_id(eval, sweep.spec.inputs);
  const auto planned = [&](double tokens) {
    sweep.eval_sizes = {{eval_size_key(id, "t"), {.tokens = tokens, .sequence_tokens = 64}}};
    SweepPlan out = plan_of(sweep, {});
    predict(out, {}, products_at(1e-6), 1);
    return out;
  };
  const SweepPlan few = planned(4096), many = planned(8192);
  ASSERT_EQ(few.groups.size(), many.groups.size());
  for (size_t i = 0; i < few.groups.size(); ++i)
    EXPECT_NEAR(many.groups[i].cost->eval_seconds / few.groups[i].cost->eval_seconds, 2, 1e-9);
  EXPECT_NEAR(listed(many).costs.at(0)->eval_seconds / listed(few).costs.at(0)->eval_seconds, 2, 1e-9);
}

TEST_F(PlanOf, AGuessHasNoHoursOfBlocks) {
  SweepPlan guessed = plan_of(read(text()), {});
  EXPECT_THAT(plan_text(guessed, slots({kGiB})), Not(HasSubstr("of slots ±")));
  EXPECT_THAT(plan_text(guessed, slots({kGiB})), HasSubstr("basis: a first guess"));
}

TEST_F(PlanOf, AGuessSaysWhatMakesItSharper) {
  SweepPlan guessed = plan_of(read(text()), {});
  const auto said_of = [&](const TimedSlots& timed) {
    predict(guessed, {}, std::nullopt, timed.threads_min(), timed);
    return plan_text(guessed, slots({kGiB}));
  };
  const std::string here = this_processor().name;
  EXPECT_THAT(said_of(cores_of(here, 1)), HasSubstr("a first guess; `ranktide doctor --measure` takes 10 s"));
  const double one = guessed.estimate->slot_seconds;
  EXPECT_THAT(said_of(cores_of(here, 8)), HasSubstr("; `ranktide doctor --measure --threads 8` takes 10 s"));
  EXPECT_LT(guessed.estimate->slot_seconds, one);
  const std::string elsewhere = said_of(cores_of("Make Of Tides", 8));
  EXPECT_THAT(elsewhere, HasSubstr("a first guess; the slots are not cores of this machine's processor"));
  EXPECT_THAT(elsewhere, Not(HasSubstr("doctor")));
}

TEST_F(PlanOf, FinishedTrialsSaysHowManyItRestsOnAndTheirSpread) {
  const Listed before = listed(plan(text()));
  Past past;
  for (const double factor : {0.9, 1.1}) {
    TrialSettings settings = before.trials.at(2).settings;
    past.measured.push_back(
        {.settings = settings, .tokens = 8 * 4 * 48, .seconds = 3 * factor * before.costs.at(2)->seconds});
  }
  const SweepPlan plan_after = plan(text(), past);
  const Listed after = listed(plan_after);
  EXPECT_NEAR(after.costs.at(2)->seconds, 3 * before.costs.at(2)->seconds, 1e-6 * before.costs.at(2)->seconds);
  EXPECT_TRUE(after.costs.at(2)->is_same_shape);
  EXPECT_EQ(after.costs.at(2)->trials, 2);
  EXPECT_NEAR(after.costs.at(2)->spread, 0.2828, 0.001) << "two standard deviations";
  EXPECT_FALSE(after.costs.at(0)->is_same_shape) << "full finetuning is another shape";
  EXPECT_THAT(plan_text(plan_after, slots({kGiB})),
              HasSubstr("basis: finished trials, 2 of other shapes too, ±28 %"));
}

TEST_F(PlanOf, NothingThatIsLeftRestsOnNoTrials) {
  const Listed fresh = listed(plan(text()));
  Past past;
  for (const SweepTrial& trial : fresh.trials) past.trials.push_back(standing(trial, "completed", "weights"));
  const SweepPlan done = plan(text(), past);
  EXPECT_EQ(done.left(), 0);
  EXPECT_EQ(to_json(done, slots({kGiB})).at("estimate").at("finished_trials"), 0);
  EXPECT_THAT(plan_text(done, slots({kGiB})), Not(HasSubstr("estimate")));
}

TEST_F(PlanOf, ADeltaIsLessThanTheWeightsThatAreWantedOfFullFinetuningOnly) {
  const Listed fresh = listed(plan(text()));
  Past past;
  for (const SweepTrial& trial : fresh.trials) past.trials.push_back(standing(trial, "completed", "delta"));
  const auto full = std::count_if(fresh.trials.begin(), fresh.trials.end(), [](const SweepTrial& trial) {
    return trial.settings.method == Method::full;
  });
  EXPECT_GT(full, 0);
  EXPECT_LT(full, std::ssize(fresh.trials));
  EXPECT_EQ(plan(text(), past, {"run.keep=weights"}).not_kept(), full);
  EXPECT_EQ(plan(text(), past, {"run.keep=delta"}).not_kept(), 0);
}

TEST_F(PlanOf, TrialsOnAGpuAreTimedByTrialsThatAGpuComputed) {
  SweepPlan gpu = plan_of(read(text()), {});
  const TrialSettings settings = listed(gpu).trials.at(2).settings;
  predict(gpu, {}, products_at(1), 1, ComputedOn::gpu);
  EXPECT_EQ(listed(gpu).costs.at(2)->basis, TimeBasis::none);
  Past past{.measured = {{.settings = settings, .tokens = 8 * 4 * 48, .seconds = 5, .device = "cpu"}}};
  predict(gpu, past, products_at(1), 1, ComputedOn::gpu);
  EXPECT_EQ(listed(gpu).costs.at(2)->basis, TimeBasis::none);
  past.measured[0].device = "NVIDIA H200";
  predict(gpu, past, products_at(1), 1, ComputedOn::gpu);
  EXPECT_EQ(listed(gpu).costs.at(2)->basis, TimeBasis::trials);
  EXPECT_NEAR(listed(gpu).costs.at(2)->seconds, 5, 1e-6);
}

TEST_F(PlanOf, TrialsThatFitNoDeviceNamesTheirBlocksAndTheLargestSlot) {
  const std::string said = plan_text(plan(text()), slots({kGiB / 8}));
  EXPECT_THAT(said,
              ContainsRegex("memory full, lora: 6 trials need up to [0-9]+ MiB on one device, largest slot has "
                            "128 MiB: they wait for a larger one\n"));
  EXPECT_THAT(plan_text(plan(text(), {}, {"run.needs.gpus=1"}), slots({kGiB})),
              HasSubstr("6 trials need a slot as run.needs says, and none is there"));
}

// As trials are placed (coordinator/core/needs.h).
TEST_F(PlanOf, ATrialFitsASlotThatHasATwentiethMoreThanIsPredicted) {
  const SweepPlan planned = plan(text());
  const int64_t largest = planned.estimate->memory_bytes;
  EXPECT_GT(makespan_of(planned, slots({largest + largest / 20 - 1})).unplaced.trials, 0);
  EXPECT_EQ(makespan_of(planned, slots({largest + largest / 20})).unplaced.trials, 0);
}

TEST_F(PlanOf, WhatWasDoneBeforeSaysWhatBecomesOfEachTrial) {
  const Listed fresh = listed(plan(text("seeds: 3\n")));
  const auto& t = fresh.trials;
  Past past{.trials = {standing(t.at(0), "completed", "adapters"),
                       standing(t.at(1), "completed", "adapters", false),  // full: no weights were kept
                       standing(t.at(3), "completed", "adapters", false),
                       standing(t.at(4), "diverged", "adapters", false), standing(t.at(5), "running", ""),
                       standing(t.at(6), "ready", "")}};
  past.trials.back().checkpoint_step = 4;
  past.is_served = true;
  const SweepPlan plan = this->plan(text("seeds: 3\n"), past);
  std::vector<std::string> words;
  for (const Fate fate : listed(plan).fates) words.push_back(word_of(fate));
  EXPECT_EQ(words, (std::vector<std::string>{"done", "evals_lost", "new", "evals", "done", "running",
                                             "resumable", "new", "new"}));
  const std::string said = plan_text(plan, slots({kGiB}));
  EXPECT_THAT(said, HasSubstr("= 9 trials: 4 done, 1 resumable, 1 running, 3 new\n"));
  EXPECT_THAT(said, HasSubstr("evals  1 trial gets only new evals (from kept weights)\n"));
  EXPECT_THAT(said,
              ContainsRegex("evals  1 trial ended without weights .* another --data-dir, takes [0-9.]+ h of "
                            "slots\n"));
  const Json json = to_json(plan, slots({kGiB}));
  EXPECT_EQ(json.at("done"), 4);
  EXPECT_EQ(json.at("new_evals_only"), 1);
  EXPECT_EQ(trial_json({.trial = t.at(6), .fate = Fate::resumable}).at("state"), "resumable");
  past.is_served = false;
  past.trials[4].checkpoint_step = 2;
  EXPECT_EQ(this->plan(text("seeds: 3\n"), past).count(Fate::resumable), 2) << "nobody is there to run it";
}

// A folder of a million trials may be too large to be asked how long they took.
TEST_F(PlanOf, AFolderWhoseFinishedTrialsCannotBeReadRestsOnNone) {
  std::string said;
  const auto unreadable = []() -> std::vector<MeasuredTrial> { throw StoreError("interrupted"); };
  EXPECT_TRUE(measured_if_readable(unreadable, [&](const std::string& line) { said += line; }).empty());
  EXPECT_EQ(said, "note: times rest on no finished trials, which cannot be read: interrupted");
}

}  // namespace
}  // namespace ranktide::cli
