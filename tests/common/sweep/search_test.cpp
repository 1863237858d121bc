// Cells that are not crossed: drawn at random, or included by name.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "common/sweep/block_cells.h"
#include "common/sweep/scalar_text.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

SweepSpec drawing(SweepSpec spec, int64_t cells, uint64_t seed = 7) {
  spec.random = RandomSearch{.cells = cells, .seed = seed};
  return spec;
}

// One block of 6 x 5 x 4 cells.
const std::string kWide = kLora +
                          "axes: {train.lr: [1, 2, 3, 4, 5, 6], train.batch: [1, 2, 3, 4, 5], "
                          "lora.target: [attn, mlp, all, q_proj]}\n";

SweepSpec with_range(const std::string& key, DrawnRange range, const std::string& text = kLora) {
  SweepSpec spec = sweep(text);
  spec.blocks[0].axes.push_back({.name = key, .points = {}, .when = "", .drawn = range});
  return spec;
}

std::vector<std::string> labels_in(const SweepSpec& spec, const std::string& axis) {
  std::vector<std::string> out;
  for (const auto& trial : trials_of(spec)) out.push_back(trial.labels.at(axis));
  return out;
}

std::vector<std::string> cells_in_order(const SweepSpec& spec) {
  std::vector<std::string> out;
  for (const auto& trial : trials_of(spec)) out.push_back(trial.cell.text);
  return out;
}

