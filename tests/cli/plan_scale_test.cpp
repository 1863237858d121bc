// A plan counts trials that cost alike by one of them. Here all of them are walked, and nothing may differ.
#include <algorithm>
#include <gmock/gmock.h>

#include "cli/plan_json.h"
#include "tests/cli/plan_world.h"
#include "tests/sanitised.h"

namespace ranktide::cli {
namespace {

constexpr int64_t kRoomOfSlot = int64_t{1} << 30;

class PlanScale : public PlanWorld {
 protected:
  // Every construct of the language that decides which trials there are. A microbatch set by hand keeps trunks
  // away: what they spare is told of a block, not of a trial.
  static std::string all_constructs(const std::string& more = "") {
    const std::string seeds = kIsSanitised ? "2" : "3";  // the walks are of trials one by one
    return "version: 1\nname: s\nmodel: {path: model, dtype: fp32}\ndata: {train: d.txt}\nseeds: " + seeds +
           "\ntrain: {lr: 1e-4, batch: 4, warmup: 0}\neval: {learn: {held: {data: held.txt}}}\n"
           "axes: {budget.steps: [4, 8]}\n"
           "rows: {regime: {a: {data.train: a.txt}, b: {data.train: b.txt, data.max_tokens: 64}}}\n"
           "zip: {pace: {train.lr: [1e-4, 2e-4], train.weight_decay: [0, 0.1]}}\n"
           "tune: [lora.alpha]\nrun: {microbatch: 2}\n"
           "blocks:\n"
           "  full: {method: full}\n"
           "  lora:\n    method: lora\n    lora.rank: [4, 8, 16]\n    lora.alpha: [8, 16]\n"
           "    train.schedule: [cosine, constant]\n"
           "    train.final_lr: {values: [0, 0.1], when: train.schedule == cosine}\n"
           "    derive: {train.batch: 2 if rank > 4 else 4}\n"
           "    exclude: [rank > 8 and alpha == 8, {lora.rank: 4, regime: b}]\n"
           "    include: [{budget.steps: 6, regime: a, pace: 1e-4/0, lora.rank: 32, lora.alpha: 8, "
           "train.schedule: constant}]\n"
           "  again:\n    like: lora\n    lora.rank: [8, 16, 64]\n"
           "    eval: {learn: {held: {data: held.txt}, more: {data: more.txt}}, at: [0, 50%, end]}\n" +
           more;
  }

  // Some of the plan's trials were begun or are over, and one is of another sweep.
  Past past_after(const SweepPlan& plan) const {
    Past out{.is_served = true};
    const Listed all = listed(plan);
    const char* const states[] = {"completed", "completed", "diverged", "running", "ready"};
    for (size_t i = 0; i < all.trials.size(); i += 3) {
      const bool has_evals = i % 2 == 0;
      out.trials.push_back(
          standing(all.trials[i], states[i / 3 % 5], i % 4 == 0 ? "weights" : "adapters", has_evals));
      out.trials.back().checkpoint_step = i % 7 == 0 ? 2 : 0;
      out.trials.back().settings = all.trials[i].settings;
    }
    SweepTrial foreign = all.trials.front();
    foreign.settings.train.lr = 0.5;
    foreign.id.text = std::string(64, 'f');
    out.trials.push_back(standing(foreign, "completed", "weights"));
    out.trials.back().settings = foreign.settings;
    return out;
  }

  // Of which so many are worked out.
  SweepPlan plan_of_so_many(const std::string& sweep, int64_t costed_max) const {
    SweepPlan out = plan_of(read(sweep), {}, costed_max);
    predict(out, {}, products_at(1e-6), 1);
    return out;
  }

