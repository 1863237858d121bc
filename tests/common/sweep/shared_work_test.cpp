// What the plan says that trunks save, against what each trial by itself says of its trunk.
#include "common/sweep/shared_work.h"

#include <algorithm>
#include <ctime>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/sweep/trunk.h"
#include "tests/common/sweep/budget_sweeps.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(SharedWork, CountsWhatTrunksSave) {
  const SharedWork work = shared_work(Grid(budgets("schedule: wsd, warmup: 2, cooldown: 20%", "seeds: 3\n")));
  EXPECT_EQ(work.trials, 9);
  EXPECT_EQ(work.trunks, 3);
  EXPECT_EQ(work.alone, 3 * (10 + 20 + 40));
  EXPECT_EQ(work.shared, 3 * (32 + 2 + 4 + 8));
  EXPECT_THAT(sharing_text(work), ElementsAre("9 trials begin with 3 trunks: 1.5x less work on them"));
}

TEST(SharedWork, IsNothingByATrunkOfMoreEvalsThanOneMayHave) {
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
  EXPECT_THAT(
      sharing_text(shared_work(Grid(many))),
      ElementsAre("none on budget.steps (a trunk would run 792 evals for its trials, and runs 512 at most: "
                  "ask for fewer of them, or at fewer steps (eval.at))"));
}

TEST(SharedWork, IsNothingByATrunkOfMoreBranchesThanOneMayHave) {
  std::string steps = "[10";
  for (int at = 11; at < 75; ++at) steps += ", " + std::to_string(at);
  EXPECT_THAT(
      sharing_text(shared_work(Grid(budgets("schedule: constant, warmup: 0", "seeds: 2\n", steps + "]")))),
      ElementsAre("none on budget.steps (65 trials begin alike, and a trunk has 64 branches at most)"));
}

TEST(SharedWork, IsNothingWhereMoreCellsDifferInTheirBudgetThanAreLookedAtAndSaysSo) {
  const auto text_of = [](int budgets_of_it) {
    std::string steps = "[10";
    for (int at = 11; at < 10 + budgets_of_it; ++at) steps += ", " + std::to_string(at);
    return sharing_text(shared_work(Grid(budgets("schedule: constant, warmup: 0", "seeds: 2\n", steps + "]"))));
  };
  EXPECT_THAT(text_of(256), ElementsAre(HasSubstr("256 trials begin alike")));
  EXPECT_THAT(text_of(257),
              ElementsAre("none on budget.steps (more than 256 cells differ in that alone, and up to "
                          "so many are looked at for a trunk)"));
}

TEST(SharedWork, SaysWhyNothingIsSharedAndWhatWould) {
  EXPECT_THAT(
      sharing_text(shared_work(Grid(budgets("schedule: cosine", "seeds: 2\n")))),
      ElementsAre(
          "none on budget.steps (cosine depends on the total); with schedule wsd, warmup in steps and 20 % "
          "cooldown: 1.5x less work on this axis"));
  EXPECT_THAT(sharing_text(shared_work(Grid(budgets("schedule: wsd, warmup: 10%")))),
              ElementsAre(HasSubstr("the warmup is a share of the budget")));
  EXPECT_THAT(sharing_text(shared_work(Grid(budgets("schedule: cosine", "", "[10]")))), IsEmpty());
}

TEST(SharedWork, OfUnreadDataKnowsTheShare) {
  const SweepSpec spec = sweep(
      "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\nlora.rank: 8\n"
      "train: {lr: 1e-4, schedule: wsd, warmup: 100, cooldown: 20%}\naxes: {budget.epochs: [1, 2, 4, 8]}\n");
  EXPECT_THAT(sharing_text(shared_work(Grid(spec))),
              ElementsAre("4 trials begin with 1 trunk: 1.6x less work on them"));
}

TEST(SharedWork, OfUnreadDataAddsUpNoStepsTokensAndEpochs) {
  const SweepSpec spec = sweep(
      "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\nlora.rank: 8\n"
      "train: {lr: 1e-4, schedule: constant, warmup: 0}\n"
      "rows: {size: {a: {budget.epochs: 1}, b: {budget.tokens: 100000}}}\n");
  EXPECT_THAT(sharing_text(shared_work(Grid(spec))), ElementsAre("2 trials begin with 1 trunk"));
}

