#include "common/sweep/expression.h"

#include <gtest/gtest.h>

#include "common/sweep/text_bytes.h"
#include "tests/common/sweep/sweep_language.h"

namespace ranktide {
namespace {

std::optional<Json> name(const std::string& n) {
  if (n == "rank") return 64;
  if (n == "target") return "attn";
  if (n == "regime") return "code";
  if (n == "packing") return true;
  if (n == "absent") return nullptr;
  return std::nullopt;
}

Json value(const std::string& text) {
  return evaluate(parse_expression(text), name);
}

std::string expression_refusal(const std::string& text) {
  try {
    return "value " + value(text).dump();
  } catch (const ExpressionError& e) {
    return e.what();
  }
}

TEST(Expression, ComputesAsWritten) {
  EXPECT_EQ(value("2e-4 * sqrt(16 / rank)"), 1e-4);
  EXPECT_EQ(value("(2e-4 if rank < 256 else 1e-4) * (1 if regime == code else 0.5)"), 2e-4);
  EXPECT_EQ(value("-2 ** 2"), -4.0);
  EXPECT_EQ(value("2 ** 3 ** 2"), 512.0);
  EXPECT_EQ(value("7 - 2 - 1"), 4.0);
  EXPECT_EQ(value("min(rank, 8) + max(1, 2, 3) + round(2.5) + log2(8)"), 17.0);
}

TEST(Expression, ComparesNamesWithBareWords) {
  EXPECT_EQ(value("rank > 32 and target == attn"), true);
  EXPECT_EQ(value("target = mlp or target in (attn, all)"), true);
  EXPECT_EQ(value("not target != attn"), true);
  EXPECT_EQ(value("target not in ('attn', all)"), false);
  EXPECT_EQ(value("packing = true"), true);
}

TEST(Expression, ASettingWithoutAValueEqualsNothingAndComparesFalse) {
  EXPECT_EQ(value("absent = 3"), false);
  EXPECT_EQ(value("absent >= 0 or absent < 0"), false);
  EXPECT_EQ(expression_refusal("2 * absent"),
            "expected a number, got \"absent\", which has no value here (at column 5)");
}

TEST(Expression, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(expression_refusal("rank >"), "expression \"rank >\": expected a value after \">\" (at column 7)");
  EXPECT_EQ(expression_refusal("1 < rank < 3"),
            "expression \"1 < rank < 3\": comparisons do not chain; join them with `and` (at column 10)");
  EXPECT_EQ(expression_refusal("2 if rank"),
            "expression \"2 if rank\": an `if` needs its `else` (at column 10)");
  EXPECT_EQ(expression_refusal("system(1)"),
            "expression \"system(1)\": unknown function \"system\"; there are min, max, sqrt, log2, round (at "
            "column 1)");
  EXPECT_EQ(expression_refusal("rnak > 3"), "unknown name \"rnak\"; did you mean \"lora.rank\"? (at column 1)");
  EXPECT_EQ(expression_refusal("1 / (rank - 64)"), "division by zero (at column 3)");
  EXPECT_EQ(expression_refusal("sqrt(-1)"), "the result is not a finite number (at column 1)");
  EXPECT_EQ(expression_refusal("rank and true"), "expected a condition, got 64 (at column 1)");
}

TEST(Expression, HostileTextIsRefusedWithoutDeepRecursion) {
  const std::string open(1000, '(');
  EXPECT_NE(expression_refusal(open).find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_NE(expression_refusal(std::string(3000, '-') + "1").find("nested deeper"), std::string::npos);
  EXPECT_NE(expression_refusal(std::string(5000, '1')).find("longer than 4 KiB"), std::string::npos);
  std::string sum = "1";
  for (int i = 0; i < 2000; ++i) sum += "+1";
  EXPECT_EQ(value(sum), 2001.0);
}

TEST(Expression, RulesAreCheckedAgainstTheirBlock) {
  EXPECT_EQ(error_in(kLora + "exclude: [\"method == lroa\"]\n"),
            "bad.yaml:9:11: exclude: method is never \"lroa\"; it is one of lora, full");
  EXPECT_EQ(error_in(kLora + "exclude: [\"rnak > 3\"]\n"),
            "bad.yaml:9:11: exclude: unknown name \"rnak\"; did you mean \"lora.rank\"?");
  EXPECT_EQ(error_in(kLora + "derive: {lora.alpha: 2 *}\n").find("bad.yaml:9:22: expression \"2 *\""), 0U);
  EXPECT_EQ(error_in(kLora + "derive: {lora.alpha: lora.dropout, lora.dropout: lora.alpha}\n")
                .find("bad.yaml:9:10: derive lora.alpha needs its own value"),
            0U);
}

TEST(Expression, MessagesCutNoCharacter) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      parse_expression(text);
    } catch (const ExpressionError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_NE(message("rank \xc2\xa7 3").find("unexpected \"\xc2\xa7\""), std::string::npos);
  const std::string umlauts = "'\xc3\xa4" + std::string(77, 'x') + "\xc3\xa4'";  // the 80th byte is half of one
  EXPECT_EQ(first_bad_byte(message(umlauts + " =")), std::string::npos);
}

// Found by the fuzzer: the message of a value that does not fit could not hold the bytes.
TEST(Expression, BytesThatAreNoTextAreRefused) {
  for (const std::string text : {"'\xff' < 3", "rank > \xc3(", "'a\xed\xa0\x80'"}) {
    try {
      parse_expression(text);
      ADD_FAILURE() << "accepted";
    } catch (const ExpressionError& e) {
      EXPECT_NE(std::string(e.what()).find("not valid UTF-8"), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace ranktide
