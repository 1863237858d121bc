#include "common/model/step_time.h"

#include <gtest/gtest.h>

#include "common/model/step_work.h"
#include "tests/common/model/product_rates.h"
#include "tests/common/model/smollm2.h"

namespace ranktide {
namespace {

const std::vector<std::string> kEveryLinear{"down_proj", "gate_proj", "k_proj", "o_proj",
                                            "q_proj",    "up_proj",   "v_proj"};
constexpr StepLoad kLoad{.tokens = 512, .sequence = 256};

TrialSettings adapted(std::vector<std::string> target, int rank = 16, Dtype dtype = Dtype::fp32) {
  TrialSettings settings;
  settings.model.dtype = dtype;
  settings.lora = LoraSettings{.rank = rank, .alpha = 2.0 * rank, .target = std::move(target)};
  return settings;
}

TrialSettings wholly(Dtype dtype = Dtype::fp32) {
  TrialSettings settings;
  settings.model.dtype = dtype;
  settings.method = Method::full;
  return settings;
}

StepSeconds step_of(const TrialSettings& settings, const StepLoad& load = kLoad, double speed = 1) {
  return training_step_seconds(ProductSpeeds(products_at(speed)), settings, kSmolLm2, load, 1);
}

double flops_in(const PassWork& work) {
  double flops = 0;
  for (const CountedProduct& p : work.products)
    flops += p.count * 2 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  return flops;
}

TEST(StepTime, IsTheSumOfProductsElementwiseWorkAndOptimizer) {
  const StepSeconds s = step_of(wholly());
  EXPECT_GT(s.products, 0);
  EXPECT_GT(s.elementwise, 0);
  EXPECT_GT(s.optimizer, 0);
  const double bandwidth = products_at(1).bytes_per_second;
  EXPECT_DOUBLE_EQ(s.elementwise, training_work(wholly(), kSmolLm2, kLoad, Bf16::widened).bytes / bandwidth);
  EXPECT_DOUBLE_EQ(s.optimizer, optimizer_bytes(wholly(), kSmolLm2) / bandwidth);
  EXPECT_DOUBLE_EQ(s.sum(), s.products + s.elementwise + s.optimizer);
}

TEST(StepTime, OfLoraIsShorterThanOfFull) {
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    const StepSeconds lora = step_of(adapted(kEveryLinear, 16, dtype)), full = step_of(wholly(dtype));
    EXPECT_LT(lora.products, 0.9 * full.products);
    EXPECT_LT(lora.optimizer, full.optimizer / 20);
    EXPECT_LT(lora.sum(), full.sum());
  }
}

TEST(StepTime, GrowsWithRankAndWithEveryAdapter) {
  EXPECT_LT(step_of(adapted(kEveryLinear, 16)).sum(), step_of(adapted(kEveryLinear, 256)).sum());
  std::vector<std::string> target;
  double last = 0;
  for (const char* module : {"q_proj", "v_proj", "o_proj", "up_proj", "down_proj"}) {
    target.emplace_back(module);
    const double seconds = step_of(adapted(target)).sum();
    EXPECT_GT(seconds, last) << module;
    last = seconds;
  }
}

// Of the first layer nothing is gone back through below its lowest adapter: of one layer, hardly anything.
TEST(StepTime, BelowTheLowestAdapterThereIsNoWayBack) {
  ModelShape one_layer = kSmolLm2;
  one_layer.layers = 1;
  const ProductSpeeds speeds(products_at(1));
  const auto seconds = [&](const char* module) {
    return training_step_seconds(speeds, adapted({module}), one_layer, kLoad, 1).sum();
  };
  EXPECT_LT(seconds("down_proj"), seconds("gate_proj"));
  EXPECT_LT(seconds("gate_proj"), seconds("o_proj"));
  EXPECT_LT(seconds("o_proj"), seconds("q_proj"));
}

TEST(StepTime, RowsWithoutALabelSaveTheHead) {
  StepLoad half = kLoad;
  half.labelled_share = 0.5;
  const double head = 2.0 * 2 * 512 * 576 * 49152;  // logits, and the gradient of their input
  const auto flops = [](const StepLoad& load) {
    return flops_in(training_work(adapted(kEveryLinear), kSmolLm2, load, Bf16::widened));
  };
  EXPECT_NEAR(flops(kLoad) - flops(half), head / 2, 1e-6 * head);
  EXPECT_LT(step_of(adapted(kEveryLinear), half).elementwise, step_of(adapted(kEveryLinear)).elementwise);
}

TEST(StepTime, ATableTwiceAsFastHalvesIt) {
  for (const TrialSettings& settings :
       {wholly(), adapted(kEveryLinear), adapted(kEveryLinear, 16, Dtype::bf16)}) {
    const StepSeconds slow = step_of(settings, kLoad, 1), fast = step_of(settings, kLoad, 2);
    EXPECT_NEAR(fast.products, slow.products / 2, 1e-9 * slow.products);
    EXPECT_NEAR(fast.elementwise, slow.elementwise / 2, 1e-9 * slow.elementwise);
    EXPECT_NEAR(fast.optimizer, slow.optimizer / 2, 1e-9 * slow.optimizer);
  }
}

TEST(StepTime, OfSeveralMicrobatchesHasOneOptimizerStep) {
  const ProductSpeeds speeds(products_at(1));
  const StepSeconds one = training_step_seconds(speeds, wholly(), kSmolLm2, kLoad, 1);
  const StepSeconds three = training_step_seconds(speeds, wholly(), kSmolLm2, kLoad, 3);
  EXPECT_NEAR(three.products, 3 * one.products, 1e-9);
  EXPECT_EQ(three.optimizer, one.optimizer);
}

TEST(StepTime, WideningBf16CostsAPassOverTheWeightsEachTime) {
  const auto bytes = [](Dtype dtype, Bf16 bf16) {
    return training_work(adapted(kEveryLinear, 16, dtype), kSmolLm2, kLoad, bf16).bytes;
  };
  const double weights = 106'168'320;
  EXPECT_GT(bytes(Dtype::bf16, Bf16::widened), bytes(Dtype::fp32, Bf16::widened) + 2 * 6 * weights * 29 / 30);
  EXPECT_EQ(bytes(Dtype::fp32, Bf16::as_it_is), bytes(Dtype::fp32, Bf16::widened));
}

// The FLOPs that the cost model knows, plus what it leaves out: blocks of 64 queries, weights computed again.
TEST(StepTime, ItsProductsAreTheFlopsOfTheCostModel) {
  for (const TrialSettings& settings : {wholly(), adapted(kEveryLinear)}) {
    const double counted = flops_in(training_work(settings, kSmolLm2, kLoad, Bf16::widened));
    const double modelled = 512 * flops_per_token(settings, kSmolLm2, kLoad);
    EXPECT_GT(counted, modelled);
    EXPECT_LT(counted, 1.05 * modelled);
  }
}

TEST(EvalTime, IsAThirdOfAFullStepOrLess) {
  const ProductSpeeds speeds(products_at(1));
  const StepSeconds eval = eval_seconds(speeds, wholly(), kSmolLm2, kLoad), step = step_of(wholly());
  EXPECT_EQ(eval.optimizer, 0);
  EXPECT_NEAR(eval.products, step.products / 3, 0.05 * step.products);
  EXPECT_LT(eval.sum(), step.sum() / 2.5);
}

TEST(EvalTime, AdaptersStayBesideTheWeightsAndCost) {
  const ProductSpeeds speeds(products_at(1));
  EXPECT_GT(eval_seconds(speeds, adapted(kEveryLinear), kSmolLm2, kLoad).products,
            eval_seconds(speeds, wholly(), kSmolLm2, kLoad).products);
}

}  // namespace
}  // namespace ranktide
