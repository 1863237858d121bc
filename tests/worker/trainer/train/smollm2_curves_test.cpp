// 100 steps of SmolLM2-135M on real text against PEFT and transformers in fp32, from the same start: ours in
// fp32, and in bf16 as this machine multiplies it. Nightly: the goldens are made anew by
// tests/golden/make_model_goldens.py --curves, for their adapter is too large to keep.
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

void expect_golden_curve(Method method, Dtype dtype, double tolerance) {
  const Scratch scratch;
  const Json golden = tiny::read_json_file(kCurves / "losses.json");
  Stage stage = tiny::stage(100, method);
  stage.settings.model.dtype = dtype;
  stage.settings.train.lr = golden[method == Method::lora ? "lora_lr" : "full_lr"];
  stage.settings.train.weight_decay = golden["weight_decay"];
  Model model = start_of(method, dtype);
  const auto run =
      tiny::run(stage, model, tiny::lessons_in(kCurves / "tokens.json", golden["rows"], golden["rows"]),
                {.checkpoints = scratch.path()});
  const auto theirs = golden[method == Method::lora ? "lora" : "full"].get<std::vector<double>>();
  ASSERT_EQ(run.progress.size(), theirs.size());
  double worst = 0;
  for (size_t i = 0; i < theirs.size(); ++i)
    worst = std::max(worst, std::abs(run.progress[i].loss / theirs[i] - 1));
  std::cout << text_of(method) << " " << text_of(dtype) << ": largest relative difference of a loss: " << worst
            << ", last loss " << std::setprecision(7) << run.progress.back().loss << ", theirs "
            << theirs.back() << "\n";
  EXPECT_LT(worst, tolerance);
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

}  // namespace
}  // namespace ranktide
