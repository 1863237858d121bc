// The oracle itself, against losses that PEFT's users would see: transformers and torch's AdamW made them.
#include "worker/trainer/check/oracle_training.h"

#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include "tests/worker/trainer/train/lessons.h"
#include "worker/trainer/check/oracle.h"
#include "worker/trainer/lm/weights.h"

namespace ranktide {
namespace {

TEST(OracleTraining, HasTheLossesOfTransformersAndTorchsAdamw) {
  constexpr Step kSteps = 20;
  start_engine(1);
  const ModelShape shape = read_shape(tiny::folder("llama"));
  Network start = load_network(tiny::folder("llama"), shape, Dtype::fp32);
  oracle::for_each_weight(
      start, shape, [](const std::string&, Weight& weight) { weight.grad = at::zeros_like(weight.value); });
  const Json golden = tiny::read_json_file(tiny::folder("losses.json"));
  TrialSettings settings = tiny::stage(kSteps, Method::full).settings;
  settings.train.lr = golden["full_lr"].get<double>();
  settings.train.weight_decay = golden["weight_decay"].get<double>();
  const auto losses = oracle::training_losses(start, shape, settings, tiny::lessons(), kSteps);
  ASSERT_EQ(losses.size(), static_cast<size_t>(kSteps));
  for (size_t i = 0; i < losses.size(); ++i) {
    const double expected = golden["full"][i].get<double>();
    EXPECT_NEAR(losses[i], expected, 2e-5 * expected) << "step " << i + 1;
  }
}

}  // namespace
}  // namespace ranktide
