#include "common/sweep/comparison_check.h"

#include <gtest/gtest.h>

#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

const std::string kMix = kHead + "method: lora\naxes: {lora.rank: [4, 8], lora.target: [attn, all]}\n" +
                         "rows: {mix: {0.1: {train.batch: 1}, my-label: {train.batch: 2}}}\n";

// Returns: what is said of an expression as a derivation of the rate, from its key on.
std::string said_of_rate(const std::string& condition) {
  const std::string message = error_in(kMix + "derive: {train.lr: \"1e-3 if " + condition + " else 1e-4\"}\n");
  const std::string place = "bad.yaml:10:10: derive train.lr: ";
  return message.starts_with(place) ? message.substr(place.size()) : message;
}

TEST(ComparisonCheck, WhatNeverHoldsIsRefused) {
  EXPECT_EQ(said_of_rate("mix == 0.1"), "mix has labels, which are texts; write it in quotes: '0.1'");
  EXPECT_EQ(said_of_rate("mix in (0.1, 'my-label')"),
            "mix has labels, which are texts; write it in quotes: '0.1'");
  EXPECT_EQ(said_of_rate("rank == four"), "lora.rank is a number and never \"four\"");
  EXPECT_EQ(said_of_rate("rank != '4'"), "lora.rank is a number and never \"4\"; leave the quotes out");
  EXPECT_EQ(said_of_rate("'4' == rank"), "lora.rank is a number and never \"4\"; leave the quotes out");
  EXPECT_EQ(said_of_rate("target == atn"),
            "lora.target is attn, mlp, all, or modules joined by + and never \"atn\"; did you mean \"attn\"?");
  EXPECT_EQ(said_of_rate("method == 3"), "method is one of lora, full and never 3");
  EXPECT_EQ(said_of_rate("packing == 1"), "data.packing is true or false and never 1");
  EXPECT_EQ(said_of_rate("packing == yes"), "data.packing is true or false and never \"yes\"");
  const std::string rows = "; name the alternatives under rows and compare with the name";
  EXPECT_EQ(said_of_rate("train == 'e.txt'"),
            "data.train is a list or a map, which equals no one value" + rows);
  EXPECT_EQ(said_of_rate("model.path == m"), "model.path is a whole path and never \"m\"" + rows);
}

TEST(ComparisonCheck, WhatMayHoldIsTaken) {
  for (const char* condition :
       {"mix == '0.1'", "rank == 4", "target == attn", "attn == target", "target in (mlp, 'q_proj+v_proj')",
        "method != full", "packing == true", "model.path == '/m'", "warmup == 10%", "rank == alpha",
        "template == chat", "full == method"})
    EXPECT_EQ(said_of_rate(condition), "no error") << condition;
  EXPECT_EQ(trials_of(sweep(kMix + "exclude: [\"attn == target\"]\n")).size(), 4U);
}

TEST(ComparisonCheck, ConditionsAndExcludeRulesAreAskedTheSame) {
  EXPECT_EQ(error_in(kMix + "exclude: [rank == four]\n"),
            "bad.yaml:10:11: exclude: lora.rank is a number and never \"four\"");
  EXPECT_EQ(
      error_in(kHead + "method: lora\naxes: {lora.rank: [4, 8], train.batch: {values: [1, 2], when: rank == "
                       "four}}\n"),
      "bad.yaml:8:27: when of train.batch: lora.rank is a number and never \"four\"");
  EXPECT_EQ(error_in(kMix + "exclude: [{data.train: e.txt}]\n"),
            "bad.yaml:10:24: data.train cannot stand in an exclude rule; name the alternatives under rows, and "
            "exclude "
            "the name");
}

TEST(ComparisonCheck, AValueThatReadsAsAnExpressionIsToBeQuoted) {
  const auto unknown = [](const std::string& word, const std::string& value) {
    return "unknown name \"" + word + "\"; write the value in quotes: '" + value + "'";
  };
  EXPECT_EQ(said_of_rate("lora.target == attn+mlp"), unknown("attn", "attn+mlp"));
  EXPECT_EQ(said_of_rate("scaling == alpha/r"), unknown("r", "alpha/r"));
  EXPECT_EQ(said_of_rate("mix == my-label"), unknown("my", "my-label"));
  EXPECT_EQ(error_in(kLora + "derive: {lora.target: attn if rank < 8 else all}\n"),
            "bad.yaml:9:10: derive lora.target: " + unknown("attn", "attn"));
  EXPECT_EQ(error_in(kLora + "rows: {a-b: {x: {train.batch: 1}, y: {train.batch: 2}}}\nexclude: [a-b == x]\n"),
            "bad.yaml:10:11: exclude: unknown name \"a\"; in an expression a dash is a minus, so no rule can "
            "name a-b: "
            "give that axis another name");
}

// What a journal holds was written by a version that took it.
TEST(ComparisonCheck, ASpecOfTheWireMayCompareWithAnything) {
  SweepSpec spec = sweep(kMix);
  spec.blocks[0].derive["train.lr"] = "1e-3 if mix == 0.1 or rank == four else 1e-4";
  EXPECT_EQ(error_of([&] { validate(spec); }), "no error");
  for (const auto& trial : trials_of(spec)) EXPECT_EQ(trial.settings.train.lr, 1e-4);
}

}  // namespace
}  // namespace ranktide
