#include "worker/trainer/program/selfcheck.h"

#include <gmock/gmock.h>
#include <map>
#include <torch/version.h>

namespace ranktide {
namespace {

using testing::HasSubstr;
using testing::Not;

std::map<std::string, Finding> findings() {
  std::map<std::string, Finding> by_subject;
  for (const Finding& f : selfcheck(1)) by_subject[f.subject] = f;
  return by_subject;
}

TEST(Selfcheck, NamesTheLoadedLibTorchWhichIsTheCompiledOne) {
  const Finding f = findings().at("LibTorch");
  EXPECT_EQ(f.verdict, Verdict::ok) << f.detail;
  EXPECT_THAT(std::string(TORCH_VERSION), testing::StartsWith(f.detail));
}

TEST(Selfcheck, FindsExactlyOneOpenMpRuntime) {
  const Finding f = findings().at("OpenMP");
  EXPECT_EQ(f.verdict, Verdict::ok) << f.detail;
  EXPECT_THAT(f.detail, HasSubstr("libgomp"));
  EXPECT_THAT(f.detail, Not(HasSubstr(",")));
}

TEST(Selfcheck, SaysHowManyThreadsAndWhichInstructions) {
  EXPECT_THAT(findings().at("device").detail, HasSubstr("cpu, 1 thread(s), "));
}

TEST(Selfcheck, MeasuresBothDtypes) {
  EXPECT_THAT(findings().at("products").detail, testing::ContainsRegex("fp32 [0-9]+, bf16 [0-9]+ GFLOP/s"));
}

TEST(Selfcheck, FindsThatTheGradientSaysHowTheLossFalls) {
  const Finding f = findings().at("gradients");
  EXPECT_EQ(f.verdict, Verdict::ok) << f.detail;
}

}  // namespace
}  // namespace ranktide