TEST(SharedWork, RowsSetByHandAndDrawnCellsShareNothing) {
  EXPECT_THAT(
      sharing_text(shared_work(Grid(budgets("schedule: constant, warmup: 0", "run: {microbatch: 2}\n")))),
      IsEmpty());
}

void expect_as_walked(const SweepSpec& spec) {
  const SharedWork counted = shared_work(Grid(spec)), walked = shared_work_of_each(spec);
  EXPECT_EQ(counted.trials, walked.trials);
  EXPECT_EQ(counted.trunks, walked.trunks);
  EXPECT_EQ(counted.alone, walked.alone);
  EXPECT_EQ(counted.shared, walked.shared);
  std::map<std::string, Step> saved = counted.saved;
  std::erase_if(saved, [](const auto& item) { return item.second == 0; });
  EXPECT_EQ(saved, walked.saved);
  EXPECT_TRUE(counted.is_of_all);
}

// Of which two evals for each of four trials are too many for a trunk.
std::string many_steps() {
  std::string out;
  for (int at = 1; at < 100; ++at) out += std::to_string(at) + ", ";
  return out;
}

// Each with something that keeps some of the trials apart that stand beside each other.
TEST(SharedWork, CountedByKindsIsWhatEachTrialSays) {
  const char* const head =
      "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\n"
      "train: {schedule: constant, warmup: 2}\nseeds: 3\n";
  const std::map<std::string, std::string> sweeps{
      {"schedules, warmups, cooldowns",
       "axes: {budget.steps: [10, 20, 40], train.schedule: [wsd, constant, cosine, linear],\n"
       "  train.warmup: [0, 10%, 15], train.cooldown: [3, 20%, 30]}\n"},
      {"lengths by batch", "axes: {budget.epochs: [1, 2, 4], train.batch: [4, 8, 45], train.warmup: [0, 6]}\n"},
      {"tokens", "axes: {budget.tokens: [900, 1800, 9000], train.batch: [4, 8]}\n"},
      {"two axes of budgets",
       "rows:\n  size: {a: {budget.steps: 8}, b: {budget.steps: 16}}\n"
       "axes: {train.weight_decay: [0, 0.1]}\n"},
      {"rows that set more",
       "rows:\n  size: {a: {budget.steps: 8, train.lr: 1e-3}, b: {budget.steps: 9}, c: {budget.steps: 10}, d: "
       "{budget.steps: 16, train.lr: 1e-3},\n    e: {budget.steps: 30, train.schedule: cosine, train.warmup: "
       "0}}\n"},
      {"rows that are evaluated at other steps",
       "eval: {learn: {a: {data: a.txt}, b: {data: b.txt}}}\naxes: {budget.steps: [100, 200, 400, 800]}\n"
       "rows:\n  pace: {fine: {train.lr: 1e-4, eval.at: [" +
           many_steps() +
           "end]}, coarse: {train.lr: 1e-3, "
           "eval.at: [0, end]}}\n"},
      {"rows that are evaluated at other steps, the other way around",
       "eval: {learn: {a: {data: a.txt}, b: {data: b.txt}}}\naxes: {budget.steps: [100, 200, 400, 800]}\n"
       "rows:\n  pace: {coarse: {train.lr: 1e-3, eval.at: [0, end]}, fine: {train.lr: 1e-4, eval.at: [" +
           many_steps() + "end]}}\n"},
      {"derived from the budget",
       "axes: {budget.steps: [8, 16, 32], train.weight_decay: {min: 0, max: 1, step: 0.125}}\n"
       "blocks: {a: {lora.rank: 8, derive: {train.lr: 1e-3 if steps < 20 else 1e-4,\n"
       "  train.clip: 1 if weight_decay > 0.5 else 0.5}}}\n"},
      {"rules",
       "axes: {budget.steps: [8, 16, 32], train.weight_decay: {min: 0, max: 1, step: 0.125}}\n"
       "blocks: {a: {lora.rank: 8,\n"
       "  exclude: [steps > 8 and weight_decay > 0.7, steps == 16 and weight_decay < 0.2, weight_decay == "
       "0.5]}}\n"},
      {"evals of a later block",
       "axes: {budget.steps: [8, 16, 32]}\neval: {learn: {a: {data: a.txt}}, at: [0, end]}\nblocks:\n"
       "  one: {lora.rank: [4, 8]}\n  two: {lora.rank: [8, 16], eval.at: [1, 2, 3, end], budget.steps: [8, "
       "16]}\n"},
      {"included", "blocks: {a: {lora.rank: 8, budget.steps: [8, 16], include: [{budget.steps: 32}]}}\n"},
  };
  for (const auto& [what, text] : sweeps) {
    SCOPED_TRACE(what);
    std::string whole = head + text;
    if (text.find("blocks:") == std::string::npos) whole += "lora.rank: 8\n";
    if (text.find("derive: {train.lr") == std::string::npos) whole += "train.lr: 1e-4\n";
    expect_as_walked(with_a_data_index(sweep(whole)));
    SweepSpec part = with_a_data_index(sweep(whole));
    const int64_t end = Grid(part).raw_count();
    part.taken = {{.first = 1, .end = 3}, {.first = end / 2 + 1, .end = end}};
    expect_as_walked(part);
  }
}

