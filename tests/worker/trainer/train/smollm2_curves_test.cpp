// 100 steps of SmolLM2-135M on real text against PEFT and transformers in fp32, from the same start: ours in
// fp32, and in bf16 as this machine multiplies it; and full in bf16 against ours in fp32, in larger steps with
// the default warmup. Nightly: the goldens are made anew by
// tests/golden/make_model_goldens.py --curves, for their adapter is too large to keep.
#include <cmath>
#include <gtest/gtest.h>
#include <iomanip>

#include "tests/worker/trainer/train/lessons.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

const fs::path kCurves = fs::path(RANKTIDE_BUILD_DIR) / "smollm2_curves";
const fs::path kModel = fs::path(RANKTIDE_SOURCE_DIR) / "models/smollm2-135m";

// As the goldens began: LoRA with PEFT's adapter, full from the base.
Model start_of(Method method, Dtype dtype) {
  start_engine(1);
  const auto base = Base::load(kModel, dtype);
  return method == Method::lora ? Model::with_adapter(base, kCurves / "adapter_start") : Model::full(base, 0);
}

// What is trained on, and how the rate begins.
struct Course {
  const char* tokens;
  size_t rows;
  StepsOrShare warmup;
};
const Course kAsTheGoldens{.tokens = "tokens.json", .rows = 2, .warmup = {.steps = 0, .share = {}}};
const Course kUsual{.tokens = "tokens_of_512.json", .rows = 4, .warmup = TrainSettings{}.warmup};

std::vector<double> curve_of(Method method, Dtype dtype, const Course& course) {
  const Scratch scratch;
  const Json golden = tiny::read_json_file(kCurves / "losses.json");
  Stage stage = tiny::stage(100, method);
  stage.settings.model.dtype = dtype;
  stage.settings.train.warmup = course.warmup;
  stage.settings.train.lr = golden[method == Method::lora ? "lora_lr" : "full_lr"];
  stage.settings.train.weight_decay = golden["weight_decay"];
  Model model = start_of(method, dtype);
  const auto run = tiny::run(stage, model, tiny::lessons_in(kCurves / course.tokens, course.rows, course.rows),
                             {.checkpoints = scratch.path()});
  std::vector<double> losses;
  for (const StepProgress& step : run.progress) losses.push_back(step.loss);
  return losses;
}

void expect_near(const std::vector<double>& ours, const std::vector<double>& theirs, double tolerance) {
  ASSERT_EQ(ours.size(), theirs.size());
  size_t worst = 0;
  const auto apart = [&](size_t i) { return std::abs(ours[i] / theirs[i] - 1); };
  for (size_t i = 0; i < ours.size(); ++i)
    if (apart(i) > apart(worst)) worst = i;
  std::cout << "largest relative difference of a loss: " << apart(worst) << " at step " << worst + 1
            << ", last loss " << std::setprecision(7) << ours.back() << ", theirs " << theirs.back() << "\n";
  EXPECT_LT(apart(worst), tolerance);
}

void expect_golden_curve(Method method, Dtype dtype, double tolerance) {
  const Json golden = tiny::read_json_file(kCurves / "losses.json");
  expect_near(curve_of(method, dtype, kAsTheGoldens),
              golden[method == Method::lora ? "lora" : "full"].get<std::vector<double>>(), tolerance);
}

TEST(SmolLm2Curves, AHundredLoraStepsTrackPeft) {
  expect_golden_curve(Method::lora, Dtype::fp32, 1e-4);
}

TEST(SmolLm2Curves, AHundredFullStepsTrackTransformers) {
  expect_golden_curve(Method::full, Dtype::fp32, 1e-4);
}

TEST(SmolLm2Curves, AHundredLoraStepsInBf16AreWithinAHundredthOfPeftsInFp32) {
  expect_golden_curve(Method::lora, Dtype::bf16, 1e-2);
}

// 128 tokens a step at the full rate from the first: what rounding does is as large as it gets. Rounded to
// nearest, the weights' copies missed the first updates, and the loss was 8e-2 off.
TEST(SmolLm2Curves, AHundredFullStepsInBf16WithoutWarmupStayNearTransformers) {
  expect_golden_curve(Method::full, Dtype::bf16, 4e-2);
}

TEST(SmolLm2Curves, AHundredFullStepsOf512TokensInBf16AreWithinAHundredthOfFp32s) {
  expect_near(curve_of(Method::full, Dtype::bf16, kUsual), curve_of(Method::full, Dtype::fp32, kUsual), 1e-2);
}

}  // namespace
}  // namespace ranktide
