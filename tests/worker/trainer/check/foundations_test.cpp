#include "worker/trainer/check/foundations.h"

#include <algorithm>
#include <cstdio>
#include <gmock/gmock.h>
#include <map>
#include <torch/version.h>

#include "worker/trainer/lm/product.h"

namespace ranktide {
namespace {

using testing::HasSubstr;
using testing::Not;

std::map<std::string, Finding> findings() {
  std::map<std::string, Finding> by_subject;
  for (const Finding& f : check_foundations(1)) by_subject[f.subject] = f;
  return by_subject;
}

TEST(Foundations, NamesTheLoadedLibTorchWhichIsTheCompiledOne) {
  const Finding f = findings().at("LibTorch");
  EXPECT_EQ(f.verdict, Verdict::ok) << f.detail;
  EXPECT_THAT(std::string(TORCH_VERSION), testing::StartsWith(f.detail));
}

TEST(Foundations, FindsExactlyOneOpenMpRuntime) {
  const Finding f = findings().at("OpenMP");
  EXPECT_EQ(f.verdict, Verdict::ok) << f.detail;
  EXPECT_THAT(f.detail, HasSubstr("libgomp"));
  EXPECT_THAT(f.detail, Not(HasSubstr(",")));
}

TEST(Foundations, SaysHowManyThreadsAndWhichInstructions) {
  EXPECT_THAT(findings().at("device").detail, HasSubstr("cpu, 1 thread(s), "));
}

TEST(Foundations, MeasuresBothDtypes) {
  EXPECT_THAT(findings().at("products").detail, testing::ContainsRegex("fp32 [0-9]+, bf16 [0-9]+ GFLOP/s"));
}

// Widened, bf16 is about as fast as fp32, also where LibTorch's own kernels for it are many times slower.
TEST(Foundations, MeasureBf16AsTheEngineMultipliesIt) {
  const bool before = multiply_bf16_as_it_is(false);
  double best = 0;  // of several: a busy moment falls on one
  for (int i = 0; i < 5; ++i) {
    const Finding f = findings().at("products");
    int fp32 = 0, bf16 = 0;
    ASSERT_EQ(std::sscanf(f.detail.c_str(), "fp32 %d, bf16 %d GFLOP/s", &fp32, &bf16), 2) << f.detail;
    best = std::max(best, static_cast<double>(bf16) / fp32);
  }
  multiply_bf16_as_it_is(before);
  EXPECT_GT(best, 0.25);
}

TEST(Foundations, FindsThatAMaskDrawnByOperationsIsTheProcessors) {
  const Finding f = findings().at("dropout");
  EXPECT_EQ(f.verdict, Verdict::ok) << f.detail;
  EXPECT_THAT(f.detail, HasSubstr("a mask of 346200 values"));
}

TEST(Foundations, FindsThatWeightsRoundedByOperationsAreTheProcessors) {
  const Finding f = findings().at("rounding");
  EXPECT_EQ(f.verdict, Verdict::ok) << f.detail;
  EXPECT_THAT(f.detail, HasSubstr("4195301 values"));
}

TEST(Foundations, FindsThatTheGradientSaysHowTheLossFalls) {
  const Finding f = findings().at("gradients");
  EXPECT_EQ(f.verdict, Verdict::ok) << f.detail;
}

}  // namespace
}  // namespace ranktide
