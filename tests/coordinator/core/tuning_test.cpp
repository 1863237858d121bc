// Tuned axes grow by themselves: when, where to, how far, and that it happens once.

#include "coordinator/core/tuning.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "common/sweep/spec_union.h"
#include "coordinator/core/coordinator.h"
#include "tests/sim/sweep_for_tests.h"

namespace ranktide {
namespace {

constexpr const char* kRates = "[1e-4, 1e-3, 1e-2]";
constexpr const char* kTwoSteps = "{axes: [train.lr], extend: 2}";
constexpr double kBaseLoss = 10;

// A worker of many slots that runs all it is granted; losses are a function of the settings.
class Tuned : public testing::Test {
 protected:
  using Loss = std::function<double(const TrialSettings&)>;

  // The nearer to this rate, the lower.
  static Loss best_at(double rate) {
    return [rate](const TrialSettings& s) { return 1 + std::abs(std::log10(s.train.lr) - std::log10(rate)); };
  }

  static SweepSpec spec_of(SweepForTests wish) {
    if (wish.rates == SweepForTests{}.rates) wish.rates = kRates;
    return sweep_for_tests(wish);
  }
  void submit_spec(const SweepSpec& spec) {
    step(Submit{.reply_to = 1, .request_id = "r" + std::to_string(++requests_), .spec = spec});
  }
  void submit(const SweepForTests& wish) { submit_spec(spec_of(wish)); }
  void hello(int slots = 16) {
    Hello hello{.boot = "a", .version = "test", .slots = {}, .held = {}};
    for (int i = 0; i < slots; ++i) hello.slots.push_back({.index = i, .device = "cpu"});
    step(FromWorker{kWorker, hello});
  }
  // Everything that was granted and not answered, until nothing is left.
  void run_all() {
    while (!grants_.empty()) run_one();
  }
  void run_one() {
    const Grant grant = grants_.front();
    grants_.erase(grants_.begin());
    Report report{.lease = grant.lease, .seq = 1, .findings = {}};
    for (const EvalOrder& order : grant.work.evals) report.findings.evals.push_back(result_of(grant, order));
    const bool diverges = grant.work.stage && diverges_at.contains(grant.work.stage->settings.train.lr);
    if (diverges) report.findings.evals.clear();
    step(FromWorker{kWorker, report});
    Done done{.lease = grant.lease, .seq = 2, .outcome = {}};
    if (diverges) done.outcome.kind = OutcomeKind::diverged;
    step(FromWorker{kWorker, done});
  }
  EvalResult result_of(const Grant& grant, const EvalOrder& order) const {
    const bool is_learn = order.spec.data.ends_with("held_out.jsonl");
    const Loss& loss = is_learn ? learn_loss : retain_loss;
    const double value = grant.work.stage ? loss(grant.work.stage->settings) : kBaseLoss;
    return {.id = order.id, .metric = "loss", .value = value, .sign = -1, .n = 1};
  }

  void step(const Input& input) {
    effects_ = {};
    core_.step(Instant{}, input, effects_);
    for (const Record& record : effects_.records) {
      records_.push_back(record);
      extensions += std::holds_alternative<SweepExtended>(record) ? 1 : 0;
    }
    for (const ToWorker& to : effects_.messages)
      if (const auto* grant = std::get_if<Grant>(&to.message)) grants_.push_back(*grant);
  }
  const Sweep& sweep(SweepNumber number = 1) const { return core_.state().sweeps().at(number); }
  // Of the trials that a sweep has listed.
  std::set<double> rates(SweepNumber number = 1) const {
    std::set<double> out;
    for (const auto& [raw, stage] : sweep(number).trials)
      out.insert(sweep(number).trial_at(raw)->settings.train.lr);
    return out;
  }

  // With one rate, and this axis of lengths beside it.
  static SweepSpec spec_over(const std::string& key, const std::vector<Json>& lengths, int extend = 1) {
    SweepSpec spec = sweep_for_tests({.steps = 20});
    Axis axis{.name = key, .points = {}, .when = ""};
    for (const Json& length : lengths) axis.points.push_back({.label = length.dump(), .set = {{key, length}}});
    spec.blocks.front().constants.erase(key);
    spec.blocks.front().axes.push_back(std::move(axis));
    spec.tune = {.axes = {key}, .by = "", .extend = extend};
    return spec;
  }
  // Points of the axis that grew, as cells that were added have them.
  std::vector<std::string> added() const {
    std::vector<std::string> out;
    for (const AddedCell& cell : sweep().added)
      for (const AxisPoint& point : cell.points)
        if (point.set.contains(cell.axis)) out.push_back(point.label);
    return out;
  }

