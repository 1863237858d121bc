#include "worker/trainer/check/selfcheck.h"

#include <ATen/Context.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "common/vocabulary/wire.h"
#include "worker/trainer/lm/device.h"

namespace ranktide {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Checked {
  int exit_code = -1;
  std::string text;
};

Checked checked(const SelfcheckOptions& options) {
  std::ostringstream out;
  const int exit_code = selfcheck(options, out);
  return {.exit_code = exit_code, .text = out.str()};
}

CheckOptions with_a_wrong_reference() {
  return {.steps = 2,
          .change_oracle = [](ModelShape&, Network& network) { network.final_norm.w.value.mul_(1.5); }};
}

TEST(Selfcheck, ExitsWithZeroWhereEveryLineIsGood) {
  const Checked all = checked({});
  EXPECT_EQ(all.exit_code, 0) << all.text;
  EXPECT_THAT(all.text, Not(HasSubstr("FAILED")));
}

TEST(Selfcheck, ExitsWithOneWhereATrainingFailed) {
  const Checked wrong = checked({.training = with_a_wrong_reference()});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.text, HasSubstr("FAILED   llama "));
}

TEST(Selfcheck, TrainsNothingWhenItIsToBeQuick) {
  const Checked quick = checked({.training = with_a_wrong_reference(), .quick = true});
  EXPECT_EQ(quick.exit_code, 0) << quick.text;
  EXPECT_THAT(quick.text, HasSubstr("LibTorch"));
  EXPECT_THAT(quick.text, Not(HasSubstr("llama")));
}

TEST(Selfcheck, ReportsNothingOfADeviceThatIsNotThere) {
  if (at::hasCUDA()) GTEST_SKIP() << "there is a CUDA device, and this is about machines without";
  std::ostringstream out;
  EXPECT_THROW(selfcheck({.device = "cuda"}, out), NoDevice);
  EXPECT_EQ(out.str(), "");
}

TEST(Selfcheck, SaysTheSameInJson) {
  const Json json = Json::parse(checked({.training = with_a_wrong_reference(), .json = true}).text);
  EXPECT_EQ(json["good"], false);
  EXPECT_EQ(json["trainings"][0]["family"], "llama");
  EXPECT_EQ(json["foundations"][0]["subject"], "LibTorch");
}

}  // namespace
}  // namespace ranktide
