// 100 fp32 steps of SmolLM2-135M on real text against PEFT and transformers, from the same start. Nightly: the
// goldens are made anew by tests/golden/make_model_goldens.py --curves, for their adapter is too large to keep.
#include <gtest/gtest.h>

#include "tests/worker/trainer/train/lessons.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

const fs::path kCurves = fs::path(RANKTIDE_BUILD_DIR) / "smollm2_curves";
const fs::path kModel = fs::path(RANKTIDE_SOURCE_DIR) / "models/smollm2-135m";

std::shared_ptr<const Base> base() {
  start_engine(1);
  return Base::load(kModel, Dtype::fp32);
}

void expect_golden_curve(Method method, Model model) {
  const Scratch scratch;
  const Json golden = tiny::read_json_file(kCurves / "losses.json");
  Stage stage = tiny::stage(100, method);
  stage.settings.train.lr = golden[method == Method::lora ? "lora_lr" : "full_lr"];
  stage.settings.train.weight_decay = golden["weight_decay"];
  const auto run =
      tiny::run(stage, model, tiny::lessons_in(kCurves / "tokens.json", golden["rows"], golden["rows"]),
                {.checkpoints = scratch.path()});
  const auto theirs = golden[method == Method::lora ? "lora" : "full"].get<std::vector<double>>();
  ASSERT_EQ(run.progress.size(), theirs.size());
  double worst = 0;
  for (size_t i = 0; i < theirs.size(); ++i)
    worst = std::max(worst, std::abs(run.progress[i].loss / theirs[i] - 1));
  std::cout << "largest relative difference of a loss: " << worst << ", last loss " << theirs.back() << "\n";
  EXPECT_LT(worst, 1e-4);
}

TEST(SmolLm2Curves, AHundredLoraStepsTrackPeft) {
  expect_golden_curve(Method::lora, Model::with_adapter(base(), kCurves / "adapter_start"));
}

TEST(SmolLm2Curves, AHundredFullStepsTrackTransformers) {
  expect_golden_curve(Method::full, Model::full(base(), 0));
}

}  // namespace
}  // namespace ranktide
