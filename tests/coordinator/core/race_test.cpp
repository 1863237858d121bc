#include "coordinator/core/race.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace ranktide {
namespace {

constexpr double kWorst = -std::numeric_limits<double>::infinity();

// Returns: the indices of those that go on, where scores come one after the other.
std::vector<size_t> going_on(const std::vector<double>& scores, int eta) {
  Races races;
  std::vector<size_t> out;
  for (size_t i = 0; i < scores.size(); ++i) {
    const StageId stage{"stage" + std::to_string(i)};
    races.scouts[stage] = {.cell = CellId{stage.text}, .contests = {"contest"}, .rungs = {{0, 3}}};
    races.add_score({.stage = stage, .k = 0, .at = 3}, scores[i]);
    if (!is_behind(standing_of(stage, races.scores.at({"contest", 0})), eta)) out.push_back(i);
  }
  return out;
}
using Indices = std::vector<size_t>;

TEST(Race, AllGoOnWhileFewerThanEtaHaveCome) {
  EXPECT_EQ(going_on({3, 2}, 3), (Indices{0, 1}));
  EXPECT_EQ(going_on({3, 2, 1}, 3), (Indices{0, 1})) << "the third is judged";
  EXPECT_EQ(going_on({1, 2, 3}, 3), (Indices{0, 1, 2})) << "who came first is not judged again";
}

TEST(Race, WhoIsOfTheBestEtathGoesOnAndTheBestAlways) {
  EXPECT_EQ(going_on({4, 3, 2, 1}, 2), (Indices{0})) << "place 2 of 2, 3 of 3, 4 of 4";
  EXPECT_EQ(going_on({4, 3, 3.5, 3.7}, 2), (Indices{0, 3})) << "two of four";
  EXPECT_EQ(going_on({9, 8, 7, 6, 5, 10}, 3), (Indices{0, 1, 5}));
}

TEST(Race, TiesGoOn) {
  EXPECT_EQ(going_on({1, 1, 1, 1}, 2), (Indices{0, 1, 2, 3}));
  EXPECT_EQ(going_on({2, 1, 1}, 2), (Indices{0})) << "with the best only";
}

TEST(Race, WhatIsNoNumberComesLast) {
  EXPECT_EQ(going_on({kWorst, std::nan("")}, 2), (Indices{0, 1})) << "nobody is ahead";
  EXPECT_EQ(going_on({-1e300, std::nan("")}, 2), (Indices{0}));
  EXPECT_EQ(going_on({std::nan(""), -1e300, 0}, 3), (Indices{0, 1, 2}));
}

// What it lists itself it enters under a name that it lists, so that there is nothing to look for.
TEST(Race, OnlyWhatARevisionBeganWithIsLookedThroughForWhatIsGone) {
  Races races;
  races.enter(StageId{"gone"}, {.cell = CellId{"cell"}, .contests = {"contest"}, .rungs = {{0, 3}}});
  races.keep_listed();
  EXPECT_EQ(races.scouts.size(), 1u) << "nothing was carried";
  races.has_kept = true;
  races.keep_listed();
  EXPECT_TRUE(races.scouts.empty());
  EXPECT_TRUE(races.rung_evals.empty());
  EXPECT_FALSE(races.has_kept);
}

TEST(Race, WhatIsStoppedIsCountedByWhetherItWasCompleted) {
  Races races;
  const StageId ended{"ended"}, cut{"cut"};
  races.stop(ended, true);
  races.stop(cut, false);
  races.stop(ended, true);  // found behind again, where it is listed
  EXPECT_EQ(races.stopped.size(), 2u);
  EXPECT_EQ(races.stopped_completed, 1);
  races.go_on(cut);
  EXPECT_EQ(races.stopped_completed, 1);
  races.go_on(ended);
  races.go_on(ended);
  EXPECT_TRUE(races.stopped.empty());
  EXPECT_EQ(races.stopped_completed, 0);
}

}  // namespace
}  // namespace ranktide
