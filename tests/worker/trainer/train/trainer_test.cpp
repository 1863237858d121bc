#include "worker/trainer/train/trainer.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/pass_bytes.h"
#include "tests/worker/trainer/train/lessons.h"
#include "worker/trainer/lm/product.h"
#include "worker/trainer/lm/weights.h"
#include "worker/trainer/train/optimizer.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

TEST(Trainer, LeavesTheBaseBitForBit) {
  const Scratch scratch;
  const auto base = tiny::base();
  const std::string before = base->sha256();
  for (const Method method : {Method::lora, Method::full}) {
    const Stage stage = tiny::stage(3, method);
    Model model = Model::for_trial(base, stage.settings);
    tiny::run(stage, model, tiny::lessons(), {.checkpoints = scratch.path() / std::string(text_of(method))});
    EXPECT_NE(model.logits(tiny::prompt()), Model::untouched(base).logits(tiny::prompt()));
  }
  EXPECT_EQ(base->sha256(), before);
}

TEST(Trainer, ReportsEveryStep) {
  const Scratch scratch;
  Stage stage = tiny::stage(4);
  stage.settings.train.warmup = {.steps = 2, .share = {}};
  Model model = Model::for_trial(tiny::base(), stage.settings);
  const auto run = tiny::run(stage, model, tiny::lessons(), {.checkpoints = scratch.path()});
  ASSERT_EQ(run.progress.size(), 4U);
  EXPECT_EQ(run.progress[0].step, 1);
  EXPECT_DOUBLE_EQ(run.progress[0].lr, stage.settings.train.lr / 2);
  EXPECT_EQ(run.progress[3].tokens, 4 * 4 * 24);
  EXPECT_EQ(run.outcome.tokens, 4 * 4 * 24);
  EXPECT_EQ(run.outcome.weights_sha256, model.weights_sha256());
  EXPECT_GT(run.outcome.memory_peak_bytes, 0);
}

// Those of tiny::unequal, the third row without a label: by itself it needs no pass, and yet it is counted in
// where the masks of the rows after it begin.
BatchSource third_unlabelled(size_t rows_per_micro) {
  return [data = tiny::unequal(rows_per_micro), rows_per_micro](Step s) {
    StepBatch step = data(s);
    Batch& batch = step.micro[2 / rows_per_micro];
    const size_t row = 2 % rows_per_micro;
    const int32_t begin = row == 0 ? 0 : batch.segment_ends[row - 1], end = batch.segment_ends[row];
    std::fill(batch.targets.begin() + begin, batch.targets.begin() + end, kNoLabel);
    return step;
  };
}

using Cut = BatchSource (*)(size_t rows_per_micro);

// Losses and gradients of eight micro-batches of a row are those of one of eight rows, but for so much of
// themselves.
void expect_equal_by_any_cut(const Cut& cut, Method method, Dtype dtype, double dropout, double loss_tolerance,
                             double norm_tolerance) {
  Stage stage = tiny::stage(5, method);
  stage.settings.model.dtype = dtype;
  if (stage.settings.lora) stage.settings.lora->dropout = dropout;
  stage.settings.train.attention_dropout = dropout;
  const Scratch scratch;
  std::vector<std::vector<StepProgress>> curves;
  for (const size_t rows : {1, 8}) {
    Model model = Model::for_trial(tiny::base("llama", dtype), stage.settings);
    const tiny::How how{.checkpoints = scratch.path() / std::to_string(rows)};
    curves.push_back(tiny::run(stage, model, cut(rows), how).progress);
  }
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(curves[0][i].loss / curves[1][i].loss, 1, loss_tolerance);
    EXPECT_NEAR(curves[0][i].grad_norm / curves[1][i].grad_norm, 1, norm_tolerance);
  }
}

TEST(Trainer, OneBatchOfEightEqualsEightOfOne) {
  for (const Cut& cut : {Cut{tiny::unequal}, Cut{third_unlabelled}})
    for (const Method method : {Method::lora, Method::full})
      for (const double dropout : {0.0, 0.2}) {
        SCOPED_TRACE(testing::Message() << text_of(method) << ", dropout " << dropout);
        expect_equal_by_any_cut(cut, method, Dtype::fp32, dropout, 4e-6, 1e-4);
      }
}