  // The same past, as coordinators of before tell it.
  static Past without_settings(Past past) {
    for (TrialStanding& trial : past.trials) trial.settings.reset();
    return past;
  }
};

void expect_as_walked(const SweepPlan& plan) {
  std::map<Fate, int64_t> fates;
  std::map<std::string, double> seconds;
  std::map<std::string, int64_t> kept;
  double left = 0;
  int64_t trials = 0, largest = 0;
  for_each_trial(plan, [&](const PlannedTrial& planned) {
    ++trials;
    ++fates[planned.fate];
    seconds[planned.trial.blocks.front()] += planned.cost->seconds;
    kept[planned.trial.blocks.front()] += planned.cost->disk.kept;
    if (is_trained(planned.fate)) return;
    left += planned.cost->seconds;
    largest = std::max(largest, planned.cost->memory_bytes);
  });
  EXPECT_EQ(plan.trials(), trials);
  for (const Fate fate :
       {Fate::done, Fate::evals, Fate::evals_lost, Fate::running, Fate::resumable, Fate::fresh})
    EXPECT_EQ(plan.count(fate), fates[fate]) << word_of(fate);
  for (const auto& [block, sum] : seconds) {
    EXPECT_NEAR(cost_range(plan, block)->slot_seconds, sum, 1e-9 * sum) << block;
    EXPECT_EQ(cost_range(plan, block)->kept_bytes, kept[block]) << block;
  }
  EXPECT_NEAR(plan.estimate->slot_seconds, left, 1e-9 * left);
  EXPECT_EQ(plan.estimate->memory_bytes, largest);
}

TEST_F(PlanScale, WhatIsSaidOfGroupsIsWhatAWalkOverAllTrialsGives) {
  for (const std::string& sweep : {all_constructs(), all_constructs("search: {random: 20, seed: 3}\n")}) {
    const SweepPlan fresh = plan(sweep);
    expect_as_walked(fresh);
    EXPECT_LT(std::ssize(fresh.groups), fresh.trials() / 2) << "else nothing was spared";
    const Past past = past_after(fresh);
    const SweepPlan by_settings = plan(sweep, past, {"run.keep=weights"});
    expect_as_walked(by_settings);
    const SweepPlan by_ids = plan(sweep, without_settings(past), {"run.keep=weights"});
    EXPECT_GT(by_settings.not_kept(), 0);
    EXPECT_GT(by_settings.count(Fate::evals_lost), 0);
    EXPECT_GT(by_settings.count(Fate::resumable), 0);
    EXPECT_EQ(to_json(by_settings, slots({kRoomOfSlot})), to_json(by_ids, slots({kRoomOfSlot})));
    EXPECT_EQ(plan_text(by_settings, slots({kRoomOfSlot})), plan_text(by_ids, slots({kRoomOfSlot})));
  }
}

// Settings that differ in every cell, and of which a cost reads whether they are above zero; and one that has
// few values, though every axis decides it.
TEST_F(PlanScale, WhatIsDerivedInEveryCellCostsByWhatACostReadsOfIt) {
  const SweepPlan derived = plan(
      "version: 1\nname: s\nmodel: {path: model, dtype: fp32}\ndata: {train: d.txt}\nbudget: {steps: 8}\n"
      "eval: {learn: {held: {data: held.txt}}}\n"
      "axes: {train.lr: {log: [1e-5, 1e-3], count: 20}, train.weight_decay: {min: 0, max: 1, step: 0.125}}\n"
      "blocks:\n  lora:\n    method: lora\n    lora.rank: [4, 8]\n"
      "    derive:\n      train.clip: max(0, 1000 * lr + weight_decay - 0.2)\n"
      "      lora.dropout: max(0, 0.1 * weight_decay - 100 * lr) * (0 if rank == 8 else 1)\n"
      "      train.attention_dropout: max(0, 0.2 * weight_decay - 100 * lr)\n"
      "      train.batch: 4 if lr * 1000 + weight_decay > 0.5 else 2\n");
  expect_as_walked(derived);
  EXPECT_EQ(derived.trials(), 360);
  EXPECT_LE(derived.groups.size(), 2u * 2 * 2 * 2 * 2);
  EXPECT_GT(derived.groups.size(), 8u) << "each of them decides something";
}

// Budgets that every axis decides: each trial is of a kind of its own, and a sample of them is worked out.
TEST_F(PlanScale, OfMoreKindsThanAreWorkedOutASampleIsAndThePlanSaysSo) {
  const auto sweep = [](int rates) {
    return "version: 1\nname: s\nmodel: {path: model, dtype: fp32}\ndata: {train: d.txt}\ntrain: {batch: 4}\n"
           "blocks:\n  full: {method: full, train.lr: 1e-4, budget.steps: 3}\n  lora:\n    method: lora\n"
           "    lora.rank: 8\n    train.weight_decay: {min: 0, max: 0.9, step: 0.1}\n"
           "    train.lr: {log: [1e-5, 1e-3], count: " +
           std::to_string(rates) + "}\n    derive: {budget.steps: round(1e7 * lr) * 100 + 10 * weight_decay}\n";
  };
  const SweepPlan few = plan(sweep(2));
  expect_as_walked(few);
  EXPECT_EQ(few.kinds, 1 + 10 + 2) << "of the larger rate two are left of six digits";
  EXPECT_EQ(few.worked_out, few.kinds);
  EXPECT_THAT(plan_text(few, slots({kRoomOfSlot})), testing::Not(testing::HasSubstr("worked out;")));

  const SweepPlan many = plan_of_so_many(sweep(150), 1000);
  EXPECT_EQ(many.kinds, 1493);
  EXPECT_LE(many.worked_out, 1000 / 2 + 4);
  EXPECT_EQ(many.samples.size(), 2u) << "a step of each block costs alike";
  double seconds = 0;
  for_each_trial(many, [&](const PlannedTrial& planned) { seconds += planned.cost->seconds; });
  EXPECT_NEAR(many.estimate->slot_seconds, seconds, 0.01 * seconds);
  EXPECT_EQ(cost_range(many, "full")->slot_seconds, cost_range(few, "full")->slot_seconds)
      << "no trial counts as another block's";
  EXPECT_THAT(plan_text(many, slots({kRoomOfSlot})),
              testing::HasSubstr("note: 1493 kinds of trials cost apart, of which " +
                                 std::to_string(many.worked_out) + " were worked out;"));
  EXPECT_EQ(to_json(many, slots({kRoomOfSlot})).at("kinds"), many.kinds);
  EXPECT_EQ(to_json(many, slots({kRoomOfSlot})).at("worked_out"), many.worked_out);
}

// The innermost axis that costs is one of budgets, and no shorter than what shares a sample: a stride would see
// one of them alone. A rule leaves few of the longest. With few lengths each counts by its own.
TEST_F(PlanScale, ASampleKeepsStepWithNoAxis) {
  for (const int batches : {10, 20}) {
    SCOPED_TRACE(batches);
    const std::string sweep =
        "version: 1\nname: s\nmodel: {path: model, dtype: fp32}\ndata: {train: d.txt}\nmethod: lora\n"
        "train: {lr: 1e-4, schedule: constant, warmup: 0}\n"
        "axes: {lora.rank: {min: 1, max: 60, step: 1}, train.batch: {min: 1, max: " +
        std::to_string(batches) +
        ", step: 1},\n       budget.steps: [10, 20, 40, 80], train.weight_decay: [0, 0.1]}\n"
        "exclude: [steps == 80 and weight_decay > 0 and batch > 2]\n";
    const SweepPlan many = plan_of_so_many(sweep, 500);
    EXPECT_EQ(many.kinds, 60 * batches * 4);
    EXPECT_LE(many.worked_out, 500 / 2 + 2);
    EXPECT_EQ(many.are_lengths_exact, batches == 10);
    double seconds = 0, saved = 0;
    int64_t memory = 0;
    for_each_trial(many, [&](const PlannedTrial& planned) {
      seconds += planned.cost->seconds;
      const bool is_shared =
          planned.trial.steps <
          (planned.trial.settings.train.weight_decay > 0 && planned.trial.settings.train.batch > 2 ? 40 : 80);
      saved += is_shared ? planned.cost->seconds : 0;
      memory = std::max(memory, planned.cost->memory_bytes);
    });
    const double off = many.are_lengths_exact ? 0.02 : 0.1;
    EXPECT_NEAR(many.estimate->slot_seconds, seconds - saved, off * (seconds - saved));
    EXPECT_NEAR(cost_range(many, "all")->slot_seconds, seconds - saved, off * (seconds - saved));
    EXPECT_EQ(many.estimate->memory_bytes, memory);
    for (const PlannedGroup& group : many.groups) ASSERT_GT(group.seconds(), 0);
    EXPECT_LT(std::ssize(many.groups), many.worked_out * 4 * 2)
        << "there are as many as were worked out, of each length";
    EXPECT_GT(many.estimate->spread,
              plan(sweep.substr(0, sweep.find("axes:")) + "lora.rank: 8\nbudget.steps: 10\n").estimate->spread);
  }
}

// What a step takes and how many there are, in steps, epochs and tokens, with evals at all kinds of moments.
TEST_F(PlanScale, LengthsMultiplyTheKindsAndNotWhatIsWorkedOut) {
  std::ofstream(path("held.txt")) << std::string(4000, 'x');
  const std::string sweep =
      "version: 1\nname: s\nmodel: {path: model, dtype: fp32}\ndata: {train: d.txt}\nmethod: lora\n"
      "train: {lr: 1e-4}\neval: {learn: {held: {data: held.txt}}}\n"
      "rows:\n  length:\n    a: {budget.steps: 3}\n    b: {budget.steps: 30, eval.at: [0]}\n"
      "    c: {budget.epochs: 2, eval.at: [0, 1 epochs, 50%, end]}\n    d: {budget.tokens: 9000, eval.at: [5, "
      "2]}\n"
      "    e: {budget.steps: 31, eval.at: [10%, 90%, 3]}\n"
      "axes: {lora.rank: {min: 1, max: 12, step: 1}, train.batch: [1, 2, 3, 4]}\n";
  const SweepPlan many = plan_of_so_many(sweep, 12 * 4);
  expect_as_walked(many);
  EXPECT_EQ(many.kinds, 12 * 4 * 5);
  EXPECT_EQ(many.worked_out, many.kinds) << "none is estimated";
  EXPECT_EQ(many.samples.size(), 12u * 4);
}

TEST_F(PlanScale, OfBudgetsThatShareGroupsSaveWhatEachTrunkDoes) {
  const SweepPlan shares = plan(
      "version: 1\nname: s\nmodel: {path: model, dtype: fp32}\ndata: {train: d.txt}\nmethod: lora\nseeds: 2\n"
      "axes: {budget.steps: [10, 20, 40], train.lr: {log: [1e-5, 1e-3], count: 50}, lora.rank: [4, 8]}\n"
      "train: {batch: 4, schedule: constant, warmup: 0}\n");
  EXPECT_EQ(shares.trials(), 600);
  EXPECT_EQ(shares.groups.size(), 6u);
  EXPECT_THAT(shares.sharing, testing::ElementsAre("600 trials begin with 200 trunks: 1.8x less work on them"));
  EXPECT_EQ(shares.saved.at("all"), 200 * (10 + 20));
}

TEST_F(PlanScale, APartOfASweepKeepsWhatThePastSaysOfIt) {
  SweepPlan part = plan(all_constructs(), past_after(plan(all_constructs())));
  std::vector<int64_t> raw;
  for (const SweepTrial& trial : listed(part).trials)
    if (trial.index % 2 == 0) raw.push_back(trial.index);
  const int64_t done = part.trials() - part.left();
  take_only(part, raw);
  expect_as_walked(part);
  EXPECT_GT(part.trials() - part.left(), 0);
  EXPECT_LT(part.trials() - part.left(), done);
}

// They change no id, and may stand on an axis beside what does.
TEST_F(PlanScale, TrialsThatAreEvaluatedAtOtherStepsCostAndLackOtherThings) {
  const std::string sweep =
      "version: 1\nname: s\nmodel: {path: model, dtype: fp32}\ndata: {train: d.txt}\nbudget: {steps: 8}\n"
      "train: {batch: 4}\nmethod: lora\nlora.rank: 4\nseeds: 3\neval: {learn: {held: {data: held.txt}}}\n"
      "rows:\n  pace:\n    fine: {train.lr: 1e-4, eval.at: [0, 1, 2, 3, 4, 5, 6, 7]}\n"
      "    coarse: {train.lr: 1e-3, eval.at: [0, end]}\n";
  std::ofstream(path("held.txt")) << std::string(4000, 'x');
  const SweepPlan fresh = plan(sweep);
  expect_as_walked(fresh);
  EXPECT_EQ(fresh.groups.size(), 2u);
  const Listed all = listed(fresh);
  Past past;
  for (const SweepTrial& trial : all.trials) {
    past.trials.push_back(standing(trial, "completed", "adapters", false));
    past.trials.back().settings = trial.settings;
  }
  const SweepPlan after = plan(sweep, past);
  EXPECT_EQ(after.count(Fate::done), 3) << "nothing is wanted at the end";
  EXPECT_EQ(after.count(Fate::evals), 3);
}

TEST_F(PlanScale, APastThatIsToldInPagesIsTheSame) {
  const SweepPlan fresh = plan(all_constructs());
  const Past whole = past_after(fresh);
  for (const Past& told : {whole, without_settings(whole)}) {
    auto trials = told.trials;
    std::sort(trials.begin(), trials.end(), [](auto& a, auto& b) { return a.trial < b.trial; });
    Past pages{.is_served = true};
    pages.page_after = [trials](const std::string& after) {
      std::vector<TrialStanding> page;
      for (const TrialStanding& trial : trials)
        if (trial.trial > after && page.size() < 7) page.push_back(trial);
      return page;
    };
    EXPECT_EQ(to_json(plan(all_constructs(), pages), slots({kRoomOfSlot})),
              to_json(plan(all_constructs(), whole), slots({kRoomOfSlot})));
  }
}

TEST_F(PlanScale, ATrialOfThePastIsFoundThoughItsFilesHadOtherNames) {
  const SweepPlan before = plan(text());
  Past past = past_after(before);
  for (TrialStanding& trial : past.trials) trial.settings->data.train[0].path = "/elsewhere/d.txt";
  EXPECT_EQ(plan(text(), past).known.size(), before.known.size() + past.trials.size() - 1);
}

// What settings_of_cost() leaves out changes no cost.
TEST_F(PlanScale, SettingsThatAreSaidToCostNothingDo) {
  std::string sweep = text(
      "seeds: [3, 9]\naxes: {train.lr: [1e-5, 1e-3], train.betas: [[0.9, 0.99], [0.8, 0.9]], train.eps: [1e-9, "
      "1e-6],\n  train.weight_decay: [0.05, 0.1], train.decay_rule: [times_lr, per_step], train.schedule: "
      "[wsd, "
      "linear],\n  train.warmup: [0, 2], train.cooldown: [1, 50%], train.final_lr: [0, 0.5]}\n");
  const std::string rank = "lora.rank: [4, 16]";
  sweep.insert(sweep.find(rank) + rank.size(), ", lora.alpha: [4, 64], lora.scaling: [alpha/r, alpha/sqrt(r)]");
  sweep.replace(sweep.find("train: {lr: 1e-4, batch: 4}"), 27, "train: {batch: 4}");
  const SweepPlan varied = plan(sweep);
  std::map<std::string, std::set<std::pair<double, int64_t>>> costs;
  for_each_trial(varied, [&](const PlannedTrial& planned) {
    const auto& lora = planned.trial.settings.lora;
    costs[lora ? std::to_string(lora->rank) : "full"].emplace(planned.cost->seconds,
                                                              planned.cost->memory_bytes);
  });
  EXPECT_GT(varied.trials(), 1000);
  EXPECT_EQ(costs.size(), 3u);
  for (const auto& [of, different] : costs) EXPECT_EQ(different.size(), 1u) << of;
  EXPECT_EQ(varied.groups.size(), 3u);
}

TEST_F(PlanScale, OfAMillionCellsFewTrialsAreResolved) {
  const SweepPlan million = plan(
      "version: 1\nname: s\nmodel: {path: model, dtype: fp32}\ndata: {train: d.txt}\nbudget: {steps: 8}\n"
      "train: {batch: 4}\nmethod: lora\n"
      "axes: {lora.rank: [4, 8, 16, 32, 64], train.lr: {log: [1e-5, 1e-3], count: 200},\n"
      "       train.weight_decay: {min: 0, max: 0.999, step: 0.001}}\n");
  EXPECT_EQ(million.trials(), 1'000'000);
  EXPECT_EQ(million.groups.size(), 5u) << "one of each rank is resolved";
  EXPECT_EQ(million.count(Fate::fresh), million.trials());
}

}  // namespace
}  // namespace ranktide::cli
