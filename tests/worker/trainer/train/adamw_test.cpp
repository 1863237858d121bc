#include "worker/trainer/train/adamw.h"

#include <ATen/ops/empty.h>
#include <cmath>
#include <gtest/gtest.h>

namespace ranktide {
namespace {

// Two weights of five elements: one decays, one does not.
struct Bench {
  ModelTensors tensors;
  Weight weight, norm;
  Moments moments;

  Bench() {
    allocate_parameters(tensors,
                        {{.name = "norm", .sizes = {5}, .decays = false, .stays_fp32 = true, .weight = &norm},
                         {.name = "weight", .sizes = {5}, .decays = true, .weight = &weight}},
                        Dtype::fp32);
    moments = zero_moments(tensors);
    for (int i = 0; i < 5; ++i) {
      weight.master.mutable_data_ptr<float>()[i] = norm.master.mutable_data_ptr<float>()[i] =
          0.1F * static_cast<float>(i + 1);
      weight.grad.mutable_data_ptr<float>()[i] = norm.grad.mutable_data_ptr<float>()[i] =
          0.3F - 0.1F * static_cast<float>(i);
    }
  }
};

// The textbook, in double, for element i of Bench after `steps` equal gradients.
double textbook(int i, int steps, const TrainSettings& s, double lr, bool decays) {
  double p = 0.1 * (i + 1), m = 0, v = 0;
  const double g = 0.3 - 0.1 * i;
  for (int t = 1; t <= steps; ++t) {
    if (decays) p *= 1 - (s.decay_rule == DecayRule::times_lr ? lr : 1) * s.weight_decay;
    m = s.beta1 * m + (1 - s.beta1) * g;
    v = s.beta2 * v + (1 - s.beta2) * g * g;
    p -= lr * (m / (1 - std::pow(s.beta1, t))) / (std::sqrt(v / (1 - std::pow(s.beta2, t))) + s.eps);
  }
  return p;
}

TEST(AdamW, EqualsTheTextbookUnderBothDecayRules) {
  for (const DecayRule rule : {DecayRule::times_lr, DecayRule::per_step}) {
    Bench bench;
    TrainSettings s;
    s.weight_decay = 0.05;
    s.decay_rule = rule;
    for (Step step = 1; step <= 10; ++step) adamw_step(bench.tensors, bench.moments, s, 0.01, step);
    for (int i = 0; i < 5; ++i) {
      EXPECT_NEAR(bench.weight.master.const_data_ptr<float>()[i], textbook(i, 10, s, 0.01, true), 2e-6);
      EXPECT_NEAR(bench.norm.master.const_data_ptr<float>()[i], textbook(i, 10, s, 0.01, false), 2e-6);
    }
  }
}

TEST(AdamW, ClippingScalesTheWholeGradientToTheNorm) {
  Bench bench;
  const double norm = gradient_norm(bench.tensors);
  EXPECT_NEAR(norm, std::sqrt(2 * (0.09 + 0.04 + 0.01 + 0 + 0.01)), 1e-6);
  clip_gradients(bench.tensors, norm, 0);
  EXPECT_NEAR(gradient_norm(bench.tensors), norm, 1e-12);
  clip_gradients(bench.tensors, norm, 2 * norm);
  EXPECT_NEAR(gradient_norm(bench.tensors), norm, 1e-12);
  clip_gradients(bench.tensors, norm, 0.1);
  EXPECT_NEAR(gradient_norm(bench.tensors), 0.1, 1e-6);
}

TEST(AdamW, ProductCopiesFollowTheMasters) {
  ModelTensors tensors;
  Weight weight;
  allocate_parameters(tensors, {{.name = "w", .sizes = {3}, .weight = &weight}}, Dtype::bf16);
  Moments moments = zero_moments(tensors);
  weight.grad.fill_(1);
  adamw_step(tensors, moments, {}, 0.5, 1);
  EXPECT_EQ(weight.value.scalar_type(), at::kBFloat16);
  EXPECT_NEAR(weight.value.to(at::kFloat).const_data_ptr<float>()[2], -0.5, 1e-3);
}

}  // namespace
}  // namespace ranktide