// Sums that round apart in fp32 are rounded to neighbours in bf16 now and then; masks of other tokens would be
// off by far more.
TEST(Trainer, OneBatchOfEightIsNearEightOfOneInBf16) {
  const bool before = multiply_bf16_as_it_is(true);
  for (const bool as_it_is : {true, false}) {
    multiply_bf16_as_it_is(as_it_is);
    for (const Method method : {Method::lora, Method::full}) {
      SCOPED_TRACE(testing::Message() << text_of(method) << (as_it_is ? " as it is" : " widened"));
      expect_equal_by_any_cut(third_unlabelled, method, Dtype::bf16, 0.2, 2e-3, 1e-2);
    }
  }
  multiply_bf16_as_it_is(before);
}

// The losses of a run. A step's loss is from before its update: it shows the steps before it.
std::vector<double> losses_of(const Stage& stage) {
  const Scratch scratch;
  Model model = Model::for_trial(tiny::base(), stage.settings);
  std::vector<double> losses;
  for (const StepProgress& p :
       tiny::run(stage, model, tiny::lessons(), {.checkpoints = scratch.path()}).progress)
    losses.push_back(p.loss);
  return losses;
}

// Under wsd the shorter run cools down from step 5 on.
TEST(Trainer, ASmallerBudgetIsAPrefixOfALarger) {
  for (const Method method : {Method::lora, Method::full})
    for (const Schedule schedule : {Schedule::constant, Schedule::wsd}) {
      std::vector<std::vector<double>> losses;
      for (const Step to : {6, 12}) {
        Stage stage = tiny::stage(to, method);
        if (stage.settings.lora) stage.settings.lora->dropout = 0.1;
        stage.settings.train.attention_dropout = 0.1;
        stage.settings.train.schedule = schedule;
        stage.settings.train.warmup.steps = 2;
        stage.settings.train.cooldown = {.steps = 2, .share = {}};
        losses.push_back(losses_of(stage));
      }
      const bool cools = schedule == Schedule::wsd;
      const auto shown = losses[0].begin() + (cools ? 5 : 6);
      EXPECT_TRUE(std::equal(losses[0].begin(), shown, losses[1].begin())) << text_of(method);
      EXPECT_EQ(losses[0][5] != losses[1][5], cools) << text_of(method);
    }
}

TEST(Trainer, DropoutFollowsTheSeed) {
  const Scratch scratch;
  Stage stage = tiny::stage(3);
  stage.settings.lora->dropout = 0.3;
  std::vector<double> losses;
  for (const uint64_t seed : {1, 1, 2}) {
    stage.settings.seed = seed;
    Model model = Model::with_lora(tiny::base(), *stage.settings.lora, 9);
    const auto run = tiny::run(stage, model, tiny::lessons(),
                               {.checkpoints = scratch.path() / std::to_string(losses.size())});
    losses.push_back(run.progress.back().loss);
  }
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_NE(losses[0], losses[2]);
}

TEST(Trainer, ADivergenceIsAResultWithItsStep) {
  const Scratch scratch;
  Stage stage = tiny::stage(50, Method::full);
  stage.settings.train.lr = 1e30;
  Model model = Model::for_trial(tiny::base(), stage.settings);
  const auto run = tiny::run(stage, model, tiny::lessons(), {.checkpoints = scratch.path()});
  EXPECT_EQ(run.outcome.kind, OutcomeKind::diverged);
  EXPECT_EQ(run.outcome.step, std::ssize(run.progress) + 1);
  EXPECT_THAT(run.outcome.message, HasSubstr("not finite at step"));
  EXPECT_TRUE(run.outcome.weights_sha256.empty());
}

TEST(Trainer, RefusesTokensOfAnotherTokenizer) {
  const Scratch scratch;
  const Stage stage = tiny::stage(1);
  Model model = Model::for_trial(tiny::base(), stage.settings);
  const BatchSource foreign = [](Step) {
    StepBatch step;
    tiny::add_segment(step.micro.emplace_back(), {1, 2, 50000});
    return step;
  };
  try {
    tiny::run(stage, model, foreign, {.checkpoints = scratch.path()});
    FAIL();
  } catch (const TrainError& e) {
    EXPECT_THAT(e.what(), HasSubstr("token id 50000 is outside the model's vocabulary of 199"));
  }
}

