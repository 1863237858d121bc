#include "common/sweep/scalar_text.h"

#include <charconv>
#include <cmath>
#include <gtest/gtest.h>

#include "common/vocabulary/random.h"

namespace ranktide {
namespace {

// Ids hang on it bit by bit.
double rounded_by_text(double value, int digits) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, digits - 1);
  double out = 0;
  std::from_chars(text, end.ptr, out);
  return out;
}

TEST(ScalarText, ReadsNumbersThatPyYamlTakesForText) {
  EXPECT_EQ(read_number("1e-4"), 1e-4);
  EXPECT_EQ(read_number("5_000"), 5000);
  EXPECT_EQ(read_number("-.5"), -0.5);
  EXPECT_EQ(read_number("1E3"), 1000);
}

TEST(ScalarText, RefusesNumbersThatMeanTwoThingsOrNothing) {
  for (const char* text :
       {"010", ".nan", ".inf", "1e999", "nan", "0x10", "1_", "_1", "1e", "", "-", "1 2", "1.2.3"})
    EXPECT_EQ(read_number(text), std::nullopt) << text;
}

TEST(ScalarText, CountsHaveSuffixesAndNoFractions) {
  EXPECT_EQ(read_count("2k"), 2000);
  EXPECT_EQ(read_count("1.5M"), 1'500'000);
  EXPECT_EQ(read_count("3B"), 3'000'000'000);
  EXPECT_EQ(read_count("16.0"), std::nullopt);
  EXPECT_EQ(read_count("1e3"), std::nullopt);
  EXPECT_EQ(read_count("1.2345k"), std::nullopt);
  EXPECT_EQ(read_count("99999999999B"), std::nullopt);
}

TEST(ScalarText, SharesAndTimesHaveUnits) {
  EXPECT_EQ(read_share("10%"), 0.1);
  EXPECT_EQ(read_share("0.25"), 0.25);
  EXPECT_EQ(read_duration_ms("5m"), 300'000);
  EXPECT_EQ(read_duration_ms("1.5h"), 5'400'000);
  EXPECT_EQ(read_duration_ms("300"), std::nullopt);
}

TEST(ScalarText, SizesHaveBinaryUnits) {
  EXPECT_EQ(read_size_bytes("1KiB"), 1024);
  EXPECT_EQ(read_size_bytes("1.5GiB"), int64_t{3} << 29);
  EXPECT_EQ(read_size_bytes("1TiB"), int64_t{1} << 40);
  for (const char* text : {"", "6", "6GB", "6 GiB", "GiB", "-1GiB", "1e9TiB", "6gib"})
    EXPECT_EQ(read_size_bytes(text), std::nullopt) << text;
}

TEST(ScalarText, ComputedNumbersKeepSixDigits) {
  EXPECT_EQ(rounded(0.1 + 0.2), 0.3);
  EXPECT_EQ(short_number(rounded(1e-5 * 3.1622776601683795)), "3.16228e-05");
  EXPECT_EQ(short_number(16), "16");
}

TEST(ScalarText, ComputedNumbersAreThoseOfTheirText) {
  SplitMix64 random(7);
  const auto expect_same = [](double value, int digits) {
    ASSERT_EQ(rounded(value, digits), rounded_by_text(value, digits)) << short_number(value) << " " << digits;
  };
  for (int i = 0; i < 50'000; ++i) {
    const int digits = i % 10 == 0 ? 1 + i / 10 % 12 : 6;
    const double share = static_cast<double>(random.below(1 << 30)) / (1 << 30);
    const double value = (1 + 9 * share) * std::pow(10, static_cast<double>(random.below(40)) - 20);
    expect_same(i % 3 == 0 ? -value : value, digits);
    // Near a tie, and where a digit more begins.
    const double whole = static_cast<double>(random.below(900'000) + 100'000);
    const double scale = std::pow(10, static_cast<double>(random.below(30)) - 20);
    for (const double tie : {whole + 0.5, whole + 0.5 + 1e-9, whole + 0.5 - 1e-9, whole, 999'999.5, 999'999.4})
      expect_same(tie * scale, digits);
  }
  for (const double value : {0.0, 1e-300, 1e300, 9.999995, 9.9999949999999, 1e15, 1e-15, 123456.5, 0.1, 1e6})
    for (const double near : {std::nextafter(value, 0), value, std::nextafter(value, 1e308)})
      for (int digits = 1; digits <= 17; ++digits) expect_same(near, digits);
  EXPECT_TRUE(std::signbit(rounded(-0.0)));
}

TEST(ScalarText, ASettledNumberHasNoLastBitsThatNobodyMeant) {
  EXPECT_EQ(settled_number(0.1 + 0.2), "0.3");
  EXPECT_EQ(settled_number(300'000), "300000");
  EXPECT_EQ(settled_number(1'234'567), "1234567");
  EXPECT_EQ(settled_number(-3), "-3");
  EXPECT_EQ(settled_number(999'999.99999999), "1000000");
  EXPECT_EQ(settled_number(1e20), "1e+20");
  EXPECT_EQ(settled_number(5e-5), "5e-05");
}

}  // namespace
}  // namespace ranktide
