#include "common/model/product_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/vocabulary/wire.h"
#include "tests/common/model/product_rates.h"

namespace ranktide {
namespace {

double flops_of(const MeasuredProduct& p) {
  return 2 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
}

std::string complaint_about(const ProductTable& table) {
  try {
    ProductSpeeds{table};
  } catch (const TableError& error) {
    return error.what();
  }
  return "";
}

TEST(ProductTable, IsExactOnWhatWasMeasured) {
  const ProductTable table = products_at(1, /*widens_bf16=*/false);
  const ProductSpeeds speeds(table);
  for (const MeasuredProduct& row : table.rows)
    EXPECT_DOUBLE_EQ(speeds.seconds(row.dtype, row.m, row.n, row.k), flops_of(row) / row.flops_per_second);
}

TEST(ProductTable, BetweenMeasuredSizesTheRateLiesBetweenTheirs) {
  const ProductSpeeds speeds(products_at(1));
  const auto per_flop = [&](int64_t k) {
    return speeds.seconds(Dtype::fp32, 64, 64, k) / static_cast<double>(k);
  };
  EXPECT_LT(per_flop(200), per_flop(64));
  EXPECT_GT(per_flop(200), per_flop(512));
  EXPECT_NEAR(per_flop(181), (per_flop(64) + per_flop(512)) / 2, 1e-3 * per_flop(64))
      << "181 is halfway, in log";
}

TEST(ProductTable, BeyondTheLargestSizeTheRateStays) {
  const ProductSpeeds speeds(products_at(1));
  EXPECT_DOUBLE_EQ(speeds.seconds(Dtype::fp32, 512, 49152, 512),
                   96 * speeds.seconds(Dtype::fp32, 512, 512, 512));
}

TEST(ProductTable, BelowTheSmallestSizeNothingIsSaved) {
  const ProductSpeeds speeds(products_at(1));
  EXPECT_DOUBLE_EQ(speeds.seconds(Dtype::fp32, 512, 2, 512), speeds.seconds(Dtype::fp32, 512, 8, 512));
}

TEST(ProductTable, WidenedBf16RunsAtTheRateOfFp32) {
  const ProductSpeeds widening(products_at(1)), native(products_at(1, false));
  EXPECT_EQ(widening.seconds(Dtype::bf16, 64, 64, 64), widening.seconds(Dtype::fp32, 64, 64, 64));
  EXPECT_EQ(native.seconds(Dtype::bf16, 64, 64, 64), native.seconds(Dtype::fp32, 64, 64, 64) / 2);
}

TEST(ProductTable, ThatIsNoFullGridOfRatesIsRefusedWithTheReason) {
  ProductTable holed = products_at(1), twice = products_at(1), none = products_at(1), stopped = products_at(1),
               empty = products_at(1), dry = products_at(1);
  holed.rows.pop_back();
  twice.rows.back() = twice.rows.front();
  none.widens_bf16 = false;
  stopped.rows.front().flops_per_second = 0;
  empty.rows.front().k = 0;
  dry.bytes_per_second = 0;
  EXPECT_EQ(complaint_about(holed), "its products in fp32 are no full grid of sizes");
  EXPECT_EQ(complaint_about(twice), "a product in fp32 is there twice, another is missing");
  EXPECT_EQ(complaint_about(none), "it has no products in bf16");
  EXPECT_EQ(complaint_about(stopped), "a product in fp32 has no rate above 0");
  EXPECT_EQ(complaint_about(empty), "a product in fp32 has no size above 0");
  EXPECT_EQ(complaint_about(dry), "its bytes_per_second are not above 0");
}

TEST(ProductTable, SurvivesItsText) {
  const ProductTable table = products_at(1, false);
  EXPECT_TRUE(equal(from_json<ProductTable>(parse_json(to_json(table).dump())), table));
}

}  // namespace
}  // namespace ranktide
