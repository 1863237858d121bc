#include "worker/trainer/train/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <cmath>
#include <gtest/gtest.h>

namespace ranktide {
namespace {

// Two weights of five elements: one decays, one does not.
struct Bench {
  ModelTensors tensors;
  Weight weight, norm;
  Moments moments;

  explicit Bench(Optimizer optimizer) {
    allocate_parameters(tensors,
                        {{.name = "norm", .sizes = {5}, .decays = false, .stays_fp32 = true, .weight = &norm},
                         {.name = "weight", .sizes = {5}, .decays = true, .weight = &weight}},
                        Dtype::fp32);
    moments = zero_moments(tensors, optimizer);
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
    Bench bench(Optimizer::adamw);
    TrainSettings s;
    s.weight_decay = 0.05;
    s.decay_rule = rule;
    for (Step step = 1; step <= 10; ++step) optimizer_step(bench.tensors, bench.moments, s, 0.01, step);
    for (int i = 0; i < 5; ++i) {
      EXPECT_NEAR(bench.weight.master.const_data_ptr<float>()[i], textbook(i, 10, s, 0.01, true), 2e-6);
      EXPECT_NEAR(bench.norm.master.const_data_ptr<float>()[i], textbook(i, 10, s, 0.01, false), 2e-6);
    }
  }
}

TEST(AdamW, WithoutEpsLeavesAloneWhatHasNoGradient) {
  TrainSettings s;
  s.eps = 0;
  Bench bench(Optimizer::adamw);
  bench.norm.grad.mutable_data_ptr<float>()[3] = 0;
  for (Step step = 1; step <= 10; ++step) optimizer_step(bench.tensors, bench.moments, s, 0.01, step);
  const float* norm = bench.norm.master.const_data_ptr<float>();
  EXPECT_EQ(norm[3], 0.1F * 4);
  for (const int i : {0, 1, 2, 4}) EXPECT_NEAR(norm[i], textbook(i, 10, s, 0.01, false), 2e-6);
}

// Its square is 0 in fp32, and its first moment is not.
TEST(AdamW, WithoutEpsATinyGradientMakesNoHugeStep) {
  TrainSettings s;
  s.eps = 0;
  constexpr double kLr = 0.01;
  for (const float gradient : {1e-23F, 1e-22F, 1e-21F}) {
    Bench bench(Optimizer::adamw);
    bench.norm.grad.mutable_data_ptr<float>()[3] = gradient;
    optimizer_step(bench.tensors, bench.moments, s, kLr, 1);
    EXPECT_NEAR(bench.norm.master.const_data_ptr<float>()[3], 0.4, 1.5 * kLr) << gradient;
  }
}

// As Chen et al. (2023) write it, in double, for element i of Bench after `steps` equal gradients.
double textbook_lion(int i, int steps, const TrainSettings& s, double lr, bool decays) {
  double p = 0.1 * (i + 1), m = 0;
  const double g = 0.3 - 0.1 * i;
  for (int t = 1; t <= steps; ++t) {
    const double c = s.beta1 * m + (1 - s.beta1) * g;
    if (decays) p *= 1 - (s.decay_rule == DecayRule::times_lr ? lr : 1) * s.weight_decay;
    if (std::abs(g) > 1e-6) p -= lr * (c > 0 ? 1 : -1);
    m = s.beta2 * m + (1 - s.beta2) * g;
  }
  return p;
}

TEST(Lion, EqualsTheTextbookUnderBothDecayRules) {
  for (const DecayRule rule : {DecayRule::times_lr, DecayRule::per_step}) {
    Bench bench(Optimizer::lion);
    bench.weight.grad.mutable_data_ptr<float>()[3] = bench.norm.grad.mutable_data_ptr<float>()[3] = 0;
    TrainSettings s;
    s.optimizer = Optimizer::lion;
    s.weight_decay = 0.05;
    s.decay_rule = rule;
    for (Step step = 1; step <= 10; ++step) optimizer_step(bench.tensors, bench.moments, s, 0.01, step);
    for (int i = 0; i < 5; ++i) {
      EXPECT_NEAR(bench.weight.master.const_data_ptr<float>()[i], textbook_lion(i, 10, s, 0.01, true), 2e-6)
          << i;
      EXPECT_NEAR(bench.norm.master.const_data_ptr<float>()[i], textbook_lion(i, 10, s, 0.01, false), 2e-6)
          << i;
    }
  }
}

// Three steps by hand: the moment outweighs a gradient that turns, and gives way to one that goes on.
TEST(Lion, TurnsWhenTheMomentDoes) {
  Bench bench(Optimizer::lion);
  TrainSettings s;
  s.optimizer = Optimizer::lion;
  s.beta2 = 0.99;
  const auto after = [&](float gradient) {
    bench.weight.grad.fill_(gradient);
    optimizer_step(bench.tensors, bench.moments, s, 0.1, 1);
    return bench.weight.master.const_data_ptr<float>()[4];
  };
  EXPECT_NEAR(after(1), 0.4, 1e-6);       // c = 0.1; m = 0.01
  EXPECT_NEAR(after(-0.05F), 0.3, 1e-6);  // c = 0.009 - 0.005; m = 0.0099 - 0.0005
  EXPECT_NEAR(after(-0.1F), 0.4, 1e-6);   // c = 0.00846 - 0.01; m = 0.008306
  EXPECT_NEAR(bench.moments.first.const_data_ptr<float>()[4], 0.008306, 1e-8);
}

TEST(Lion, InPiecesIsTheSameAsWholeBitByBit) {
  constexpr int64_t kElements = 150'016;  // more than two pieces
  ModelTensors tensors;
  Weight weight;
  allocate_parameters(tensors, {{.name = "w", .sizes = {kElements}, .weight = &weight}}, Dtype::fp32);
  Moments moments = zero_moments(tensors, Optimizer::lion);
  EXPECT_FALSE(moments.second.defined());
  at::Tensor p = at::randn({kElements}), m = at::zeros_like(p);
  weight.master.copy_(p);
  TrainSettings s;
  s.optimizer = Optimizer::lion;
  s.weight_decay = 0.1;
  for (Step step = 1; step <= 3; ++step) {
    const at::Tensor g = at::randn({kElements});
    weight.grad.copy_(g);
    optimizer_step(tensors, moments, s, 1e-3, step);
    const at::Tensor update = (m * s.beta1).add(g, 1 - s.beta1);
    p = (p * (1 - 1e-3 * 0.1)).add(update.sign(), -1e-3);
    m = (m * s.beta2).add(g, 1 - s.beta2);
  }
  EXPECT_TRUE(at::equal(weight.master, p));
  EXPECT_TRUE(at::equal(moments.first, m));
}

TEST(Gradients, ClippingScalesTheWholeGradientToTheNorm) {
  Bench bench(Optimizer::adamw);
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
  Moments moments = zero_moments(tensors, Optimizer::adamw);
  weight.grad.fill_(1);
  optimizer_step(tensors, moments, {}, 0.5, 1);
  EXPECT_EQ(weight.value.scalar_type(), at::kBFloat16);
  EXPECT_NEAR(weight.value.to(at::kFloat).const_data_ptr<float>()[2], -0.5, 1e-3);
}

}  // namespace
}  // namespace ranktide
