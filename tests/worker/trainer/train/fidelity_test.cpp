// 100 fp32 steps against PEFT and transformers on the same data order, from the same start.
#include <gtest/gtest.h>

#include "tests/worker/trainer/train/lessons.h"

namespace ranktide {
namespace {

void expect_curve(const std::vector<StepProgress>& ours, const std::vector<double>& theirs) {
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i].loss / theirs[i], 1, 1e-4) << "step " << i + 1;
}

Stage golden_stage(Method method, double lr, double weight_decay) {
  Stage stage = tiny::stage(100, method);
  stage.settings.train.lr = lr;
  stage.settings.train.weight_decay = weight_decay;
  return stage;
}

TEST(Fidelity, AHundredLoraStepsTrackPeft) {
  const Scratch scratch;
  const Json golden = tiny::read_json_file(tiny::folder("losses.json"));
  Model model = Model::with_adapter(tiny::base(), tiny::folder("adapter_start"));
  const auto run = tiny::run(golden_stage(Method::lora, golden["lora_lr"], golden["weight_decay"]), model,
                             tiny::lessons(), {.checkpoints = scratch.path()});
  expect_curve(run.progress, golden["lora"].get<std::vector<double>>());
  EXPECT_EQ(run.outcome.kind, OutcomeKind::completed);
}

TEST(Fidelity, AHundredFullStepsTrackTransformers) {
  const Scratch scratch;
  const Json golden = tiny::read_json_file(tiny::folder("losses.json"));
  Model model = Model::full(tiny::base(), 0);
  const auto run = tiny::run(golden_stage(Method::full, golden["full_lr"], golden["weight_decay"]), model,
                             tiny::lessons(), {.checkpoints = scratch.path()});
  expect_curve(run.progress, golden["full"].get<std::vector<double>>());
}

TEST(Fidelity, Bf16ProductsLearnAsFp32Does) {
  const Scratch scratch;
  const Json golden = tiny::read_json_file(tiny::folder("losses.json"));
  Model model = Model::full(tiny::base("llama", Dtype::bf16), 0);
  const auto run = tiny::run(golden_stage(Method::full, golden["full_lr"], golden["weight_decay"]), model,
                             tiny::lessons(), {.checkpoints = scratch.path()});
  EXPECT_NEAR(run.progress.back().loss / golden["full"].back().get<double>(), 1, 0.02);
}

}  // namespace
}  // namespace ranktide
