#include "common/sweep/number_rule.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "common/vocabulary/random.h"

namespace ranktide {
namespace {

const std::vector<std::string> kWords{"rank", "warmup", "packing", "target", "absent", "tokens"};
const std::vector<Json> kMeanings{64, -0.5, true, "attn", nullptr, int64_t{9'007'199'254'740'993}};

std::optional<Json> meaning_of(const std::string& word) {
  const auto at = std::find(kWords.begin(), kWords.end(), word);
  return at == kWords.end() ? std::nullopt : std::optional(kMeanings[static_cast<size_t>(at - kWords.begin())]);
}

// Returns: nullopt where it does not know.
std::optional<Json> told_by_numbers(const std::string& text) {
  const auto rule = NumberRule::of(parse_expression(text), kWords);
  if (!rule) return std::nullopt;
  const PlainValue value = rule->at([](size_t word) { return plain_of(kMeanings[word]); });
  return value.kind == PlainValue::Kind::unknown ? std::nullopt : std::optional(json_of(value));
}

TEST(NumberRule, ComputesAndDecides) {
  EXPECT_EQ(told_by_numbers("2e-4 * sqrt(16 / rank) + warmup ** 2"), Json(1e-4 + 0.25));
  EXPECT_EQ(told_by_numbers("min(rank, 8) + max(1, 2, 3) + round(2.5) - log2(8)"), Json(11.0));
  EXPECT_EQ(told_by_numbers("rank > 32 and not warmup >= 0 or packing"), Json(true));
  EXPECT_EQ(told_by_numbers("3 if rank != 64 else -rank"), Json(-64.0));
  EXPECT_EQ(told_by_numbers("packing == (rank <= 64)"), Json(true));
}

TEST(NumberRule, LeavesWhatIsNoNumberToWhoKnowsIt) {
  for (const char* text : {"1 / (rank - 64)", "sqrt(warmup)", "10 ** 400", "target == attn", "absent > 1",
                           "absent == 1", "tokens == 9007199254740992", "rank and packing", "rank in (1, 64)",
                           "'text'", "true", "unknown + 1", "packing + 1", "rank == packing"})
    EXPECT_EQ(told_by_numbers(text), std::nullopt) << text;
  EXPECT_EQ(told_by_numbers("packing or 1 / 0 > 1"), Json(true)) << "as nobody asks for the other side";
  EXPECT_EQ(told_by_numbers("rank if packing else target"), Json(64.0));
}

std::string made_up(SplitMix64& chance, int depth) {
  static const std::vector<std::string> kAtoms{"rank", "warmup", "packing", "0",
                                               "2.5",  "-3",     "target",  "absent"};
  static const std::vector<std::string> kJoints{
      "+", "-", "*", "/", "**", "<", "<=", ">", ">=", "==", "!=", "and", "or"};
  if (depth == 0) return kAtoms[chance.below(chance.below(8) == 0 ? kAtoms.size() : 6)];
  const auto part = [&] {
    return "(" + made_up(chance, static_cast<int>(chance.below(static_cast<uint64_t>(depth)))) + ")";
  };
  switch (chance.below(8)) {
    case 0:
      return part() + " if " + part() + " else " + part();
    case 1:
      return (chance.below(2) ? "-" : "not ") + part();
    case 2:
      return "max(" + part() + ", " + part() + ")";
    case 3:
      return "round" + part();
    default:
      return part() + " " + kJoints[chance.below(kJoints.size())] + " " + part();
  }
}

TEST(NumberRule, SaysNothingElseThanTheExpression) {
  SplitMix64 chance(11);
  int told = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = made_up(chance, 1 + i % 4);
    const auto value = told_by_numbers(text);
    if (!value) continue;
    ++told;
    EXPECT_EQ(*value, evaluate(parse_expression(text), meaning_of)) << text;
  }
  EXPECT_GT(told, 4000);
}

}  // namespace
}  // namespace ranktide
