#include "worker/trainer/lm/engine.h"

#include <ATen/Context.h>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <string>

namespace ranktide {
namespace {

// Two OpenMP runtimes in one process are two thread pools: wrong thread counts and a threefold slowdown.
TEST(Engine, MapsOneOpenMpRuntime) {
  start_engine(1);
  std::ifstream maps("/proc/self/maps");
  std::set<std::string> runtimes;
  for (std::string line; std::getline(maps, line);) {
    const auto path = line.find('/');
    if (path != std::string::npos &&
        (line.find("libgomp") != std::string::npos || line.find("libiomp") != std::string::npos))
      runtimes.insert(line.substr(path));
  }
  EXPECT_EQ(runtimes.size(), 1U);
}

TEST(Engine, SaysWhatResultsDependOn) {
  const Engine engine = start_engine(1);
  EXPECT_EQ(engine.threads, 1);
  EXPECT_FALSE(engine.isa.empty());
  EXPECT_EQ(engine.numerics_version, kNumericsVersion);
}

// What a GPU would do by itself to be faster. cuBLAS reads the variable before its first product.
TEST(Engine, AsksForFullFp32AndTheSameBitsEachTime) {
  start_engine(1);
  EXPECT_TRUE(at::globalContext().deterministicAlgorithms());
  EXPECT_FALSE(at::globalContext().deterministicAlgorithmsWarnOnly());
  EXPECT_FALSE(at::globalContext().allowTF32CuBLAS());
  EXPECT_FALSE(at::globalContext().allowTF32CuDNN());
  EXPECT_NE(at::globalContext().allowBF16ReductionCuBLAS(),
            at::CuBLASReductionOption::AllowReducedPrecisionWithSplitK);
  EXPECT_STREQ(std::getenv("CUBLAS_WORKSPACE_CONFIG"), ":4096:8");
}

}  // namespace
}  // namespace ranktide
