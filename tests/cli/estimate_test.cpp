#include "cli/estimate.h"

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>

#include "cli/sweep_plan.h"
#include "common/model/step_time.h"
#include "common/sweep/identity.h"
#include "coordinator/core/needs.h"
#include "tests/common/model/product_rates.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

// A model of two layers on this machine, and data of 100 rows of 48 tokens.
class Estimate : public testing::Test {
 protected:
  Estimate() {
    std::ofstream(model() + "/config.json")
        << R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 1024,
               "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
               "num_key_value_heads": 2, "head_dim": 16, "hidden_act": "silu", "rms_norm_eps": 1e-5,
               "rope_theta": 10000.0, "max_position_embeddings": 512, "tie_word_embeddings": true})";
    const TrialSettings settings = full_trial().settings;
    inputs_.models[model_key(settings.model)] = ModelInput{.tokenizer_sha256 = "t"};
    inputs_.data[data_key(settings.data, "t")] = DataInput{.documents = 100, .tokens = 4800, .rows = 100};
  }

  std::string model() const { return folder_.path().string(); }

  SweepTrial full_trial(Dtype dtype = Dtype::fp32, Step steps = 10) const {
    SweepTrial trial;
    trial.cell.text = "full" + std::to_string(static_cast<int>(dtype)) + std::to_string(steps);
    trial.settings.model = {.path = model(), .tokenizer = "", .dtype = dtype};
    trial.tokenizer_sha256 = "t";
    trial.settings.method = Method::full;
    trial.settings.train.batch = 4;
    trial.settings.data.max_tokens = 64;
    trial.steps = steps;
    return trial;
  }

  Timing timing(const std::vector<MeasuredTrial>& finished = {}, double speed = 1) const {
    return timing_of(products_at(speed), 1, finished, inputs_);
  }

  TrialCost cost(const SweepTrial& trial, const Timing& timing) const {
    return TrialCosts(inputs_, timing).of(trial).value();
  }

  // The same trial, finished `factor` times as slowly as predicted.
  MeasuredTrial finished(const SweepTrial& trial, double factor) const {
    return {.settings = trial.settings,
            .tokens = trial.steps * 4 * 48,
            .seconds = factor * cost(trial, timing()).seconds};
  }

  TemporaryFolder folder_;
  Inputs inputs_;
};

TEST_F(Estimate, OfATrialGrowsWithItsSteps) {
  EXPECT_NEAR(cost(full_trial(Dtype::fp32, 20), timing()).seconds,
              2 * cost(full_trial(Dtype::fp32, 10), timing()).seconds, 1e-12);
}

TEST_F(Estimate, ChargesTheHeadForLabelledTokensAlone) {
  const double whole = cost(full_trial(), timing()).seconds;
  const auto labelled = [&](std::optional<int64_t> labels) {
    inputs_.data.begin()->second.labels = labels;
    return cost(full_trial(), timing()).seconds;
  };
  EXPECT_EQ(labelled(4800), whole);
  const StepLoad tenth{.tokens = 4 * 48, .sequence = 48, .labelled_share = 0.1};
  const double step =
      training_step_seconds(ProductSpeeds(products_at(1)), full_trial().settings, read_shape(model()), tenth, 1)
          .sum();
  EXPECT_NEAR(labelled(480), 10 * step, 1e-9);
  EXPECT_LT(labelled(480), 0.9 * whole);
}

TEST_F(Estimate, TrialsOfMaskedPromptsAndOfTextCorrectEachOther) {
  SweepTrial masked = full_trial();
  masked.settings.data.train = {{.path = "masked.jsonl", .weight = 1}};
  inputs_.data[data_key(masked.settings.data, "t")] =
      DataInput{.documents = 100, .tokens = 4800, .rows = 100, .labels = 480};
  const double alone = cost(masked, timing()).seconds, text = cost(full_trial(), timing()).seconds;
  EXPECT_NEAR(cost(masked, timing({finished(full_trial(), 1.5)})).seconds, 1.5 * alone, 1e-9);
  EXPECT_NEAR(cost(full_trial(), timing({finished(masked, 1.5)})).seconds, 1.5 * text, 1e-9);
}

TEST_F(Estimate, ATrialOfUnknownDataIsOfNoShapeAndLabelledAsTheDataThatAreKnown) {
  inputs_.data.begin()->second.labels = 480;
  MeasuredTrial elsewhere = finished(full_trial(), 3);
  elsewhere.settings.data.train = {{.path = "elsewhere.jsonl", .weight = 1}};
  elsewhere.settings.budget.steps = 10;
  const Timing corrected = timing({elsewhere});
  EXPECT_NEAR(cost(full_trial(), corrected).seconds, 3 * cost(full_trial(), timing()).seconds, 1e-9);
  EXPECT_FALSE(cost(full_trial(), corrected).is_same_shape);
  elsewhere.settings.data.mask_prompt = false;
  EXPECT_LT(timing({elsewhere}).corrections.at(Dtype::fp32).factor, 2.5) << "each token of it cost the head";
}

