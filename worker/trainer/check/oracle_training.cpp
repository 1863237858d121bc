#include "worker/trainer/check/oracle_training.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>
#include <cmath>

#include "common/vocabulary/check.h"
#include "worker/trainer/check/oracle.h"

namespace ranktide::oracle {
namespace {

using at::Tensor;

// What AdamW knows of one weight. The value shares its memory with the leaf, and not its history.
struct Learner {
  Tensor leaf, value;
  Tensor first, second;  // m, v
  bool decays = true;
};

// All but norms and biases, as the field does.
bool decay_applies(const std::string& name) {
  return name.find("norm") == std::string::npos && !name.ends_with(".bias");
}

std::vector<Learner> learners_of(Network& leaves, const ModelShape& shape) {
  std::vector<Learner> learners;
  for_each_weight(leaves, shape, [&](const std::string& name, Weight& weight) {
    if (!weight.trains()) return;
    const Tensor value = weight.value.detach();
    learners.push_back({.leaf = weight.value,
                        .value = value,
                        .first = at::zeros_like(value),
                        .second = at::zeros_like(value),
                        .decays = decay_applies(name)});
  });
  return learners;
}

int64_t count_labels(const StepBatch& data) {
  int64_t n = 0;
  for (const Batch& batch : data.micro)
    for (const int32_t target : batch.targets) n += target != kNoLabel ? 1 : 0;
  return n;
}

// Adds the gradients of one micro-batch to the leaves'. Returns: its share of the step's loss.
double go_back_through(const Network& leaves, const ModelShape& shape, const Batch& batch, double scale,
                       const Chance& chance) {
  std::vector<int32_t> rows, targets;
  for (size_t i = 0; i < batch.targets.size(); ++i) {
    if (batch.targets[i] == kNoLabel) continue;
    rows.push_back(static_cast<int32_t>(i));
    targets.push_back(batch.targets[i]);
  }
  const Tensor loss = loss_of(leaves, shape, rotation_of(shape, batch.segment_ends),
                              {batch.tokens, batch.segment_ends}, {rows, targets}, scale, chance);
  loss.backward();
  return loss.item<double>();
}

double step_loss(const Network& leaves, const ModelShape& shape, const TrialSettings& settings,
                 const StepBatch& data, Step step) {
  const double scale = 1 / static_cast<double>(count_labels(data));
  Chance chance = chance_of(settings, step);
  double loss = 0;
  for (const Batch& batch : data.micro) {
    loss += go_back_through(leaves, shape, batch, scale, chance);
    chance.first_token += std::ssize(batch.tokens);
  }
  return loss;
}

// Returns: what the gradients are multiplied with, so that their norm is at most `clip`.
double clip_factor(const std::vector<Learner>& learners, double clip) {
  double squares = 0;
  for (const Learner& l : learners) squares += l.leaf.grad().square().sum().item<double>();
  const double norm = std::sqrt(squares);
  return clip > 0 && norm > clip ? clip / (norm + 1e-6) : 1;
}

// m = b1 m + (1 - b1) g;   v = b2 v + (1 - b2) g^2;   p = p - lr wd p - lr m^ / (sqrt(v^) + eps)
void learn(Learner& l, double factor, const TrainSettings& s, Step step) {
  const Tensor g = l.leaf.grad() * factor;
  const auto n = static_cast<double>(step);
  l.first = s.beta1 * l.first + (1 - s.beta1) * g;
  l.second = s.beta2 * l.second + (1 - s.beta2) * g * g;
  const Tensor mean = l.first / (1 - std::pow(s.beta1, n)), square = l.second / (1 - std::pow(s.beta2, n));
  const Tensor decay = l.value * (l.decays ? s.lr * s.weight_decay : 0);
  l.value.sub_(decay + s.lr * mean / (square.sqrt() + s.eps));
  l.leaf.mutable_grad() = Tensor{};
}

}  // namespace

std::vector<double> training_losses(const Network& start, const ModelShape& shape,
                                    const TrialSettings& settings, const BatchSource& batches, Step steps) {
  const TrainSettings& train = settings.train;
  RT_CHECK(train.schedule == Schedule::constant);
  RT_CHECK(train.warmup.of(steps) == 0);
  RT_CHECK(train.decay_rule == DecayRule::times_lr);
  Network leaves = leaves_of(start, shape);
  std::vector<Learner> learners = learners_of(leaves, shape);
  std::vector<double> losses;
  for (Step step = 1; step <= steps; ++step) {
    losses.push_back(step_loss(leaves, shape, settings, batches(step), step));
    const double factor = clip_factor(learners, train.clip);
    for (Learner& learner : learners) learn(learner, factor, train, step);
  }
  return losses;
}

}  // namespace ranktide::oracle