// All against all would take half a minute and more.
TEST(SharedWork, OfThousandsThatBeginApartIsKnownInSeconds) {
  std::string rows = "rows:\n  size:\n";
  for (int row = 0; row < 250; ++row)
    rows += "    r" + std::to_string(row) + ": {budget.steps: " + std::to_string(100 + row) +
            ", train.weight_decay: " + std::to_string(row / 2 / 1e4) + "}\n";
  const SweepSpec spec = with_a_data_index(sweep(
      "version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\nlora.rank: 8\n"
      "train: {lr: 1e-4, schedule: constant, warmup: 0}\naxes: {train.batch: {min: 1, max: 16, step: 1}}\n" +
      rows));
  const std::clock_t before = std::clock();
  const SharedWork work = shared_work(Grid(spec));
  EXPECT_LT((std::clock() - before) / CLOCKS_PER_SEC, 8);
  EXPECT_EQ(work.trials, 4000);
  EXPECT_EQ(work.trunks, 2000);
}

TEST(SharedWork, OfAMillionCellsIsOfAllOfThem) {
  const SweepSpec spec = with_a_data_index(
      sweep("version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\n"
            "train: {schedule: wsd, warmup: 2, cooldown: 20%}\n"
            "axes: {train.lr: {log: [1e-5, 1e-3], count: 250}, budget.steps: [10, 20, 40, 80],\n"
            "       lora.rank: {min: 1, max: 1000, step: 1}}\n"));
  const SharedWork work = shared_work(Grid(spec));
  EXPECT_EQ(work.trials, 1'000'000);
  EXPECT_EQ(work.trunks, 250'000);
  EXPECT_TRUE(work.is_of_all);
  EXPECT_EQ(work.shared, 250'000 * (64 + 2 + 4 + 8 + 16));
}

// A rate that every axis decides: each place is of a kind of its own.
TEST(SharedWork, OfMoreKindsThanAreLookedAtSaysSo) {
  const SweepSpec spec = with_a_data_index(
      sweep("version: 1\nname: s\nmodel: {path: m}\ndata: {train: d.txt}\nmethod: lora\nlora.rank: 8\n"
            "train: {schedule: constant, warmup: 0}\n"
            "axes: {train.weight_decay: {min: 0, max: 0.99, step: 0.01}, budget.steps: [10, 20, 40, 80]}\n"
            "blocks: {a: {derive: {train.lr: 1e-4 + 1e-4 * weight_decay + 0 * steps}}}\n"));
  const Grid grid(spec);
  const SharedWork work = shared_work(grid, CellCensus(grid, {*telling_for_sharing(spec)}), 0, 100);
  EXPECT_FALSE(work.is_of_all);
  EXPECT_EQ(work.trials, 100);
  EXPECT_THAT(sharing_text(work), ElementsAre(HasSubstr(", of those that were looked at")));
}

}  // namespace
}  // namespace ranktide
