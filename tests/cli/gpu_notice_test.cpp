// A worker on a node with GPUs says what was never tried on them.

#include "cli/gpu_notice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ranktide::cli {
namespace {

using testing::HasSubstr;

TEST(GpuNotice, SaysThatNoRealGpuHasComputedYet) {
  const std::string notice =
      gpu_notice({{.index = 0, .device = "GPU-aaaa"}, {.index = 1, .device = "MIG-bbbb"}});
  EXPECT_THAT(notice, HasSubstr("2 of the slots are GPUs"));
  EXPECT_THAT(notice, HasSubstr("never tried on a real GPU"));
  EXPECT_THAT(notice, HasSubstr("--gpus none"));
}

TEST(GpuNotice, IsSilentWhereThereAreCoresOnly) {
  EXPECT_EQ(gpu_notice({{.index = 0, .device = "cpu"}}), "");
}

}  // namespace
}  // namespace ranktide::cli