  // Trials of that rate that are listed.
  int64_t listed_at(double rate) const {
    return std::count_if(sweep().trials.begin(), sweep().trials.end(),
                         [&](const auto& t) { return sweep().trial_at(t.first)->settings.train.lr == rate; });
  }
  // As a block that has this one rate.
  static Block fixed_at(Block block, double rate) {
    block.name = "fixed";
    std::erase_if(block.axes, [](const Axis& axis) { return axis.name == "train.lr"; });
    block.constants["train.lr"] = rate;
    return block;
  }

  const WorkerName kWorker{"w1"};
  Loss learn_loss = best_at(1e-3);
  Loss retain_loss = [](const TrialSettings&) { return 2; };
  std::set<double> diverges_at;
  int extensions = 0;
  Coordinator core_{CoordinatorConfig{}, State{}, Instant{}};
  Effects effects_;  // of the last step
  std::vector<Record> records_;
  std::vector<Grant> grants_;  // that are not answered
  int requests_ = 0;
};

TEST_F(Tuned, TheNextValueIsTriedWhereTheBestStandsAtTheEnd) {
  learn_loss = best_at(1e-1);
  submit({.tune = kTwoSteps});
  hello();
  run_all();
  EXPECT_EQ(rates(), (std::set{1e-4, 1e-3, 1e-2, 1e-1, 1.0})) << "after the second step the best stands inside";
  EXPECT_EQ(extensions, 2);
  EXPECT_TRUE(sweep().is_over());
}

TEST_F(Tuned, SoItIsAtTheLowerEnd) {
  learn_loss = best_at(1e-5);
  submit({.tune = "{axes: [train.lr], extend: 1}"});
  hello();
  run_all();
  EXPECT_EQ(rates(), (std::set{1e-5, 1e-4, 1e-3, 1e-2}));
}

TEST_F(Tuned, NothingIsAddedWhereTheBestStandsInside) {
  submit({.tune = kTwoSteps});
  hello();
  run_all();
  EXPECT_EQ(extensions, 0);
}

TEST_F(Tuned, NothingIsAddedWithoutExtend) {
  learn_loss = best_at(1e-1);
  submit({.tune = "[train.lr]"});
  hello();
  run_all();
  EXPECT_EQ(extensions, 0);
}

TEST_F(Tuned, AnAxisGrowsByNoMoreThanItsSteps) {
  learn_loss = [](const TrialSettings& s) { return 5 - std::log10(s.train.lr); };
  submit({.tune = kTwoSteps});
  hello();
  run_all();
  EXPECT_EQ(rates().size(), 5u);
  EXPECT_TRUE(sweep().is_over());
}

TEST_F(Tuned, ADifferenceIsTheSpacingOfALinearAxis) {
  learn_loss = [](const TrialSettings& s) { return 1 - s.train.lr; };
  submit({.rates = "{min: 1e-3, max: 3e-3, step: 1e-3}", .tune = "{axes: [train.lr], extend: 1}"});
  hello();
  run_all();
  EXPECT_EQ(rates(), (std::set{1e-3, 2e-3, 3e-3, 4e-3}));
}

TEST_F(Tuned, ALengthInStepsGrows) {
  learn_loss = [](const TrialSettings& s) { return 9.0 / static_cast<double>(*s.train.warmup.steps); };
  submit_spec(spec_over("train.warmup", {{{"steps", 2}}, {{"steps", 4}}, {{"steps", 6}}}, 2));
  hello();
  run_all();
  EXPECT_EQ(added(), (std::vector<std::string>{"8", "10"}));
}

TEST_F(Tuned, ACooldownInStepsGrowsToo) {
  learn_loss = [](const TrialSettings& s) { return 9.0 / static_cast<double>(*s.train.cooldown.steps); };
  SweepSpec spec = spec_over("train.cooldown", {{{"steps", 2}}, {{"steps", 4}}, {{"steps", 6}}});
  spec.blocks.front().constants["train.schedule"] = "wsd";
  submit_spec(spec);
  hello();
  run_all();
  EXPECT_EQ(added(), (std::vector<std::string>{"8"}));
}

TEST_F(Tuned, AShareGrowsAndIsCalledAsInFiles) {
  learn_loss = [](const TrialSettings& s) { return 1 - *s.train.warmup.share; };
  submit_spec(spec_over("train.warmup", {{{"share", 0.1}}, {{"share", 0.2}}, {{"share", 0.3}}}));
  hello();
  run_all();
  EXPECT_EQ(added(), (std::vector<std::string>{"40%"}));
}

// Where its labels are another block's, a trial's settings say which value it has.
TEST_F(Tuned, ALengthOfWhichTheFirstBlockHasNoAxisGrowsInTheNextThatHas) {
  learn_loss = [](const TrialSettings& s) { return 9.0 / static_cast<double>(*s.train.warmup.steps); };
  SweepSpec spec = spec_over("train.warmup", {{{"steps", 2}}, {{"steps", 4}}, {{"steps", 6}}});
  Block fixed = spec.blocks.front();
  fixed.name = "fixed";
  fixed.axes.pop_back();
  fixed.constants["train.warmup"] = {{"steps", 6}};
  spec.blocks.insert(spec.blocks.begin(), fixed);
  submit_spec(spec);
  hello();
  run_all();
  EXPECT_EQ(added(), (std::vector<std::string>{"8"}));
}

// Ranks at these two scales of the adapter.
class TunedRanks : public Tuned {
 protected:
  static SweepSpec ranks_at_scales() {
    SweepSpec spec = spec_of({.ranks = {4, 8, 16}, .rates = "1e-4", .tune = "{axes: [lora.rank], extend: 1}"});
    Axis alpha{.name = "lora.alpha", .points = {}, .when = ""};
    for (const double scale : {16.0, 32.0})
      alpha.points.push_back({.label = Json(scale).dump(), .set = {{"lora.alpha", scale}}});
    spec.blocks.front().axes.push_back(alpha);
    return spec;
  }
  static Block scaled(Block block, double alpha) {
    block.name = "alpha" + std::to_string(static_cast<int>(alpha));
    block.axes.pop_back();
    block.constants["lora.alpha"] = alpha;
    return block;
  }
  // Ranks and scales of what was added.
  std::set<std::pair<int, double>> grown() const {
    std::set<std::pair<int, double>> out;
    for (int64_t raw = sweep().grid.raw_count(); raw < sweep().raw_count(); ++raw) {
      const LoraSettings lora = *sweep().trial_at(raw)->settings.lora;
      EXPECT_TRUE(out.emplace(lora.rank, lora.alpha).second);
    }
    return out;
  }
  // At the one scale the highest rank is best, at the other the middle one, and of both means the highest.
  void best_at_the_end_for_one_scale() {
    learn_loss = [](const TrialSettings& s) {
      if (s.lora->alpha == 16) return 5 - s.lora->rank * 0.1;
      return s.lora->rank == 8 ? 1.0 : 1.2;
    };
  }
};

TEST_F(TunedRanks, EachScaleIsAGroupWhereItIsAnAxis) {
  best_at_the_end_for_one_scale();
  submit_spec(ranks_at_scales());
  hello();
  run_all();
  EXPECT_EQ(grown(), (std::set<std::pair<int, double>>{{32, 16}}));
}

TEST_F(TunedRanks, EachBlockIsAGroupWhereItHasAScaleOfItsOwn) {
  best_at_the_end_for_one_scale();
  SweepSpec spec = ranks_at_scales();
  const Block block = spec.blocks.front();
  spec.blocks = {scaled(block, 16), scaled(block, 32)};
  submit_spec(spec);
  hello();
  run_all();
  EXPECT_EQ(grown(), (std::set<std::pair<int, double>>{{32, 16}}));
}

// The one block derives the rate from the rank, the other has it as an axis; rank 8 at 8e-4 is in both.
TEST_F(TunedRanks, WhatOneBlockDerivesIsAnAxisOfTheOther) {
  learn_loss = [](const TrialSettings& s) {
    const bool is_derived = std::abs(s.train.lr / s.lora->rank - 1e-4) < 1e-9;
    if (is_derived) return s.lora->rank == 8 ? 1.0 : 2.0;
    return s.train.lr < 5e-3 ? 3.0 : 9.0 / s.lora->rank;
  };
  SweepSpec spec =
      spec_of({.ranks = {4, 8, 16}, .rates = "[8e-4, 1e-2]", .tune = "{axes: [lora.rank], extend: 1}"});
  Block derived = spec.blocks.front();
  derived.name = "derived";
  std::erase_if(derived.axes, [](const Axis& axis) { return axis.name == "train.lr"; });
  derived.derive["train.lr"] = "1e-4 * rank";
  spec.blocks.insert(spec.blocks.begin(), derived);
  submit_spec(spec);
  hello();
  run_all();
  std::set<std::pair<int, double>> rates;
  for (int64_t raw = sweep().grid.raw_count(); raw < sweep().raw_count(); ++raw)
    rates.emplace(sweep().trial_at(raw)->settings.lora->rank, sweep().trial_at(raw)->settings.train.lr);
  EXPECT_EQ(rates, (std::set<std::pair<int, double>>{{32, 1e-2}})) << "8 is the best of both groups at 8e-4";
}

TEST_F(Tuned, EachGroupGrowsByItself) {
  learn_loss = [](const TrialSettings& s) { return best_at(s.lora->rank == 4 ? 1e-1 : 1e-3)(s); };
  submit({.ranks = {4, 8}, .tune = "{axes: [train.lr], extend: 1}"});
  hello();
  run_all();
  ASSERT_EQ(sweep().added.size(), 1u);
  EXPECT_EQ(sweep().trial_at(sweep().grid.raw_count())->settings.lora->rank, 4);
  EXPECT_EQ(sweep().trials.size(), 7u);
}

TEST_F(Tuned, AGroupGrowsOnlyWhenAllItsSeedsHaveEnded) {
  learn_loss = best_at(1e-1);
  submit({.seeds = 2, .tune = kTwoSteps});
  hello();
  while (grants_.size() > 1) run_one();
  EXPECT_EQ(extensions, 0);
  run_one();
  EXPECT_EQ(extensions, 1);
  EXPECT_FALSE(sweep().is_over()) << "in the same step";
  run_all();
  EXPECT_EQ(sweep().trials.size(), 10u) << "the added values have both seeds";
  EXPECT_EQ(sweep().trial_count, 10);
}

// The best would be at the end of what is left, but the axis is known to end there.
TEST_F(Tuned, WhatDivergedBoundsTheAxis) {
  learn_loss = best_at(1e-1);
  diverges_at = {1e-2};
  submit({.tune = kTwoSteps});
  hello();
  run_all();
  EXPECT_EQ(extensions, 0);
}

// Of 1e-2, the end of the axis, seed 0 scouts and is behind, and seed 1 would be the best of all.
class TunedAndStopped : public Tuned {
 protected:
  void submit_a_value_with_a_lucky_seed() {
    learn_loss = [](const TrialSettings& s) {
      if (s.train.lr != 1e-2) return s.train.lr == 1e-3 ? 2.0 : 3.0;
      return s.seed == 0 ? 5.0 : 0.1;
    };
    submit({.seeds = 2, .run = "stop_early: {by: words, eta: 2, first: 50%}", .tune = kTwoSteps});
    hello();
  }
};

// The scout comes to the rung after the other seed has ended.
TEST_F(TunedAndStopped, AValueThatIsStoppedEarlyIsNotTheBestWhateverItsOtherSeedsShow) {
  submit_a_value_with_a_lucky_seed();
  std::stable_partition(grants_.begin(), grants_.end(), [](const Grant& grant) {
    const auto& stage = grant.work.stage;
    return !stage || stage->settings.train.lr != 1e-2 || stage->settings.seed != 0;
  });
  run_all();
  EXPECT_EQ(sweep().races.verdicts.size(), 1u);
  EXPECT_EQ(sweep().races.stopped.size(), 2u) << "the seed that had ended too";
  EXPECT_EQ(sweep().races.stopped_completed, 1);
  EXPECT_EQ(extensions, 0);
  EXPECT_TRUE(sweep().is_over());
}

// Of the value that is tried again one seed alone has a result, which would be the best at the end of the axis.
TEST_F(TunedAndStopped, AValueOfWhichASeedStaysStoppedIsNotTheBestEither) {
  submit_a_value_with_a_lucky_seed();
  std::stable_partition(grants_.begin(), grants_.end(), [](const Grant& grant) {
    return !grant.work.stage || grant.work.stage->settings.train.lr != 1e-2;
  });
  std::stable_partition(grants_.begin(), grants_.end(), [](const Grant& grant) {
    return !grant.work.stage || grant.work.stage->settings.seed == 0;
  });
  run_all();
  ASSERT_EQ(sweep().races.stopped.size(), 2u);
  ASSERT_EQ(sweep().races.stopped_completed, 0);
  const auto lucky = std::find_if(sweep().trials.begin(), sweep().trials.end(), [&](const auto& t) {
    const auto trial = sweep().trial_at(t.first);
    return trial->settings.train.lr == 1e-2 && trial->settings.seed != 0;
  });
  step(ControlTrials{.reply_to = 1,
                     .request_id = "again",
                     .sweep = sweep().name(),
                     .action = SweepAction::retry,
                     .trials = {.prefixes = {sweep().trial_at(lucky->first)->id.text}}});
  run_all();
  EXPECT_EQ(sweep().races.stopped.size(), 1u);
  EXPECT_TRUE(sweep().races.verdicts.empty());
  EXPECT_EQ(extensions, 0);
}

TEST_F(Tuned, AValueThatTuningAddsRacesWithTheOthers) {
  learn_loss = best_at(1e-2);
  submit({.run = "stop_early: {by: words, eta: 2, first: 50%}", .tune = kTwoSteps});
  hello();
  run_all();
  EXPECT_EQ(rates(), (std::set{1e-4, 1e-3, 1e-2, 1e-1}));
  EXPECT_EQ(sweep().races.scores.size(), 1u) << "one contest, one rung";
  EXPECT_EQ(sweep().races.scores.begin()->second.size(), 4u);
}

TEST_F(Tuned, ALossAboveTheBasesBoundsItToo) {
  learn_loss = [](const TrialSettings& s) { return s.train.lr > 5e-3 ? kBaseLoss + 1 : best_at(1e-1)(s); };
  submit({.tune = kTwoSteps});
  hello();
  run_all();
  EXPECT_EQ(extensions, 0);
}

TEST_F(Tuned, WhatIsNotFiniteIsInNoMean) {
  learn_loss = [](const TrialSettings& s) { return s.train.lr > 5e-3 ? std::nan("") : best_at(1e-1)(s); };
  submit({.tune = kTwoSteps});
  hello();
  run_all();
  EXPECT_EQ(extensions, 0);
}

TEST_F(Tuned, TheMetricThatIsNamedDecides) {
  learn_loss = best_at(1e-3);
  retain_loss = best_at(1e-1);
  for (const char* by : {"retained", "forgetting", "prose"}) {
    const int before = extensions;
    submit({.name = by, .tune = std::string("{axes: [train.lr], extend: 1, by: ") + by + "}"});
    if (requests_ == 1) hello();
    run_all();
    EXPECT_EQ(extensions, before + 1) << by;
  }
}

TEST_F(Tuned, WhatIsDerivedFromATunedAxisDoesNotSplitItsGroup) {
  learn_loss = [](const TrialSettings& s) { return 5 - s.lora->rank * 0.01; };
  submit({.ranks = {2, 4, 8}, .rates = "1e-4", .tune = "{axes: [lora.rank], extend: 1}"});
  hello();
  run_all();
  ASSERT_EQ(sweep().added.size(), 1u);
  EXPECT_EQ(sweep().trial_at(3)->settings.lora->rank, 16);
  EXPECT_EQ(sweep().trial_at(3)->settings.lora->alpha, 32);
}

TEST_F(Tuned, ReplayRebuildsItAndARestartAddsNothingAgain) {
  learn_loss = best_at(1e-1);
  submit({.tune = kTwoSteps});
  hello();
  for (int i = 0; extensions == 0; ++i) {
    ASSERT_LT(i, 100);
    run_one();
  }
  State replayed;
  for (const Record& record : records_) replayed.apply(from_journal(kind_of(record), to_journal(record)));
  EXPECT_EQ(replayed.text(), core_.state().text());
  core_ = Coordinator(CoordinatorConfig{}, std::move(replayed), Instant{});
  step(Wake{});
  EXPECT_EQ(extensions, 1);
}

TEST_F(Tuned, ResultsOfAnotherSweepCountWhenTheGridHasBeenTouched) {
  learn_loss = best_at(1e-1);
  submit({.name = "plain"});
  hello();
  run_all();
  submit({.name = "tuned", .tune = "{axes: [train.lr], extend: 1}"});
  EXPECT_EQ(extensions, 1) << "nothing of it had to run";
  run_all();
  EXPECT_EQ(rates(2), (std::set{1e-4, 1e-3, 1e-2, 1e-1}));
  EXPECT_TRUE(sweep(2).is_over());
}

TEST_F(Tuned, TheSameFileAgainChangesNothing) {
  learn_loss = best_at(1e-1);
  submit({.tune = kTwoSteps});
  hello();
  run_all();
  submit({.tune = kTwoSteps});
  EXPECT_TRUE(effects_.records.empty());
}

TEST_F(Tuned, AnEditKeepsWhatWasAddedWhileItTunesTheAxis) {
  learn_loss = best_at(1e-1);
  submit({.tune = "{axes: [train.lr], extend: 1}"});
  hello();
  run_all();
  submit({.seeds = 2, .tune = "{axes: [train.lr], extend: 1}"});
  run_all();
  EXPECT_EQ(rates(), (std::set{1e-4, 1e-3, 1e-2, 1e-1}));
  EXPECT_EQ(sweep().trials.size(), 8u);
  EXPECT_EQ(extensions, 2) << "once by itself, once carried over";
  submit({.seeds = 2});
  run_all();
  EXPECT_EQ(rates(), (std::set{1e-4, 1e-3, 1e-2}));
}

TEST_F(Tuned, AnEditThatListsTheAddedValueItselfHasItOnce) {
  learn_loss = best_at(1e-1);
  submit({.tune = "{axes: [train.lr], extend: 1}"});
  hello();
  run_all();
  submit({.rates = "[1e-4, 1e-3, 1e-2, 1e-1]", .tune = "{axes: [train.lr], extend: 1}"});
  run_all();
  EXPECT_EQ(listed_at(1e-1), 1);
  EXPECT_EQ(sweep().raw_count(), 5) << "the four that are listed, and the step beyond the best of them";
}

TEST_F(Tuned, AnEditThatHasTheAddedCellInAnotherBlockHasItOnce) {
  learn_loss = best_at(1e-1);
  SweepSpec spec = spec_of({.tune = "{axes: [train.lr], extend: 1}"});
  submit_spec(spec);
  hello();
  run_all();
  ASSERT_EQ(listed_at(1e-1), 1);
  spec.blocks.push_back(fixed_at(spec.blocks.front(), 1e-1));
  submit_spec(spec);
  run_all();
  EXPECT_EQ(listed_at(1e-1), 1);
}

TEST_F(Tuned, AnEditDropsAnAddedCellThatDoesNotResolveInIt) {
  learn_loss = best_at(1e-1);
  SweepSpec spec = spec_of({.tune = kTwoSteps});
  submit_spec(spec);
  hello();
  run_all();
  ASSERT_EQ(sweep().added.size(), 2u);
  spec.blocks.front().derive["train.batch"] = "4 if lr < 0.05 else 0";
  submit_spec(spec);
  run_all();
  EXPECT_EQ(sweep().revision, 2);
  EXPECT_EQ(rates(), (std::set{1e-4, 1e-3, 1e-2}));
}

TEST_F(Tuned, AnEditKeepsNoMoreThanItMayHave) {
  learn_loss = best_at(1e-1);
  SweepSpec spec = spec_of({.tune = kTwoSteps});
  submit_spec(spec);
  hello();
  run_all();
  ASSERT_EQ(sweep().raw_count(), 5);
  spec.max_trials = 4;
  submit_spec(spec);
  EXPECT_EQ(sweep().raw_count(), 4);
}

TEST_F(Tuned, ExtendingTheFileKeepsWhatWasAddedAndMayGrow) {
  learn_loss = best_at(1e-1);
  const SweepSpec old = spec_of({.ranks = {4, 8}, .seeds = 2, .tune = "{axes: [train.lr], extend: 1}"});
  submit_spec(old);
  hello();
  run_all();
  ASSERT_EQ(sweep().added.size(), 2u);
  const SweepSpec both =
      extended(old, spec_of({.ranks = {8}, .seeds = 3, .tune = "{axes: [train.lr], extend: 1}"}));
  ASSERT_TRUE(both.taken) << "of rank 4 the third seed is wanted by nobody";
  submit_spec(both);
  run_all();
  EXPECT_EQ(sweep().added.size(), 2u);
  EXPECT_EQ(listed_at(1e-1), 6) << "each with all seeds";
}

TEST_F(Tuned, APartThatSomebodyChoseKeepsWhatWasAddedAndDoesNotGrow) {
  learn_loss = best_at(1e0);
  SweepSpec spec = spec_of({.tune = "{axes: [train.lr], extend: 1}"});
  submit_spec(spec);
  hello();
  run_all();
  ASSERT_EQ(rates(), (std::set{1e-4, 1e-3, 1e-2, 1e-1}));
  spec.tune->extend = 2;
  spec.taken = {{.first = 1, .end = 3}};
  submit_spec(spec);
  run_all();
  EXPECT_EQ(rates(), (std::set{1e-3, 1e-2, 1e-1}));
  EXPECT_TRUE(sweep().is_over());
}

TEST_F(Tuned, AnEditKeepsAnyNumberOfAddedCells) {
  std::vector<int> ranks(260);
  for (size_t i = 0; i < ranks.size(); ++i) ranks[i] = static_cast<int>(i) + 1;
  const SweepSpec spec = spec_of({.ranks = ranks, .tune = "{axes: [train.lr], extend: 1}"});
  const Block& block = spec.blocks.front();
  std::vector<AddedCell> added;
  for (const AxisPoint& rank : block.axes[0].points)
    added.push_back({.block = block.name,
                     .axis = "train.lr",
                     .points = {rank, {.label = "0.1", .set = {{"train.lr", 0.1}}}}});
  added.push_back(added.front());
  EXPECT_EQ(still_fitting(added, Grid(spec)).size(), 260u) << "one of them is there twice";
}

TEST_F(Tuned, AnEditOfARandomSearchHasNoCellTwiceEither) {
  SweepSpec spec = spec_of({.ranks = {4, 8}, .tune = "{axes: [train.lr], extend: 1}"});
  spec.random = {.cells = 6, .seed = 7};
  const Block block = spec.blocks.front();
  const AxisPoint beyond{.label = "0.1", .set = {{"train.lr", 0.1}}};
  const std::vector<AddedCell> added{
      {.block = block.name, .axis = "train.lr", .points = {block.axes[0].points[0], beyond}},
      {.block = block.name, .axis = "train.lr", .points = {block.axes[0].points[1], beyond}}};
  EXPECT_EQ(still_fitting(added, Grid(spec)).size(), 2u);
  Block other = fixed_at(block, 0.1);
  other.axes[0].points.pop_back();
  spec.blocks.push_back(other);
  const auto kept = still_fitting(added, Grid(spec));
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept.front().points.front().set.at("lora.rank"), 8);
}

TEST_F(Tuned, WithoutAnEvalAtTheEndItIsRefused) {
  SweepSpec spec = spec_of({.eval_at = "[0, 50%]"});
  spec.tune = {.axes = {"train.lr"}, .by = ""};
  submit_spec(spec);
  ASSERT_EQ(effects_.replies.size(), 1u);
  const auto* refused = std::get_if<Rejected>(&effects_.replies.front().answer);
  ASSERT_NE(refused, nullptr);
  EXPECT_NE(refused->reason.find("block lora has none there"), std::string::npos) << refused->reason;
}

TEST_F(Tuned, WhatARuleForbidsIsNotAdded) {
  learn_loss = best_at(1e-1);
  SweepSpec spec = spec_of({.tune = kTwoSteps});
  spec.blocks.front().exclude = {{.text = "lr > 0.5", .where = "tiny.yaml:1:1"}};
  submit_spec(spec);
  hello();
  run_all();
  EXPECT_EQ(rates(), (std::set{1e-4, 1e-3, 1e-2, 1e-1}));
  spec.blocks.front().exclude = {{.text = "not (lr < 0.05)", .where = "--only"}};
  submit_spec(spec);
  run_all();
  EXPECT_EQ(rates(), (std::set{1e-4, 1e-3, 1e-2})) << "nor kept";
}

TEST_F(Tuned, AnAxisThatIsOffInTheBestCellGrowsNowhere) {
  learn_loss = [](const TrialSettings& s) { return s.lora->rank == 8 ? 1 : 2; };
  SweepSpec spec = spec_of({.ranks = {4, 16, 64}, .tune = "{axes: [lora.rank, train.lr], extend: 1}"});
  Block& block = spec.blocks.front();
  ASSERT_EQ(block.axes.size(), 2u);
  block.axes[1].when = "lora.rank > 8";
  block.constants["train.lr"] = 1e-5;  // below all of the axis
  block.include.push_back({.points = {{.label = "8", .set = {{"lora.rank", 8}}}, {}}, .where = ""});
  submit_spec(spec);
  hello();
  run_all();
  EXPECT_TRUE(sweep().is_over());
  EXPECT_EQ(sweep().trials.size(), 8u) << "rank 4, rank 8, and two ranks at three rates";
  EXPECT_EQ(extensions, 0);
}

TEST_F(Tuned, ATrialWhoseFirstBlockHasNotTheAxisGrowsInTheNextThatHas) {
  learn_loss = best_at(1e-1);
  SweepSpec spec = spec_of({.tune = "{axes: [train.lr], extend: 1}"});
  spec.blocks.insert(spec.blocks.begin(), fixed_at(spec.blocks.front(), 1e-2));
  submit_spec(spec);
  hello();
  run_all();
  EXPECT_EQ(rates(), (std::set{1e-4, 1e-3, 1e-2, 1e-1}));
}

TEST_F(Tuned, AStoppedSweepGrowsNoMore) {
  learn_loss = best_at(1e-1);
  submit({.tune = kTwoSteps});
  hello();
  step(ControlSweep{.request_id = "s", .sweep = "tiny", .action = SweepAction::stop});
  run_all();
  EXPECT_EQ(extensions, 0);
  EXPECT_TRUE(sweep().is_over());
}

TEST_F(Tuned, NoMoreIsAddedThanASweepMayHave) {
  learn_loss = best_at(1e-1);
  SweepSpec spec = spec_of({.tune = kTwoSteps});
  spec.max_trials = 3;
  submit_spec(spec);
  hello();
  run_all();
  EXPECT_EQ(extensions, 0);
}

TEST_F(Tuned, AnAddedTrialCanBeCancelledByItsId) {
  learn_loss = best_at(1e-1);
  submit({.tune = "{axes: [train.lr], extend: 1}"});
  hello();
  for (int i = 0; extensions == 0 && i < 100; ++i) run_one();
  ASSERT_EQ(grants_.size(), 1u);
  const std::string id = sweep().trial_at(3)->id.text;
  step(ControlTrials{.request_id = "c",
                     .sweep = "tiny",
                     .action = SweepAction::cancel,
                     .trials = {.prefixes = {id.substr(0, 16)}}});
  EXPECT_TRUE(sweep().is_over());
}

TEST_F(Tuned, ARetryOfTheWholeSweepKeepsWhatWasAdded) {
  learn_loss = best_at(1e-1);
  submit({.tune = "{axes: [train.lr], extend: 1}"});
  hello();
  run_all();
  step(ControlSweep{.request_id = "t", .sweep = "tiny", .action = SweepAction::retry});
  EXPECT_EQ(sweep().revision, 2);
  EXPECT_EQ(sweep().trial_count, 4);
  EXPECT_EQ(rates(), (std::set{1e-4, 1e-3, 1e-2, 1e-1}));
  EXPECT_TRUE(sweep().is_over());
}

}  // namespace
}  // namespace ranktide
