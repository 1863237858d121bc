// 100 fp32 steps against PEFT and transformers on the same data order, from the same start, and bf16 beside
// fp32.
#include <gtest/gtest.h>

#include "tests/worker/trainer/train/lessons.h"
#include "worker/trainer/lm/product.h"

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

std::vector<StepProgress> curve_from_one_start(const Json& golden, Method method, Dtype dtype) {
  const Scratch scratch;
  const bool is_lora = method == Method::lora;
  const auto base = tiny::base("llama", dtype);
  Model model = is_lora ? Model::with_adapter(base, tiny::folder("adapter_start")) : Model::full(base, 0);
  const Stage stage = golden_stage(method, golden[is_lora ? "lora_lr" : "full_lr"], golden["weight_decay"]);
  return tiny::run(stage, model, tiny::lessons(), {.checkpoints = scratch.path()}).progress;
}

// On processors with instructions for bf16 and on others.
TEST(Fidelity, EveryLossInBf16IsWithinAHundredthOfFp32s) {
  const Json golden = tiny::read_json_file(tiny::folder("losses.json"));
  const bool before = multiply_bf16_as_it_is(true);
  for (const Method method : {Method::lora, Method::full}) {
    const auto exact = curve_from_one_start(golden, method, Dtype::fp32);
    for (const bool as_it_is : {true, false}) {
      multiply_bf16_as_it_is(as_it_is);
      const auto rounded = curve_from_one_start(golden, method, Dtype::bf16);
      ASSERT_EQ(rounded.size(), exact.size());
      for (size_t i = 0; i < exact.size(); ++i)
        EXPECT_NEAR(rounded[i].loss / exact[i].loss, 1, 1e-2)
            << text_of(method) << (as_it_is ? " as it is" : " widened") << ", step " << i + 1;
    }
  }
  multiply_bf16_as_it_is(before);
}

}  // namespace
}  // namespace ranktide