TEST_F(Estimate, IsCorrectedByWhatSlotsOfItsKindTook) {
  MeasuredTrial trial = finished(full_trial(), 3);
  trial.threads = 2;
  trial.processor = "Make Of Tides";
  const auto factor = [&](const TimedSlots& slots) {
    return timing_of(products_at(1), 1, {trial}, inputs_, slots).correction(full_trial().settings).factor;
  };
  EXPECT_NEAR(factor(cores_of("Make Of Tides", 2)), 3, 1e-9);
  EXPECT_EQ(factor(cores_of("Make Of Tides", 1)), 1);
  EXPECT_EQ(factor(cores_of("Another", 2)), 1);
  trial.device = "H200";
  EXPECT_EQ(factor(timed_slots({}, {{.index = 0, .device = "GPU-1", .model = "A100"}})), 1);
  EXPECT_NEAR(factor(timed_slots({}, {{.index = 0, .device = "GPU-1", .model = "H200"}})), 3, 1e-9);
}

TEST_F(Estimate, AGuessOfCoresElsewhereIsOfTheInstructionsThatTheyTellOf) {
  const auto guess = [&](std::optional<bool> widens_bf16) {
    const TimedSlots slots = timed_slots({}, {{.index = 0,
                                               .device = "cpu",
                                               .threads = 1,
                                               .processor = "Make Of Tides",
                                               .widens_bf16 = widens_bf16}});
    return cost(full_trial(Dtype::bf16), timing_of(std::nullopt, 1, {}, inputs_, slots));
  };
  EXPECT_LT(guess(false).seconds, guess(true).seconds);
  EXPECT_EQ(guess(std::nullopt).seconds, guess(true).seconds);
  EXPECT_EQ(guess(std::nullopt).memory_bytes, guess(true).memory_bytes);
  EXPECT_NE(guess(false).memory_bytes, guess(true).memory_bytes);
}

TEST_F(Estimate, StandsOnMeasuredProductsWhereThereAreSomeElseOnAGuess) {
  EXPECT_EQ(cost(full_trial(), timing()).basis, TimeBasis::products);
  const Timing guess = timing_of(std::nullopt, 1, {}, inputs_);
  EXPECT_EQ(cost(full_trial(), guess).basis, TimeBasis::guess);
  EXPECT_GT(cost(full_trial(), guess).seconds, 0);
  EXPECT_NEAR(cost(full_trial(), timing({}, 2)).seconds, cost(full_trial(), timing()).seconds / 2, 1e-12);
}

TEST_F(Estimate, IsCorrectedByWhatFinishedInTheSameDtype) {
  const Timing corrected = timing({finished(full_trial(), 3)});
  EXPECT_NEAR(cost(full_trial(), corrected).seconds, 3 * cost(full_trial(), timing()).seconds, 1e-9);
  EXPECT_EQ(cost(full_trial(), corrected).basis, TimeBasis::trials);
  EXPECT_EQ(cost(full_trial(Dtype::bf16), corrected).seconds, cost(full_trial(Dtype::bf16), timing()).seconds);
  EXPECT_EQ(cost(full_trial(Dtype::bf16), corrected).basis, TimeBasis::products);
}

TEST_F(Estimate, MemoryIsAsFarOffAsThePeaksOfFinishedTrialsOfItsShapeWere) {
  const TrialCost fresh = cost(full_trial(), timing());
  EXPECT_DOUBLE_EQ(fresh.memory_spread, 0.1) << "the formula's own";
  std::vector<MeasuredTrial> past{finished(full_trial(), 1), finished(full_trial(), 1)};
  EXPECT_DOUBLE_EQ(cost(full_trial(), timing(past)).memory_spread, 0.1) << "no peak was told";
  past[0].memory_peak_bytes = static_cast<int64_t>(0.8 * static_cast<double>(fresh.memory_bytes));
  EXPECT_DOUBLE_EQ(cost(full_trial(), timing(past)).memory_spread, 0.1) << "one tells nothing";
  past[1].memory_peak_bytes = fresh.memory_bytes;
  const TrialCost after = cost(full_trial(), timing(past));
  EXPECT_NEAR(after.memory_spread, 2 * std::sqrt(0.04 / 2), 1e-6);
  EXPECT_EQ(after.memory_bytes, fresh.memory_bytes) << "placing goes by the formula";
  EXPECT_DOUBLE_EQ(cost(full_trial(Dtype::bf16), timing(past)).memory_spread, 0.1) << "another shape";
}

