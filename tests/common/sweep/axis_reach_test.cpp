#include "common/sweep/axis_reach.h"

#include <gtest/gtest.h>

#include "common/sweep/block_cells.h"
#include "common/sweep/rule_words.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

// Axes by name: rank 1, schedule 2, warmup 4, regime 8.
Block block_of_four_axes() {
  return sweep(kHead +
               "method: lora\naxes:\n  lora.rank: [4, 8]\n  train.schedule: [cosine, wsd]\n"
               "  train.warmup: {values: [1, 2], when: train.schedule == cosine}\n"
               "rows: {regime: {a: {train.batch: 1}, b: {data.max_tokens: 64}}}\n"
               "derive: {train.clip: 2 if regime == a else alpha}\n")
      .blocks[0];
}

AxisSet axes_of(const Block& block, const std::vector<std::string>& names) {
  AxisSet out = 0;
  for (size_t axis = 0; axis < block.axes.size(); ++axis)
    for (const auto& name : names)
      if (block.axes[axis].name == name) out |= AxisSet{1} << axis;
  return out;
}

TEST(AxisReach, GoesThroughPointsConditionsEffectsDefaultsAndDerivations) {
  const Block block = block_of_four_axes();
  const AxisReach reach(block);
  const auto expect = [&](const std::string& key, const std::vector<std::string>& names) {
    EXPECT_EQ(reach.of_setting(key).axes, axes_of(block, names)) << key;
  };
  expect("train.lr", {});
  expect("lora.rank", {"lora.rank"});
  expect("train.warmup", {"train.warmup", "train.schedule"});  // its condition
  expect("train.cooldown", {"train.schedule"});                // its effect
  expect("train.final_lr", {"train.schedule"});                // its default
  expect("lora.alpha", {"lora.rank"});                         // likewise
  expect("train.batch", {"regime"});                           // one of a row's keys
  expect("train.clip", {"regime", "lora.rank"});               // a derivation, through a default
  EXPECT_EQ(reach.of_rule("clip > 1 and schedule == wsd").axes,
            axes_of(block, {"regime", "lora.rank", "train.schedule"}));
}

TEST(AxisReach, ASettingHasItsValueInTheNarrowedBlockToo) {
  const Block block = block_of_four_axes();
  const Reach reach = AxisReach(block).of_setting("train.clip");
  const BlockCells whole(block);
  const BlockCells part(narrowed(block, reach));
  EXPECT_EQ(part.count(), 4);
  std::set<Json> in_whole, in_part;
  for (int64_t cell = 0; cell < whole.count(); ++cell)
    if (const auto found = whole.at(cell)) in_whole.insert(found->set.at("train.clip"));
  for (int64_t cell = 0; cell < part.count(); ++cell) in_part.insert(part.at(cell)->set.at("train.clip"));
  EXPECT_EQ(in_part, in_whole);
  EXPECT_EQ(in_part, (std::set<Json>{2, 8, 16}));
}

// Rules are as many as a spec has room for, and their tables stay at once.
TEST(RuleWords, AreAskedOfTheCellWhereTheirTablesSpareNothing) {
  const Block block = block_of_four_axes();
  const AxisReach reach(block);
  const auto words = [&](const char* rule, int64_t meanings_max) {
    return RuleWords(block, reach, rule, RuleWords::Use::excludes, meanings_max);
  };
  const RuleWords both = words("warmup + rank > 4", 100);
  EXPECT_TRUE(both.is_worth_it());
  EXPECT_EQ(both.meanings(), 4 + 2);
  EXPECT_TRUE(words("warmup + rank > 4", 6).is_worth_it());
  EXPECT_FALSE(words("warmup + rank > 4", 5).is_worth_it()) << "no room";

  Block derived = block;
  derived.derive["train.batch"] = "warmup + rank if regime == a else 1";
  const RuleWords all(derived, AxisReach(derived), "batch > 1", RuleWords::Use::excludes, 100);
  EXPECT_FALSE(all.is_worth_it()) << "as many meanings as cells";
}

// Texts, settings without a value, errors in cells that are not asked and numbers alone: all of it is as if the
// rule were evaluated in the cell.
TEST(RuleWords, SayWhatTheRuleDoesInTheCell) {
  const Block block = block_of_four_axes();
  const AxisReach reach(block);
  const BlockCells cells(block);
  for (const char* text :
       {"warmup + rank > 4 and regime == a", "batch * rank if regime == a else alpha + warmup",
        "warmup == rank / 4", "schedule == wsd or rank / (rank - 4) > warmup",
        "max(rank, 3 * warmup) in (4, 8) and regime != b", "min(rank, 8 * warmup) - clip",
        "warmup >= 1 or rank == 4", "(regime == a) == (rank == 4)",
        "schedule if rank > 4 and regime == b else schedule",
        "sqrt(rank) ** (2 * warmup) - round(batch / 2)"}) {
    RuleWords words(block, reach, text, RuleWords::Use::excludes, 1000);
    ASSERT_TRUE(words.is_worth_it()) << text;
    const Expression rule = parse_expression(text);
    std::vector<uint32_t> stands(4);
    int64_t told = 0;
    for (int64_t cell = 0; cell < cells.count(); ++cell) {
      for (int64_t axis = 3, left = cell; axis >= 0; --axis, left /= 2)
        stands[static_cast<size_t>(axis)] = static_cast<uint32_t>(left % 2);
      const auto found = cells.at(cell);
      if (!found) continue;
      const auto value = words.value_at(stands);
      try {
        const NameLookup names = [&](const std::string& name) { return cells.meaning(name, *found); };
        EXPECT_EQ(value, evaluate(rule, names)) << text << " in " << cell;
        ++told;
      } catch (const ExpressionError&) {
        EXPECT_EQ(value, std::nullopt) << text << " in " << cell;
      }
    }
    EXPECT_GT(told, 0) << text;
  }
}

}  // namespace
}  // namespace ranktide