TEST(Trainer, AStepWithoutLabelsUpdatesNothing) {
  const BatchSource labelled_once = [lessons = tiny::lessons()](Step s) {
    StepBatch step = lessons(s);
    if (s == 1) return step;
    for (Batch& batch : step.micro) std::fill(batch.targets.begin(), batch.targets.end(), kNoLabel);
    return step;
  };
  for (const Method method : {Method::lora, Method::full}) {
    std::vector<std::string> weights;
    for (const Step steps : {1, 3}) {
      const Scratch scratch;
      Stage stage = tiny::stage(steps, method);
      stage.settings.train.weight_decay = 0.1;
      Model model = Model::for_trial(tiny::base(), stage.settings);
      const auto run = tiny::run(stage, model, labelled_once, {.checkpoints = scratch.path()});
      EXPECT_EQ(run.outcome.kind, OutcomeKind::completed);
      EXPECT_EQ(run.progress.back().labels > 0, steps == 1);
      weights.push_back(run.outcome.weights_sha256);
    }
    EXPECT_EQ(weights[0], weights[1]);
  }
}

// Rows of 24 tokens, each as long as it may be.
Stage stage_of_full_rows(Method method, Dtype dtype) {
  Stage stage = tiny::stage(3, method);
  stage.settings.model.dtype = dtype;
  stage.settings.data.max_tokens = 24;
  stage.settings.train.batch = 4;
  return stage;
}

// What is missing is taken from the system in pieces of megabytes.
void expect_taken_at_once(const Stage& stage) {
  Model model = Model::for_trial(tiny::base("llama", stage.settings.model.dtype), stage.settings);
  const Workspace& memory = *model.base().tensors().workspace;
  const PassBytes planned =
      pass_bytes(stage.settings, model.shape(), {.tokens = 4 * 24, .sequence = 24}, model.base().bf16());
  const Scratch scratch;
  std::vector<int64_t> kept, held;
  tiny::run(stage, model, tiny::lessons(), {.checkpoints = scratch.path(), .after_step = [&](Step) {
                                              kept.push_back(memory.kept.held_bytes());
                                              held.push_back(memory.scratch.held_bytes());
                                            }});
  const auto as_planned = [](double bytes) {
    return testing::Each(testing::AllOf(testing::Ge(bytes), testing::Le(1.1 * bytes + 64)));
  };
  EXPECT_THAT(kept, as_planned(planned.kept));
  EXPECT_THAT(held, as_planned(planned.scratch));
  EXPECT_EQ(memory.kept.held_bytes() + memory.scratch.held_bytes(), 0);
}

TEST(Train, TakesTheMemoryOfItsPassesAtOnce) {
  expect_taken_at_once(stage_of_full_rows(Method::lora, Dtype::fp32));
  const bool before = multiply_bf16_as_it_is(true);
  expect_taken_at_once(stage_of_full_rows(Method::full, Dtype::bf16));
  multiply_bf16_as_it_is(before);
}

// Of the base's tensors, and of the flat buffers of what trains.
double tensor_bytes(const TrialSettings& settings) {
  const auto base = tiny::base("llama", settings.model.dtype);
  const Model model = Model::for_trial(base, settings);
  const Moments moments = zero_moments(model.tensors(), settings.train.optimizer);
  Network network = base->tensors().network;
  double bytes = 0;
  for (const ParameterSlot& slot : weight_slots(network, base->shape()))
    bytes += static_cast<double>(slot.weight->value.nbytes());
  const ModelTensors& own = model.tensors();
  for (const at::Tensor& flat : {own.values, own.grads, own.products, moments.first, moments.second})
    if (flat.defined()) bytes += static_cast<double>(flat.nbytes());
  return bytes;
}

// LibTorch itself is in every prediction, and in none of these tensors.
TEST(Train, PredictedPeaksDifferByTheTensorsThatATrialHolds) {
  const auto beside_a_pass = [](const TrialSettings& settings) {
    const ModelShape shape = tiny::base()->shape();
    const StepLoad load{.tokens = 96, .sequence = 24};
    const PassBytes pass = pass_bytes(settings, shape, load);
    return static_cast<double>(predicted_peak_bytes(settings, shape, load)) - pass.kept - pass.scratch;
  };
  TrialSettings smallest = tiny::stage(1, Method::lora).settings;
  smallest.model.dtype = Dtype::bf16;
  for (const Method method : {Method::lora, Method::full})
    for (const Dtype dtype : {Dtype::fp32, Dtype::bf16})
      for (const Optimizer optimizer : {Optimizer::adamw, Optimizer::lion}) {
        TrialSettings settings = tiny::stage(1, method).settings;
        settings.model.dtype = dtype;
        settings.train.optimizer = optimizer;
        const double held = tensor_bytes(settings), more = held - tensor_bytes(smallest);
        EXPECT_NEAR(beside_a_pass(settings) - beside_a_pass(smallest), more, held / 50)
            << text_of(method) << " " << text_of(dtype) << " " << text_of(optimizer);
      }
}

}  // namespace
}  // namespace ranktide