bool is_beginning(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

TEST(Search, DrawsSoManyDifferentCellsOfTheGrid) {
  const auto all = ids_of(sweep(kWide));
  const SweepSpec spec = drawing(sweep(kWide), 40);
  const auto drawn = ids_of(spec);
  EXPECT_EQ(drawn.size(), 40U);
  EXPECT_TRUE(std::includes(all.begin(), all.end(), drawn.begin(), drawn.end()));
  const auto counts = Grid(spec).counts();
  EXPECT_EQ(counts[0].cells, 40);
  EXPECT_TRUE(counts[0].is_drawn);
  EXPECT_EQ(counts[0].drawn_of, 120);
  EXPECT_EQ(Grid(spec).raw_count(), 40);
}

TEST(Search, MoreCellsKeepThoseThatWereDrawn) {
  for (const uint64_t seed : {0U, 1U, 2U}) {
    const auto all = cells_in_order(drawing(sweep(kWide), 120, seed));
    EXPECT_EQ(all.size(), 120U);
    for (const int64_t cells : {1, 2, 39, 40, 119})
      EXPECT_TRUE(is_beginning(cells_in_order(drawing(sweep(kWide), cells, seed)), all)) << cells;
  }
  const SweepSpec ranged = with_range("train.lr", {.min = 1e-5, .max = 1e-3, .log = true});
  EXPECT_TRUE(is_beginning(cells_in_order(drawing(ranged, 10)), cells_in_order(drawing(ranged, 30))));
}

TEST(Search, AnotherSeedDrawsOtherCells) {
  EXPECT_EQ(ids_of(drawing(sweep(kWide), 20, 1)), ids_of(drawing(sweep(kWide), 20, 1)));
  EXPECT_NE(ids_of(drawing(sweep(kWide), 20, 1)), ids_of(drawing(sweep(kWide), 20, 2)));
}

// Draws are as permanent as ids: a sweep that is read again must mean the same cells.
TEST(Search, ASeedsDrawsNeverChange) {
  EXPECT_EQ(labels_in(drawing(sweep(kWide), 5), "train.lr"),
            (std::vector<std::string>{"6", "3", "6", "4", "3"}));
  EXPECT_EQ(labels_in(drawing(sweep(kWide), 5), "train.batch"),
            (std::vector<std::string>{"2", "2", "3", "4", "4"}));
  EXPECT_EQ(labels_in(drawing(with_range("train.lr", {.min = 1e-5, .max = 1e-3, .log = true}), 3), "train.lr"),
            (std::vector<std::string>{"0.00071416", "0.000711296", "1.81581e-05"}));
  EXPECT_EQ(labels_in(drawing(with_range("train.clip", {.min = 0.5, .max = 2}), 3), "train.clip"),
            (std::vector<std::string>{"1.47414", "1.84688", "0.640425"}));
  EXPECT_EQ(labels_in(drawing(with_range("train.batch", {.min = 1, .max = 64, .log = true}), 3), "train.batch"),
            (std::vector<std::string>{"8", "1", "2"}));
}

TEST(Search, OtherBlocksAndTheOrderOfAxesChangeNoDraw) {
  const std::string lora = "b: {method: lora, lora.rank: [1, 2, 4, 8, 16], train.batch: [1, 2, 3, 4, 5]}\n";
  const std::string turned = "b: {train.batch: [1, 2, 3, 4, 5], lora.rank: [1, 2, 4, 8, 16], method: lora}\n";
  const auto alone = ids_of(drawing(sweep(kHead + "blocks:\n  " + lora), 6));
  EXPECT_EQ(ids_of(drawing(sweep(kHead + "blocks:\n  " + turned), 6)), alone);
  SweepSpec both = sweep(kHead + "blocks:\n  a: {method: full, train.batch: [1, 2, 3, 4, 5, 6, 7]}\n  " + lora);
  std::set<std::string> second;
  for (const auto& trial : trials_of(drawing(both, 6)))
    if (trial.blocks[0] == "b") second.insert(trial.id.text);
  EXPECT_EQ(second, alone);
}

TEST(Search, WhatARuleDropsOrDoesNotExistIsDrawnAgain) {
  const std::string rules = kWide + "exclude: [\"lr > 2\"]\n";
  const auto trials = trials_of(drawing(sweep(rules), 30));
  EXPECT_EQ(trials.size(), 30U);
  for (const auto& trial : trials) EXPECT_LE(trial.settings.train.lr, 2);
  const std::string when = kLora +
                           "axes:\n  train.schedule: [cosine, constant]\n"
                           "  train.warmup: {values: [1, 2, 3], when: train.schedule == cosine}\n";
  EXPECT_EQ(ids_of(drawing(sweep(when), 4)), ids_of(sweep(when)));
}

TEST(Search, EqualCellsAreDrawnOnce) {
  const SweepSpec spec = sweep(kHead + "axes: {method: [full, lora], lora.rank: [4, 8, 16]}\n");
  EXPECT_EQ(Grid(drawing(spec, 4)).raw_count(), 4);  // full has no rank, so that it is one cell
  EXPECT_EQ(ids_of(drawing(spec, 4)), ids_of(spec));
}

TEST(Search, ABlockWithFewerCellsIsTakenWholeAndSaidSo) {
  const Grid grid(drawing(sweep(kWide + "exclude: [\"lr > 1\"]\n"), 40));
  const auto counts = grid.counts();
  EXPECT_EQ(counts[0].cells, 20);
  EXPECT_EQ(warnings_of(grid, counts),
            std::vector<std::string>{"the search takes all 20 cells of block all, fewer than 40 (warning)"});
  const Grid none(drawing(sweep(kWide + "exclude: [\"lr > 0\"]\n"), 40));
  EXPECT_EQ(error_of([&] { none.counts(); }),
            "block all: the search draws no cell that its exclude rules keep; drop a rule");
}

TEST(Search, ARangeGivesNumbersOfSixDigitsBetweenItsEnds) {
  const SweepSpec spec = drawing(with_range("train.lr", {.min = 1e-5, .max = 1e-3, .log = true}), 400);
  int64_t lower = 0;
  for (const auto& trial : trials_of(spec)) {
    const double lr = trial.settings.train.lr;
    EXPECT_GE(lr, 1e-5);
    EXPECT_LE(lr, 1e-3);
    EXPECT_EQ(lr, rounded(lr));
    lower += lr < 1e-4;
  }
  EXPECT_NEAR(static_cast<double>(lower), 200, 40);  // evenly in the logarithm
  EXPECT_EQ(ids_of(spec).size(), 400U);
  EXPECT_EQ(Grid(spec).counts()[0].drawn_of, std::nullopt);
  EXPECT_EQ(Grid(spec).counts()[0].axes, std::vector<std::string>{"train.lr{1e-05..0.001}"});
}

TEST(Search, ARangeOfWholeNumbersGivesDifferentOnesWhilePossible) {
  for (const bool log : {false, true}) {
    const auto batches =
        labels_in(drawing(with_range("train.batch", {.min = 1, .max = 12, .log = log}), 12), "train.batch");
    EXPECT_EQ(std::set<std::string>(batches.begin(), batches.end()).size(), 12U) << log;
  }
  EXPECT_EQ(Grid(drawing(with_range("train.batch", {.min = 1, .max = 12}), 40)).raw_count(), 12);
}

TEST(Search, ATrialIsKnownFromItsIndexAlone) {
  const SweepSpec spec =
      drawing(with_range("train.lr", {.min = 1e-5, .max = 1e-3},
                         kWide.substr(0, kLora.size()) + "axes: {train.batch: [1, 2, 3]}\nseeds: 2\n"),
              9);
  const auto trials = trials_of(spec);
  ASSERT_EQ(trials.size(), 18U);
  EXPECT_EQ(Grid(spec).at(13)->id, trials[13].id);
  EXPECT_EQ(trials[13].index, 13);
}

TEST(Search, AGridTooLargeToCrossIsDrawnFrom) {
  std::string text = kLora + "axes:\n";
  for (const char* key :
       {"train.lr", "train.eps", "train.weight_decay", "train.clip", "lora.alpha", "train.final_lr"})
    text += std::string("  ") + key + ": {min: 0.001, max: 1, count: 9}\n";
  SweepSpec spec = sweep(text);
  for (auto& axis : spec.blocks[0].axes) {
    const auto nine = axis.points;
    for (int i = 0; i < 111; ++i)
      for (AxisPoint point : nine) {
        point.set[axis.name] = point.set[axis.name].get<double>() / (i + 2);
        axis.points.push_back(point);
      }
  }
  EXPECT_EQ(ids_of(drawing(spec, 50)).size(), 50U);
}

TEST(Search, RangesAreRefusedWhereNothingCanBeDrawn) {
  const auto refused = [](const std::string& key, DrawnRange range) {
    return error_of([&] { validate(drawing(with_range(key, range), 3)); });
  };
  EXPECT_EQ(error_of([] { validate(with_range("train.lr", {.min = 1, .max = 2})); }),
            "block all: axis train.lr is a range without a count; give it one, or draw from it with search: "
            "{random: 40}");
  EXPECT_EQ(refused("train.lr", {.min = 2, .max = 1}),
            "block all: axis train.lr: its lower end has to be below its upper one");
  EXPECT_EQ(refused("train.lr", {.min = 0, .max = 1, .log = true}),
            "block all: axis train.lr: both ends of a log have to be above 0");
  EXPECT_EQ(refused("train.batch", {.min = 1.2, .max = 1.8}),
            "block all: axis train.batch takes whole numbers, and there is none between its ends");
  EXPECT_EQ(refused("train.schedule", {.min = 1, .max = 2}),
            "block all: axis train.schedule is no number, so it has no range to draw from; give it values");
  EXPECT_NE(refused("lora.dropout", {.min = 0.5, .max = 2}), "no error");
  EXPECT_EQ(error_of([] { validate(drawing(sweep(kLora), 0)); }),
            "search: random takes a number of cells of at least 1");
}

// ---- include

AxisPoint point(const std::string& label, const std::string& key, const Json& value) {
  return {.label = label, .set = {{key, value}}};
}

// Ranks 4 and 8 of two targets, and rank 64 of one.
SweepSpec with_included(const std::string& more = "") {
  SweepSpec spec = sweep(kLora + "axes: {lora.rank: [4, 8], lora.target: [attn, all]}\n" + more);
  spec.blocks[0].include.push_back(
      {.points = {point("64", "lora.rank", 64), point("all", "lora.target", "all")}, .where = "bad.yaml:9:3"});
  return spec;
}

// A coordinator draws between two messages, whoever asks.
TEST(Search, ItsWorkIsBounded) {
  EXPECT_THROW(Grid(drawing(sweep(kWide), kDrawnCellsMax + 1)), SpecError);
  const SweepSpec rare = with_range("train.lr", {.min = 1e-6, .max = 1.0}, kLora + "exclude: ['lr > 2e-6']\n");
  EXPECT_LT(Grid(drawing(rare, 1000)).raw_count(), 1000);
  EXPECT_THROW(Grid(drawing(with_range("train.batch", {.min = 1, .max = 1e300}), 2)), SpecError);
}

TEST(Include, AddsACellBehindTheCrossedOnes) {
  const auto trials = trials_of(with_included());
  ASSERT_EQ(trials.size(), 5U);
  EXPECT_EQ(trials[4].index, 4);
  EXPECT_EQ(trials[4].settings.lora->rank, 64);
  EXPECT_EQ(trials[4].labels.at("lora.rank"), "64");
  const auto counts = Grid(with_included()).counts();
  EXPECT_EQ(counts[0].cells, 5);
  EXPECT_EQ(counts[0].included, 1);
  EXPECT_EQ(raw_trials(with_included("seeds: 3\n")), 15);
}

TEST(Include, DerivationsHoldAndExcludeRulesDoNot) {
  const SweepSpec spec = with_included("derive: {lora.alpha: 3 * rank}\nexclude: [\"rank >= 8\"]\n");
  const auto trials = trials_of(spec);
  ASSERT_EQ(trials.size(), 3U);
  EXPECT_EQ(trials[2].settings.lora->alpha, 192);
  EXPECT_EQ(Grid(spec).counts()[0].excluded, 2);
}

TEST(Include, OnlyNarrowsIncludedCellsToo) {
  SweepSpec spec = with_included();
  spec.blocks[0].exclude.push_back({.text = "not (rank < 64)", .where = "--only"});
  EXPECT_EQ(trials_of(spec).size(), 4U);
  EXPECT_EQ(Grid(spec).counts()[0].excluded, 1);
}

TEST(Include, ACellThatTheAxesGiveTooIsOneTrial) {
  SweepSpec spec = with_included();
  spec.blocks[0].include[0].points[0] = point("8", "lora.rank", 8);
  EXPECT_EQ(trials_of(spec).size(), 4U);
  EXPECT_EQ(Grid(spec).counts()[0].equal_to, (std::map<std::string, int64_t>{{"all", 1}}));
  spec.blocks[0].exclude.push_back({.text = "rank == 8", .where = "bad.yaml:8:3"});
  EXPECT_EQ(trials_of(spec).size(), 3U);  // the rule drops the crossed ones only
}

TEST(Include, ACellOfALaterBlockKnowsTheIncludedOne) {
  SweepSpec spec =
      sweep(kHead + "method: lora\nblocks:\n  a: {lora.rank: [4, 8]}\n  b: {lora.rank: [16, 32]}\n");
  spec.blocks[0].include.push_back({.points = {point("16", "lora.rank", 16)}, .where = ""});
  EXPECT_EQ(trials_of(spec).size(), 4U);
  EXPECT_EQ(trials_of(spec)[2].blocks, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Grid(spec).counts()[1].equal_to, (std::map<std::string, int64_t>{{"a", 1}}));
}

TEST(Include, AnAxisWithoutAValueIsNotNamedAndOneWithAValueIs) {
  SweepSpec spec = sweep(kLora +
                         "axes:\n  train.schedule: [cosine, constant]\n"
                         "  train.warmup: {values: [1, 2], when: train.schedule == cosine}\n");
  const auto including = [&](const std::string& schedule, const AxisPoint& warmup) {
    SweepSpec out = spec;
    out.blocks[0].include.push_back(
        {.points = {point(schedule, "train.schedule", schedule), warmup}, .where = "bad.yaml:9:3"});
    return out;
  };
  const AxisPoint five = point("5", "train.warmup", Json{{"steps", 5}});
  EXPECT_EQ(trials_of(including("cosine", five)).size(), 4U);
  EXPECT_EQ(trials_of(including("linear", {})).size(), 4U);
  EXPECT_EQ(error_of([&] { validate(including("linear", five)); }),
            "block all: bad.yaml:9:3: include: train.warmup has no value here (when train.schedule == cosine); "
            "leave it out");
  EXPECT_EQ(error_of([&] { validate(including("cosine", {})); }),
            "block all: bad.yaml:9:3: include: train.warmup has to be named, for it has a value here");
}

TEST(Include, WhatIsNoCellOfTheBlockIsRefused) {
  const auto refused = [](std::vector<AxisPoint> points) {
    SweepSpec spec = with_included();
    spec.blocks[0].include.push_back({.points = std::move(points), .where = "bad.yaml:10:3"});
    return error_of([&] { validate(spec); });
  };
  const AxisPoint all = point("all", "lora.target", "all");
  EXPECT_EQ(refused({all}), "block all: bad.yaml:10:3: include names 1 values for 2 axes");
  EXPECT_EQ(refused({{}, all}), "block all: bad.yaml:10:3: include names no value of lora.rank");
  EXPECT_EQ(refused({point("x", "train.lr", 1.0), all}),
            "block all: bad.yaml:10:3: include sets train.lr on axis lora.rank, which does not");
  EXPECT_EQ(refused({point("x", "lora.rank", "x"), all}),
            "block all: lora.rank takes a whole number from 1 to 65536, got \"x\"");
  EXPECT_EQ(refused({point("64", "lora.rank", 64), all}),
            "block all: bad.yaml:10:3: include names a cell twice (first at bad.yaml:9:3)");
}

TEST(Include, IsInAdditionToWhatASearchDraws) {
  const SweepSpec spec = drawing(with_included(), 2);
  const auto trials = trials_of(spec);
  ASSERT_EQ(trials.size(), 3U);
  EXPECT_EQ(trials[2].settings.lora->rank, 64);
  EXPECT_EQ(Grid(spec).counts()[0].included, 1);
}

TEST(Include, ItsInputsAreWanted) {
  SweepSpec spec = sweep(kLora + "rows: {regime: {a: {data.train: a.txt}, b: {data.train: b.txt}}}\n");
  AxisPoint c = spec.blocks[0].axes[0].points[0];
  c.label = "c";
  c.set["data.train"][0]["path"] = "/sweeps/c.txt";
  spec.blocks[0].include.push_back({.points = {c}, .where = ""});
  EXPECT_EQ(wanted_inputs(spec).data.size(), 3U);
}

}  // namespace
}  // namespace ranktide
