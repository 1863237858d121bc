#include "coordinator/core/needs.h"

#include <gtest/gtest.h>

#include "common/model/admitted_bytes.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/scheduler.h"
#include "tests/sim/placing.h"
#include "tests/sim/sweep_for_tests.h"

namespace ranktide {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

TrialSettings settings_of_rank(int rank) {
  return Grid(sweep_for_tests({.ranks = {rank}})).at(0)->settings;
}

PredictedMemory predicted(
    int rank, const std::function<void(ModelInput&)>& change = [](auto&) {}) {
  Inputs inputs = sweep_for_tests({.ranks = {rank}, .has_shape = true}).inputs;
  for (auto& [key, model] : inputs.models) change(model);
  return predicted_memory(inputs, settings_of_rank(rank));
}

Slot slot_with(int64_t memory_bytes, const std::string& device = "cpu", std::vector<std::string> labels = {}) {
  return {.device = device, .memory_bytes = memory_bytes, .labels = std::move(labels)};
}

// The simulator's own figures stand between these two.
TEST(Needs, AreTheWeightsTheAdapterAndOneMicrobatch) {
  const PredictedMemory four = predicted(4);
  EXPECT_EQ(four.forward_bytes, 2 * 1'261'529'088LL) << "weights in bf16";
  EXPECT_GT(four.train_bytes, four.forward_bytes + 350'000'000 / 2);
  // 18 bytes for each of rank x (in + out) weights: q, k, v and o of 22 layers.
  EXPECT_NEAR(static_cast<double>(predicted(8).train_bytes - four.train_bytes), 18.0 * 4 * 4 * 4096 * 22, 1e6);
  EXPECT_LT(admitted_bytes(four.train_bytes), sim::kSmallSlotBytes);
  EXPECT_GT(admitted_bytes(predicted(8).train_bytes), sim::kSmallSlotBytes);
}

// The batch of 4 rows of 64 tokens is one micro-batch, of rows of 256 it is two.
TEST(Needs, CountTheRowsThatTheTrainerComputesAtOnce) {
  Inputs inputs = sweep_for_tests({.has_shape = true}).inputs;
  TrialSettings settings = settings_of_rank(4);
  const PredictedMemory shorter = predicted_memory(inputs, settings);
  settings.data.max_tokens = 256;
  const PredictedMemory longer = predicted_memory(inputs, settings);
  EXPECT_EQ(shorter.microbatch, 4);
  EXPECT_EQ(longer.microbatch, 2);
  EXPECT_GT(longer.train_bytes, shorter.train_bytes);
  EXPECT_EQ(predicted_memory(inputs, settings, 1).microbatch, 1);
  EXPECT_LT(predicted_memory(inputs, settings, 1).train_bytes, longer.train_bytes) << "one row, set by hand";
  EXPECT_EQ(predicted_memory(inputs, settings, 64).microbatch, 4) << "set by hand, and more than the batch has";
  settings.train.batch = 400;
  EXPECT_EQ(predicted_memory(inputs, settings).train_bytes, longer.train_bytes) << "no batch is held whole";
}

TEST(Needs, AreUnknownWithoutAShapeThatAModelCanHave) {
  EXPECT_EQ(predicted(4, [](ModelInput& m) { m.shape.reset(); }).train_bytes, 0);
  EXPECT_EQ(predicted(4, [](ModelInput& m) { m.shape->layers = int64_t{1} << 62; }).train_bytes, 0);
  EXPECT_EQ(predicted(4, [](ModelInput& m) { m.shape->heads = m.shape->head_dim = 1 << 20; }).train_bytes, 0);
  EXPECT_EQ(predicted(4, [](ModelInput& m) { m.shape->ffn = -1; }).forward_bytes, 0);
}

// A head of 32,000 x 2,048 in fp32 is what a slot that multiplies bf16 as it is does not hold.
TEST(Needs, AreLessOnSlotsThatMultiplyBf16AsItIs) {
  const PredictedMemory memory = predicted(4);
  EXPECT_LT(memory.as_it_is_bytes.value(), memory.train_bytes - 240'000'000);
  const auto on = [&](const Slot& slot) { return predicted_bytes(WorkKind::train, memory, slot); };
  Slot cores = slot_with(0);
  EXPECT_EQ(on(cores), memory.train_bytes) << "an older worker does not tell";
  cores.widens_bf16 = true;
  EXPECT_EQ(on(cores), memory.train_bytes);
  cores.widens_bf16 = false;
  EXPECT_EQ(on(cores), memory.as_it_is_bytes);
  EXPECT_EQ(on(slot_with(0, "GPU-7")), memory.as_it_is_bytes);
  EXPECT_EQ(predicted_bytes(WorkKind::evaluate, memory, cores), memory.forward_bytes);
  EXPECT_EQ(predicted_bytes(WorkKind::train, {.train_bytes = 5}, cores), 5) << "an older journal";
}

TEST(Needs, OfFp32AreOneFigure) {
  TrialSettings settings = settings_of_rank(4);
  settings.model.dtype = Dtype::fp32;
  const Inputs inputs = sweep_for_tests({.has_shape = true}).inputs;
  EXPECT_GT(predicted_memory(inputs, settings).train_bytes, 0);
  EXPECT_EQ(predicted_memory(inputs, settings).as_it_is_bytes, std::nullopt);
}

TEST(Needs, ASlotIsGivenWhatFitsAsItMultipliesBf16) {
  const auto running_on = [](std::optional<bool> widens_bf16) {
    Coordinator core{CoordinatorConfig{}, State{}, Instant{}};
    Effects effects;
    const SweepSpec spec = sweep_for_tests({.ranks = {4}, .has_evals = false, .has_shape = true});
    core.step(Instant{}, Submit{.reply_to = 1, .request_id = "r", .spec = spec}, effects);
    Hello hello{
        .boot = "a", .version = "test", .slots = {slot_with(sim::kSmallSlotBytes * 19 / 20)}, .held = {}};
    hello.slots.front().widens_bf16 = widens_bf16;
    core.step(Instant{}, FromWorker{WorkerName{"w1"}, hello}, effects);
    return core.state().sweeps().at(1).running_units();
  };
  EXPECT_EQ(running_on(std::nullopt), 0);
  EXPECT_EQ(running_on(true), 0);
  EXPECT_EQ(running_on(false), 1);
}

// A prediction is off by some hundredths, and who has exactly as much runs out of it.
TEST(Needs, MemoryFitsWithATwentiethToSpareAndTheUnknownAlwaysFits) {
  EXPECT_TRUE(has(slot_with(2'100), {}, 2'000));
  EXPECT_FALSE(has(slot_with(2'099), {}, 2'000));
  EXPECT_TRUE(has(slot_with(0), {}, 2 * kGiB));
  EXPECT_TRUE(has(slot_with(1), {}, 0));
}

TEST(Needs, MemoryByHandStandsInPlaceOfThePrediction) {
  EXPECT_TRUE(has(slot_with(kGiB), {.memory_bytes = kGiB}, 2 * kGiB));
  EXPECT_FALSE(has(slot_with(2 * kGiB), {.memory_bytes = 3 * kGiB}, kGiB));
}

TEST(Needs, EveryLabelIsWanted) {
  const SlotNeeds both{.memory_bytes = {}, .labels = {"a", "b"}};
  EXPECT_TRUE(has(slot_with(0, "cpu", {"c", "b", "a"}), both, 0));
  EXPECT_FALSE(has(slot_with(0, "cpu", {"a"}), both, 0));
}

TEST(Needs, AGpuIsWhatIsNotCpuCores) {
  const SlotNeeds gpu{.memory_bytes = {}, .labels = {}, .gpus = 1};
  EXPECT_FALSE(has(slot_with(0), gpu, 0));
  EXPECT_TRUE(has(slot_with(0, "GPU-7"), gpu, 0));
}

// Nothing of this sweep fits the slot, and the trials that are listed in vain must have an end.
TEST(Needs, ASlotThatIsTooSmallDoesNotHaveAWholeGridListed) {
  Coordinator core{CoordinatorConfig{}, State{}, Instant{}};
  Effects effects;
  const auto submit = [&](const std::string& name, int rank, int seeds) {
    const SweepSpec spec =
        sweep_for_tests({.name = name, .ranks = {rank}, .seeds = seeds, .has_evals = false, .has_shape = true});
    core.step(Instant{}, Submit{.reply_to = 1, .request_id = name, .spec = spec}, effects);
  };
  submit("large", 8, 3 * kMisfitsMax);
  submit("small", 4, 1);
  Hello hello{.boot = "a", .version = "test", .slots = {slot_with(sim::kSmallSlotBytes)}, .held = {}};
  core.step(Instant{}, FromWorker{WorkerName{"w1"}, hello}, effects);
  while (core.next_deadline() == Instant{}) core.step(Instant{}, Wake{}, effects);
  EXPECT_EQ(core.state().sweeps().at(1).trials.size(), static_cast<size_t>(kMisfitsMax));
  EXPECT_EQ(core.state().sweeps().at(2).running_units(), 1) << "the slot was not left to the other sweep";
}

// The weights stand for themselves; a delta needs the base beside it.
TEST(PolicyOf, ATrialThatTwoSweepsWantKeepsItsWeightsRatherThanADelta) {
  for (const auto& [first, second] :
       {std::pair{Keep::weights, Keep::delta}, std::pair{Keep::delta, Keep::weights}}) {
    Coordinator core{CoordinatorConfig{}, State{}, Instant{}};
    Effects effects;
    for (const Keep keep : {first, second}) {
      const std::string name(text_of(keep));
      SweepSpec spec = sweep_for_tests({.name = name, .ranks = {4}, .seeds = 1, .has_evals = false});
      spec.run.keep = keep;
      core.step(Instant{}, Submit{.reply_to = 1, .request_id = name, .spec = spec}, effects);
    }
    Hello hello{.boot = "a", .version = "test", .slots = {slot_with(0), slot_with(0)}, .held = {}};
    hello.slots.back().index = 1;
    core.step(Instant{}, FromWorker{WorkerName{"w1"}, hello}, effects);
    ASSERT_EQ(core.state().units().size(), 1U);
    const Unit& unit = core.state().units().begin()->second;
    ASSERT_EQ(unit.wanted.size(), 2U);
    EXPECT_EQ(policy_of(core.state(), unit).keep, Keep::weights);
  }
}

// A journal from before there were needs has neither field.
TEST(Needs, AreReadFromRecordsThatLackThem) {
  Json listed = parse_json(to_journal(TrialListed{.sweep = 1, .memory = {.train_bytes = 5}}));
  listed.erase("memory");
  const Record old = from_journal("TrialListed", listed.dump());
  EXPECT_EQ(std::get<TrialListed>(old).memory.train_bytes, 0);
  Json submitted =
      parse_json(to_journal(SweepSubmitted{.sweep = 1, .spec = sweep_for_tests({.has_shape = true})}));
  submitted["spec"]["run"].erase("needs");
  for (auto& model : submitted["spec"]["inputs"]["models"]) model.erase("shape");
  const Record older = from_journal("SweepSubmitted", submitted.dump());
  const SweepSpec& spec = std::get<SweepSubmitted>(older).spec;
  EXPECT_EQ(spec.run.needs.memory_bytes, std::nullopt);
  EXPECT_EQ(spec.run.needs.gpus, 0);
  EXPECT_EQ(predicted_memory(spec.inputs, settings_of_rank(4)).train_bytes, 0);
}

}  // namespace
}  // namespace ranktide
