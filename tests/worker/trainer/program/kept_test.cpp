#include "worker/trainer/program/kept.h"

#include <gtest/gtest.h>
#include <stdexcept>

namespace ranktide {
namespace {

struct Counted {
  Kept<int> kept{2};
  int made = 0;

  int get(const std::string& key, int value) {
    return *kept.get(key, [&] { return ++made, std::make_shared<const int>(value); });
  }
};

TEST(Kept, MakesAValueOncePerKey) {
  Counted c;
  EXPECT_EQ(c.get("a", 1), 1);
  EXPECT_EQ(c.get("a", 2), 1);
  EXPECT_EQ(c.made, 1);
}

TEST(Kept, LetsTheLongestUnusedGoAtTheLimit) {
  Counted c;
  c.get("a", 1);
  c.get("b", 2);
  c.get("a", 1);
  c.get("c", 3);  // b goes
  EXPECT_EQ(c.made, 3);
  c.get("a", 1);
  EXPECT_EQ(c.made, 3);
  c.get("b", 2);
  EXPECT_EQ(c.made, 4);
}

TEST(Kept, KeepsNothingOfAValueThatCouldNotBeMade) {
  Counted c;
  const auto fail = []() -> std::shared_ptr<const int> { throw std::runtime_error("no"); };
  EXPECT_THROW(c.kept.get("a", fail), std::runtime_error);
  EXPECT_EQ(c.get("a", 1), 1);
}

TEST(Kept, WhoHoldsAValueKeepsItAlive) {
  Kept<int> kept(1);
  const auto held = kept.get("a", [] { return std::make_shared<const int>(7); });
  kept.clear();
  EXPECT_EQ(*held, 7);
}

}  // namespace
}  // namespace ranktide
