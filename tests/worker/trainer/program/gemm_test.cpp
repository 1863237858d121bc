#include "worker/trainer/program/gemm.h"

#include <gtest/gtest.h>

#include "common/model/processor.h"
#include "worker/trainer/lm/engine.h"

namespace ranktide {
namespace {

// Takes seconds, so one test asks all.
TEST(Gemm, MeasuresAWholeTableOfThisMachine) {
  const ProductTable table = measure_products(1, at::kCPU);
  EXPECT_EQ(table.device, this_processor().name);
  EXPECT_EQ(table.isa, current_engine().isa);
  EXPECT_EQ(table.numerics_version, kNumericsVersion);
  EXPECT_EQ(table.threads, 1);
  const ProductSpeeds speeds(table);  // refuses one with holes
  const auto rate = [&](int64_t size) {
    return 1 / (speeds.seconds(Dtype::fp32, size, size, size) / static_cast<double>(size * size * size));
  };
  EXPECT_GT(rate(512), rate(8)) << "a call costs something by itself";
  EXPECT_EQ(speeds.widens_bf16(), table.rows.size() == 125);
}

}  // namespace
}  // namespace ranktide
