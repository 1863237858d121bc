#include "worker/trainer/lm/arena.h"

#include <gtest/gtest.h>

namespace ranktide {
namespace {

constexpr int64_t kMany = int64_t{20} << 20;  // floats of more than one block

TEST(Arena, TakesWhatAFrameGaveBackAgain) {
  Arena arena;
  const void* first = nullptr;
  for (int round = 0; round < 2; ++round) {
    const Frame frame(arena);
    arena.take({3, 5}, at::kFloat);
    const at::Tensor x = arena.take({2, 7}, at::kBFloat16);
    if (round == 0) first = x.const_data_ptr();
    EXPECT_EQ(x.const_data_ptr(), first);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 64, 0U);
    EXPECT_EQ(x.sizes(), (at::IntArrayRef{2, 7}));
    EXPECT_EQ(x.scalar_type(), at::kBFloat16);
  }
}

TEST(Arena, AnInnerFrameLeavesWhatWasTakenBefore) {
  Arena arena;
  const Frame frame(arena);
  const at::Tensor x = arena.take({4}, at::kFloat).fill_(7);
  {
    const Frame inner(arena);
    arena.take({4}, at::kFloat).fill_(1);
  }
  arena.take({4}, at::kFloat).fill_(2);
  EXPECT_EQ(x.sum().item<float>(), 28);
}

// 80 and 80 MB do not fit a block together; the next round finds them end to end in one.
TEST(Arena, MakesOneBlockOfSeveralOnceAllIsGivenBack) {
  Arena arena;
  for (int round = 0; round < 2; ++round) {
    const Frame frame(arena);
    const at::Tensor x = arena.take({kMany}, at::kFloat), y = arena.take({kMany}, at::kFloat);
    const auto* end = x.const_data_ptr<float>() + kMany;
    EXPECT_EQ(y.const_data_ptr<float>() == end, round == 1);
  }
  arena.release();
}

TEST(Arena, CutsWhatWasReservedBeforeItTakesMore) {
  Arena arena;
  arena.reserve(4 * kMany);
  EXPECT_EQ(arena.held_bytes(), 4 * kMany);
  const Frame frame(arena);
  arena.take({kMany}, at::kFloat);
  EXPECT_EQ(arena.held_bytes(), 4 * kMany);
  arena.take({kMany}, at::kFloat);
  EXPECT_EQ(arena.held_bytes(), 8 * kMany);
  EXPECT_EQ(arena.most_used_bytes(), 8 * kMany);
}

TEST(Arena, DoesWithoutWhatIsNotToBeHadAtOnce) {
  Arena arena;
  arena.reserve(int64_t{1} << 60);
  const Frame frame(arena);
  EXPECT_EQ(arena.take({4}, at::kFloat).fill_(2).sum().item<float>(), 8);
}

TEST(Arena, ConvertsOnlyWhatHasAnotherDtype) {
  Arena arena;
  const Frame frame(arena);
  const at::Tensor x = arena.take({4}, at::kFloat).fill_(1.5);
  EXPECT_TRUE(arena.converted(x, at::kFloat).is_same(x));
  EXPECT_EQ(arena.converted(x, at::kBFloat16).scalar_type(), at::kBFloat16);
}

}  // namespace
}  // namespace ranktide