TEST_F(Estimate, MemoryOfBf16HoldsAWidenedHeadOnlyWhereItIsWidened) {
  const auto bytes = [&](bool widens, ComputedOn on, Dtype dtype) {
    SweepTrial adapted = full_trial(dtype);
    adapted.settings.method = Method::lora;
    adapted.settings.lora = LoraSettings{.rank = 1, .target = {"q_proj"}};
    adapted.settings.train.batch = 1;  // few rows: those of logits are rounded where the head is not widened
    const Timing timing = timing_of(products_at(1, widens), 1, {}, inputs_, on);
    return cost(adapted, timing).memory_bytes;
  };
  constexpr int64_t kHead = 4 * 1024 * 64;
  const int64_t widened = bytes(true, ComputedOn::cpu, Dtype::bf16);
  EXPECT_LT(bytes(false, ComputedOn::cpu, Dtype::bf16), widened - kHead / 4);
  EXPECT_LT(bytes(true, ComputedOn::gpu, Dtype::bf16), widened)
      << "this machine's products say nothing of a GPU";
  EXPECT_EQ(bytes(false, ComputedOn::cpu, Dtype::fp32), bytes(true, ComputedOn::cpu, Dtype::fp32));
}

// A wide model with few words, in which what norms hold tells a GPU's formula from one of cores.
TEST_F(Estimate, MemoryIsThatOfPlacingWhichAsksASlotNoMoreThanHowItMultiplies) {
  std::ofstream(model() + "/config.json")
      << R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 32,
             "hidden_size": 512, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1,
             "num_key_value_heads": 1, "head_dim": 16, "hidden_act": "silu", "rms_norm_eps": 1e-5,
             "rope_theta": 10000.0, "max_position_embeddings": 512, "tie_word_embeddings": true})";
  const auto bytes = [&](ComputedOn on, Dtype dtype) {
    SweepTrial trial = full_trial(dtype);
    trial.settings.method = Method::lora;
    trial.settings.lora = LoraSettings{.rank = 1, .target = {"q_proj"}};
    return cost(trial, timing_of(products_at(1, false), 1, {}, inputs_, on)).memory_bytes;
  };
  const auto placed = [&](Dtype dtype) {
    TrialSettings settings = full_trial(dtype).settings;
    settings.method = Method::lora;
    settings.lora = LoraSettings{.rank = 1, .target = {"q_proj"}};
    Inputs inputs;
    inputs.models[model_key(settings.model)].shape = read_shape(model());
    const PredictedMemory memory = predicted_memory(inputs, settings, {});
    return memory.as_it_is_bytes.value_or(memory.train_bytes);
  };
  for (const Dtype dtype : {Dtype::bf16, Dtype::fp32}) {
    EXPECT_EQ(bytes(ComputedOn::cpu, dtype), placed(dtype));
    EXPECT_EQ(bytes(ComputedOn::gpu, dtype), placed(dtype));
  }
}

TEST_F(Estimate, AFinishedTrialOfAModelThatIsNotHereCorrectsNothing) {
  MeasuredTrial elsewhere = finished(full_trial(), 3);
  elsewhere.settings.model.path = "/no/such/model";
  EXPECT_TRUE(timing({elsewhere}).corrections.empty());
}

