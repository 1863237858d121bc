#include "common/vocabulary/random.h"

#include <gtest/gtest.h>
#include <numeric>

namespace ranktide {
namespace {

TEST(SplitMix64, GivesTheReferenceSequence) {  // values of the author's C code for seed 1234567
  SplitMix64 r{1234567};
  EXPECT_EQ(r.next(), 6457827717110365317ULL);
  EXPECT_EQ(r.next(), 3203168211198807973ULL);
}

TEST(SplitMix64, ShuffleIsAPermutationThatTheSeedDecides) {
  std::vector<int> a(100), b(100);
  std::iota(a.begin(), a.end(), 0);
  b = a;
  SplitMix64{7}.shuffle(a);
  SplitMix64{7}.shuffle(b);
  EXPECT_EQ(a, b);
  SplitMix64{8}.shuffle(b);
  EXPECT_NE(a, b);
  std::sort(b.begin(), b.end());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(b[static_cast<size_t>(i)], i);
}

TEST(Philox, GivesTheKnownAnswersOfRandom123) {  // kat_vectors of the Random123 library, philox4x32 10
  const std::array<uint32_t, 4> zero{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  EXPECT_EQ((Philox{0}(0, 0)), zero);
  const std::array<uint32_t, 4> ones{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  EXPECT_EQ((Philox{~0ULL}(~0ULL, ~0ULL)), ones);
}

}  // namespace
}  // namespace ranktide
