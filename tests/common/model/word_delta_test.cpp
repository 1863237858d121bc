#include "common/model/word_delta.h"

#include <bit>
#include <gtest/gtest.h>

#include "common/vocabulary/random.h"

namespace ranktide {
namespace {

using Words = std::vector<uint32_t>;

Words drawn(uint64_t seed, size_t count) {
  SplitMix64 chance{seed};
  Words words;
  for (size_t i = 0; i < count; ++i) words.push_back(static_cast<uint32_t>(chance.next()));
  return words;
}

Words restored(Words from, const Words& words) {
  const auto delta = word_delta(words, from);
  add_word_delta(from, delta);
  return from;
}

TEST(WordDelta, RestoresEveryWord) {
  const Words ends{0, 1, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff};
  for (const uint32_t word : ends)
    for (const uint32_t from : ends)
      EXPECT_EQ(restored({from}, {word}), Words{word}) << word << " from " << from;
  EXPECT_EQ(restored(drawn(1, 1000), drawn(2, 1000)), drawn(2, 1000));
  EXPECT_EQ(restored({}, {}), Words{});
}

TEST(WordDelta, HasZerosAboveWhatChangedLittleUpOrDown) {
  const std::vector<float> before{0.5F, -0.25F, 3.0F, -1e-3F};
  Words from, words;
  for (const float value : before) {
    from.push_back(std::bit_cast<uint32_t>(value));
    words.push_back(from.back() + (from.size() % 2 == 0 ? 100U : static_cast<uint32_t>(-100)));
  }
  const auto delta = word_delta(words, from);
  ASSERT_EQ(delta.size(), 16U);
  for (size_t i = 0; i < 4; ++i) EXPECT_NE(delta[i], std::byte{0});
  for (size_t i = 4; i < 16; ++i) EXPECT_EQ(delta[i], std::byte{0}) << i;
}

}  // namespace
}  // namespace ranktide