TEST_F(Estimate, AnEvalTakesItsForwardPasses) {
  SweepTrial trial = full_trial();
  const std::string file = model() + "/eval.txt";
  std::ofstream(file) << std::string(40'000, 'x');
  trial.evals = {{.name = "loss", .spec = {.data = file}}};
  trial.eval_at = {0, 10};
  const double with = cost(trial, timing()).seconds, without = cost(full_trial(), timing()).seconds;
  EXPECT_GT(with, without);
  trial.cell.text += " limited";
  trial.evals[0].spec.limit = 1;  // of some twenty windows
  const double limited = cost(trial, timing()).seconds;
  EXPECT_GT(limited, without);
  EXPECT_LT(limited - without, (with - without) / 5);
}

// An eval of a size that was read, asked once.
class EstimateOfAnEval : public Estimate {
 protected:
  double seconds_of(const EvalSize& size, const std::string& tokenizer = "t") const {
    SweepTrial trial = full_trial();
    trial.evals = {{.name = "tides", .spec = {.data = "/no/such/file"}, .spec_id = "asked so"}};
    trial.eval_at = {10};
    const Timing known = timing();
    return TrialCosts(inputs_, known, {}, {{eval_size_key("asked so", tokenizer), size}})
        .of(trial)
        ->eval_seconds;
  }
  double pass_seconds(const StepLoad& load) const {
    return eval_seconds(ProductSpeeds(products_at(1)), full_trial().settings, read_shape(model()), load).sum();
  }
};

TEST_F(EstimateOfAnEval, ChargesTheHeadForScoredTokensAlone) {
  const auto seconds = [&](double scored_share) {
    return seconds_of({.tokens = 4096, .sequence_tokens = 64, .scored_share = scored_share});
  };
  EXPECT_NEAR(seconds(0.25), 4 * pass_seconds({.tokens = 1024, .sequence = 64, .labelled_share = 0.25}), 1e-9);
  EXPECT_LT(seconds(0.25), 0.9 * seconds(1));
}

TEST_F(EstimateOfAnEval, PacksWholeSequencesAndLeavesOutWhatTheContextDoes) {
  const auto seconds = [&](double sequence_tokens) {
    return seconds_of({.tokens = 12 * sequence_tokens, .sequence_tokens = sequence_tokens});
  };
  ASSERT_EQ(read_shape(model()).context, 512);
  EXPECT_NEAR(seconds(400), 6 * pass_seconds({.tokens = 800, .sequence = 400}), 1e-9);
  EXPECT_NEAR(seconds(513), 12 * pass_seconds({.tokens = 513, .sequence = 513}), 1e-9);
  EXPECT_NEAR(seconds(2000), seconds(513), 1e-9) << "the last tokens of each alone";
}

TEST_F(EstimateOfAnEval, IsOfTheTokenizerThatReadIt) {
  EXPECT_GT(seconds_of({.tokens = 4096, .sequence_tokens = 64}), 0);
  EXPECT_EQ(seconds_of({.tokens = 4096, .sequence_tokens = 64}, "another"), 0) << "guessed: there is no file";
}

TEST_F(Estimate, ATrialWhoseInputsAreUnknownCannotBeCosted) {
  SweepTrial trial = full_trial();
  trial.settings.model.path = "/no/such/model";
  const Timing known = timing();
  EXPECT_FALSE(TrialCosts(inputs_, known).of(trial));
  const Inputs none;
  EXPECT_FALSE(TrialCosts(none, known).of(full_trial()));
}

TEST_F(Estimate, OfASweepIsOfWhatIsNotDoneAndStandsOnTheWeakestBasis) {
  const Timing corrected = timing({finished(full_trial(), 3)});
  const auto group = [&](const SweepTrial& trial, int64_t trials, Fate fate) {
    return PlannedGroup{.blocks = {"full"}, .trials = trials, .fate = fate, .cost = cost(trial, corrected)};
  };
  const SweepPlan plan{.groups = {group(full_trial(), 5, Fate::fresh),
                                  group(full_trial(Dtype::bf16), 1, Fate::resumable),
                                  group(full_trial(Dtype::fp32, 30), 2, Fate::done)}};
  const auto estimate = estimate_of(plan.groups);
  ASSERT_TRUE(estimate);
  EXPECT_DOUBLE_EQ(estimate->slot_seconds, 5 * plan.groups[0].cost->seconds + plan.groups[1].cost->seconds);
  EXPECT_EQ(estimate->basis, TimeBasis::products);
  EXPECT_EQ(estimate->kept_bytes, 5 * plan.groups[0].cost->disk.kept + plan.groups[1].cost->disk.kept);
  const auto range = cost_range(plan, "full");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->seconds_max, plan.groups[2].cost->seconds);
  EXPECT_FALSE(cost_range(plan, "lora"));
}

TEST(GuessedTable, IsFasterWithWiderInstructionsAndMoreThreads) {
  const auto seconds = [](const char* instructions, int threads, Dtype dtype) {
    return ProductSpeeds(guessed_table({.name = "x", .instructions = instructions}, threads))
        .seconds(dtype, 64, 64, 64);
  };
  EXPECT_LT(seconds("avx512_bf16", 1, Dtype::bf16), seconds("avx512f", 1, Dtype::bf16));
  EXPECT_LT(seconds("avx512f", 1, Dtype::fp32), seconds("avx2", 1, Dtype::fp32));
  EXPECT_EQ(seconds("avx2", 2, Dtype::fp32), seconds("avx2", 1, Dtype::fp32) / 2);
}

TEST(Slots, AreBoundedByCoresTrialsAndMemory) {
  EXPECT_EQ(slots_for(2, 24 * kGiB, 20, 2 * kGiB), 2);
  EXPECT_EQ(slots_for(64, 24 * kGiB, 20, 2 * kGiB), 12);
  EXPECT_EQ(slots_for(64, 24 * kGiB, 3, 2 * kGiB), 3);
}

TEST(Slots, ThereIsAlwaysOne) {
  EXPECT_EQ(slots_for(0, kGiB, 0, 100 * kGiB), 1);
}

}  // namespace
}  // namespace ranktide::cli
