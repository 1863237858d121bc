#include "common/sweep/axis_step.h"

#include <gtest/gtest.h>

namespace ranktide {
namespace {

std::optional<Json> beyond(const char* key, const AxisSpacing& spacing, const Json& value, AxisEnd end) {
  return value_beyond(*find_setting(key), spacing, value, end);
}

TEST(AxisStep, IsADifferenceOrARatio) {
  EXPECT_EQ(beyond("train.lr", {.log = true, .step = 10}, 1e-2, AxisEnd::highest), Json(0.1));
  EXPECT_EQ(beyond("train.lr", {.log = true, .step = 10}, 1e-4, AxisEnd::lowest), Json(1e-5));
  EXPECT_EQ(beyond("train.weight_decay", {.log = false, .step = 0.5}, 1.5, AxisEnd::highest), Json(2.0));
}

TEST(AxisStep, HasTheSixDigitsOfARange) {
  EXPECT_EQ(beyond("train.lr", {.log = true, .step = 3.16227766}, 1e-3, AxisEnd::highest), Json(0.00316228));
}

TEST(AxisStep, OfAWholeNumberIsWholeOrNone) {
  EXPECT_EQ(beyond("lora.rank", {.log = true, .step = 2}, 16, AxisEnd::highest), Json(32));
  EXPECT_EQ(beyond("lora.rank", {.log = true, .step = 2}, 1, AxisEnd::lowest), std::nullopt)
      << "one half is one again";
}

TEST(AxisStep, KeepsTheUnitOfALength) {
  EXPECT_EQ(beyond("train.warmup", {.log = false, .step = 50}, Json{{"steps", 100}}, AxisEnd::highest),
            (Json{{"steps", 150}}));
  EXPECT_EQ(beyond("train.warmup", {.log = false, .step = 0.05}, Json{{"share", 0.1}}, AxisEnd::lowest),
            (Json{{"share", 0.05}}));
}

TEST(AxisStep, EndsWhereTheSettingDoes) {
  EXPECT_EQ(beyond("lora.dropout", {.log = false, .step = 0.5}, 1.0, AxisEnd::highest), std::nullopt);
  EXPECT_EQ(beyond("lora.rank", {.log = false, .step = 4}, 4, AxisEnd::lowest), std::nullopt);
}

}  // namespace
}  // namespace ranktide
