#include "worker/trainer/check/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ranktide {
namespace {

using testing::HasSubstr;
using testing::Not;

TrainingRow good_row() {
  return {.family = "qwen2",
          .method = Method::full,
          .dtype = Dtype::bf16,
          .loss_error = 1.2e-3,
          .loss_error_max = 1e-2,
          .resumes_exactly = true,
          .steps_per_second = 90.4,
          .memory_peak_bytes = int64_t{312} << 20};
}

SelfcheckReport report_of(std::vector<TrainingRow> rows) {
  return {.foundations = {{Verdict::ok, "LibTorch", "2.13.0"}, {Verdict::warning, "products", "bf16 is slow"}},
          .trainings = std::move(rows)};
}

TEST(SelfcheckReport, PutsARowUnderItsColumns) {
  const std::string text = as_text(report_of({good_row()}));
  EXPECT_THAT(text, HasSubstr("ok       LibTorch   2.13.0\nwarning  products   bf16 is slow\n"));
  EXPECT_THAT(text,
              HasSubstr("         family   method  dtype  loss error    limit  resume  steps/s  peak MiB\n"
                        "ok       qwen2    full    bf16      1.2e-03  1.0e-02   exact       90       312\n"));
}

TEST(SelfcheckReport, HasNoTableWhereNothingWasTrained) {
  EXPECT_THAT(as_text(report_of({})), Not(HasSubstr("family")));
}

TEST(SelfcheckReport, SaysWhatFailedAndThatItDidNotPass) {
  TrainingRow row = good_row();
  EXPECT_TRUE(passed(report_of({row})));
  row.failure = "the losses are not those";
  EXPECT_FALSE(passed(report_of({good_row(), row})));
  EXPECT_THAT(as_text(report_of({row})),
              testing::ContainsRegex("FAILED   qwen2 .* the losses are not those\n"));
  EXPECT_EQ(as_json(report_of({row}))["good"], false);
}

TEST(SelfcheckReport, AFoundationThatFailedIsEnough) {
  EXPECT_FALSE(passed({.foundations = {{Verdict::failed, "OpenMP", "two runtimes"}}, .trainings = {}}));
}

TEST(SelfcheckReport, IsOneJsonObject) {
  TrainingRow unmeasured{.family = "llama", .failure = "no room"};
  const Json json = as_json(report_of({good_row(), unmeasured}));
  EXPECT_EQ(json["foundations"][1],
            Json({{"verdict", "warning"}, {"subject", "products"}, {"detail", "bf16 is slow"}}));
  EXPECT_EQ(json["trainings"][0], Json({{"verdict", "ok"},
                                        {"family", "qwen2"},
                                        {"method", "full"},
                                        {"dtype", "bf16"},
                                        {"loss_error", 1.2e-3},
                                        {"loss_error_max", 1e-2},
                                        {"resumes_exactly", true},
                                        {"steps_per_second", 90.4},
                                        {"memory_peak_bytes", int64_t{312} << 20},
                                        {"failure", ""}}));
  EXPECT_TRUE(json["trainings"][1]["loss_error"].is_null());
  EXPECT_EQ(json["trainings"][1]["verdict"], "FAILED");
}

}  // namespace
}  // namespace ranktide
