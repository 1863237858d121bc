// Statistics against published values and against simulated coverage.
#include "coordinator/edge/statistics.h"

#include <cmath>
#include <gtest/gtest.h>
#include <numbers>

#include "common/vocabulary/random.h"

namespace ranktide {
namespace {

// Box and Muller; enough for a test.
double normal(SplitMix64& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.unit()));
  return radius * std::cos(2 * std::numbers::pi * random.unit());
}

TEST(StudentsT, CriticalValuesAreThoseOfTheTables) {
  EXPECT_NEAR(t_critical(1, 0.95), 12.7062, 5e-5);
  EXPECT_NEAR(t_critical(2, 0.95), 4.30265, 5e-6);
  EXPECT_NEAR(t_critical(3, 0.99), 5.84091, 5e-6);
  EXPECT_NEAR(t_critical(10, 0.95), 2.22814, 5e-6);
  EXPECT_NEAR(t_critical(30, 0.90), 1.69726, 5e-6);
  EXPECT_NEAR(t_critical(200, 0.95), 1.97190, 5e-6);
  EXPECT_NEAR(t_critical(1e7, 0.95), 1.95996, 5e-6);
}

TEST(StudentsT, TailOfOneDegreeIsCauchys) {
  EXPECT_NEAR(t_two_sided(1, 1), 0.5, 1e-12);
  EXPECT_NEAR(t_two_sided(0, 5), 1, 1e-12);
}

TEST(ChiSquared, UpperTailsAreThoseOfTheTables) {
  EXPECT_NEAR(chi_squared_upper(3.841459, 1), 0.05, 1e-7);
  EXPECT_NEAR(chi_squared_upper(9.210340, 2), 0.01, 1e-7);
  EXPECT_NEAR(chi_squared_upper(18.307038, 10), 0.05, 1e-7);
}

TEST(SpreadOfReplicates, SurvivesALargeMean) {
  const Spread spread = spread_of({1e7 - 0.1, 1e7, 1e7 + 0.1});
  EXPECT_NEAR(*spread.variance(), 0.01, 1e-7);
}

TEST(SpreadOfReplicates, HasNoVarianceBelowTwo) {
  EXPECT_FALSE(spread_of({3.0}).variance());
  EXPECT_FALSE(spread_of({}).variance());
}

TEST(PooledSpread, WeighsBySumOfSquares) {
  Pooled pooled;
  pooled.add(spread_of({1, 3}));        // squares 2, df 1
  pooled.add(spread_of({10, 10, 13}));  // squares 6, df 2
  EXPECT_EQ(pooled.df, 3);
  EXPECT_NEAR(*pooled.half_width(2), t_critical(3, 0.95) * std::sqrt(8.0 / 3 / 2), 1e-12);
}

TEST(PooledSpread, IsUnknownWithoutReplicates) {
  Pooled pooled;
  pooled.add(spread_of({1}));
  EXPECT_FALSE(pooled.half_width(1));
}

// Two seeds in each of five cells, the shape of a small sweep: the claim of 95 % must be true where it is used.
TEST(PooledSpread, CoversTheTrueMeanNinetyFiveTimesInAHundred) {
  constexpr int kRounds = 20'000;
  SplitMix64 random(7);
  int covered = 0;
  for (int round = 0; round < kRounds; ++round) {
    Pooled pooled;
    Spread first;
    for (int cell = 0; cell < 5; ++cell) {
      const Spread spread = spread_of({cell + normal(random), cell + normal(random)});
      if (cell == 0) first = spread;
      pooled.add(spread);
    }
    covered += std::abs(first.mean) <= *pooled.half_width(2);
  }
  EXPECT_NEAR(covered / double{kRounds}, 0.95, 0.006);  // four standard errors
}

// Snedecor and Cochran's kind of example, worked by hand: s² = 2, 8, 32 with df 3 each.
TEST(Bartlett, AgreesWithAHandWorkedExample) {
  const std::vector<Spread> samples{{.n = 4, .mean = 0, .squares = 6},
                                    {.n = 4, .mean = 0, .squares = 24},
                                    {.n = 4, .mean = 0, .squares = 96}};
  const double statistic = 9 * std::log(14.0) - 3 * (std::log(2.0) + std::log(8.0) + std::log(32.0));
  const double correction = 1 + (1 - 1.0 / 9) / 6;
  EXPECT_NEAR(*bartlett(samples), std::exp(-statistic / correction / 2), 1e-12);  // 2 degrees: an exponential
}

TEST(Bartlett, RejectsEqualVariancesOnceInAHundred) {
  constexpr int kRounds = 5'000;
  SplitMix64 random(11);
  int rejected = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Spread> cells;
    for (int cell = 0; cell < 4; ++cell)
      cells.push_back(spread_of({normal(random), normal(random), normal(random)}));
    rejected += *bartlett(cells) < 0.01;
  }
  EXPECT_NEAR(rejected / double{kRounds}, 0.01, 0.006);
}

TEST(Bartlett, HasNothingToSayOfOneSample) {
  EXPECT_FALSE(bartlett({spread_of({1, 2})}));
}

}  // namespace
}  // namespace ranktide
