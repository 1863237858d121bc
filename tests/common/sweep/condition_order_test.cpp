#include "common/sweep/condition_order.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

std::string with_axes(const std::vector<std::string>& lines) {
  std::string out = kHead + "method: full\naxes:\n";
  for (const std::string& line : lines) out += "  " + line + "\n";
  return out;
}

std::vector<std::string> names_in(const SweepSpec& spec) {
  std::vector<std::string> out;
  for (const Axis& axis : spec.blocks.at(0).axes) out.push_back(axis.name);
  return out;
}

// The `when` of decay_rule read the constant where weight_decay stood below it, and one trial was lost.
TEST(ConditionOrder, ATrialHangsOnNoOrderInTheFile) {
  std::vector<std::string> lines{"train.decay_rule: {values: [times_lr, per_step], when: weight_decay > 0}",
                                 "train.optimizer: [adamw, lion]",
                                 "train.weight_decay: {values: [0, 0.1], when: optimizer == adamw}"};
  std::sort(lines.begin(), lines.end());
  const auto ids = ids_of(sweep(with_axes(lines)));
  EXPECT_EQ(ids.size(), 4U);
  while (std::next_permutation(lines.begin(), lines.end()))
    EXPECT_EQ(ids_of(sweep(with_axes(lines))), ids) << with_axes(lines);
}

TEST(ConditionOrder, GoesThroughDerivationsAndDefaults) {
  const std::string text =
      with_axes({"train.eps: {values: [1e-8, 1e-6], when: clip > 1}",
                 "train.batch: {values: [2, 4], when: optimizer == adamw}", "train.optimizer: [adamw, lion]"}) +
      "derive: {train.clip: batch / 2}\n";
  EXPECT_EQ(names_in(sweep(text)), (std::vector<std::string>{"train.batch", "train.eps", "train.optimizer"}));
}

// A trial's number is its place among the axes, and those that were in order keep theirs.
TEST(ConditionOrder, OnlyWhatReadsALaterConditionMoves) {
  const std::string warmup = "train.warmup: {values: [1, 2], when: batch > 2}";
  const std::string batch = "train.batch: {values: [2, 4], when: optimizer == adamw}";
  EXPECT_EQ(names_in(sweep(with_axes({batch, "train.optimizer: [adamw, lion]", warmup}))),
            (std::vector<std::string>{"train.batch", "train.optimizer", "train.warmup"}));
  EXPECT_EQ(names_in(sweep(with_axes({warmup, "train.optimizer: [adamw, lion]", batch}))),
            (std::vector<std::string>{"train.batch", "train.optimizer", "train.warmup"}));
}

TEST(ConditionOrder, IncludedCellsStandBesideTheAxesInTheirOrder) {
  const std::string text =
      with_axes({"train.warmup: {values: [1, 2], when: batch > 2}",
                 "train.batch: {values: [2, 4], when: optimizer == adamw}", "train.optimizer: [adamw, lion]"}) +
      "include: [{optimizer: adamw, batch: 8, warmup: 3}]\n";
  EXPECT_EQ(trials_of(sweep(text)).back().settings.train.batch, 8);
  EXPECT_EQ(trials_of(sweep(text)).back().settings.train.warmup.steps, 3);
}

TEST(ConditionOrder, ACircleIsRefusedAtItsLine) {
  const std::string method = "method: lora\n";
  EXPECT_EQ(error_in(kHead + method +
                     "axes:\n  lora.rank: {values: [2, 4], when: batch > 4}\n"
                     "  train.batch: {values: [4, 8], when: rank == 2}\n"),
            "bad.yaml:9:3: when of lora.rank hangs on train.batch, and the other way round; break the circle");
  EXPECT_EQ(
      error_in(kHead +
               "blocks:\n  a: {method: full, axes: {train.batch: {values: [4, 8], when: batch > 1}}}\n"),
      "bad.yaml:8:28: block a: when of train.batch hangs on what the axis itself sets; compare with another "
      "key");
}

// lora.alpha's default is made of the rank, and here nothing is left to it.
TEST(ConditionOrder, ASettingThatIsSetHangsOnNoDefault) {
  EXPECT_EQ(
      trials_of(sweep(kLora + "axes: {lora.alpha: [16, 32], lora.rank: {values: [2, 4], when: alpha == 32}}\n"))
          .size(),
      3U);
}

TEST(ConditionOrder, ASpecOfTheWireIsReadAsItStands) {
  SweepSpec spec =
      sweep(with_axes({"train.batch: {values: [2, 4], when: optimizer == adamw}",
                       "train.warmup: {values: [1, 2], when: batch > 2}", "train.optimizer: [adamw, lion]"}));
  const size_t in_order = trials_of(spec).size();
  std::swap(spec.blocks[0].axes[0], spec.blocks[0].axes[1]);
  EXPECT_NE(trials_of(spec).size(), in_order) << "a journal's trials are those that it listed";
}

}  // namespace
}  // namespace ranktide
