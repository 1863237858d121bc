#include "cli/timed_slots.h"

#include <gtest/gtest.h>

namespace ranktide::cli {
namespace {

Slot cores(int threads, const std::string& processor = "Make Of Tides") {
  return {.index = 0, .device = "cpu", .threads = threads, .processor = processor};
}
Slot gpu(const std::string& model) {
  return {.index = 0, .device = "GPU-1", .threads = 1, .model = model};
}

TEST(TimedSlots, AreThoseThatTheSweepAsksFor) {
  Slot labelled = cores(8);
  labelled.labels = {"big"};
  RunPolicy run;
  run.needs.labels = {"big"};
  const TimedSlots slots = timed_slots(run, {cores(1), labelled});
  EXPECT_EQ(slots.on, ComputedOn::cpu);
  EXPECT_EQ(slots.threads_on("Make Of Tides"), 8);
  EXPECT_EQ(slots.threads_min(), 8);
}

TEST(TimedSlots, AreGpusWhereOneIsNeededOrOnlyThoseAreThere) {
  RunPolicy needs_one;
  needs_one.needs.gpus = 1;
  EXPECT_EQ(timed_slots(needs_one, {cores(1), gpu("H200")}).on, ComputedOn::gpu);
  EXPECT_EQ(timed_slots(needs_one, {cores(1)}).on, ComputedOn::gpu);
  EXPECT_EQ(timed_slots({}, {gpu("H200")}).on, ComputedOn::gpu);
  EXPECT_EQ(timed_slots({}, {cores(1), gpu("H200")}).on, ComputedOn::cpu);
}

TEST(TimedSlots, AreGpusWhereOnlyThoseHaveTheLabelThatIsAskedFor) {
  RunPolicy run;
  run.needs.labels = {"big"};
  Slot labelled = gpu("H200");
  labelled.labels = {"big"};
  const TimedSlots slots = timed_slots(run, {cores(1), labelled});
  EXPECT_EQ(slots.on, ComputedOn::gpu);
  EXPECT_TRUE(slots.are_like(slot_kind_of(labelled)));
  EXPECT_FALSE(slots.are_like(slot_kind_of(gpu("A100"))));
}

TEST(TimedSlots, AreOfAProcessorOnlyWhereAllAreWithAsManyThreads) {
  EXPECT_EQ(timed_slots({}, {cores(2), cores(2)}).threads_on("Make Of Tides"), 2);
  EXPECT_EQ(timed_slots({}, {cores(2), cores(1)}).threads_on("Make Of Tides"), std::nullopt);
  EXPECT_EQ(timed_slots({}, {cores(2), cores(1)}).threads_min(), 1);
  EXPECT_EQ(timed_slots({}, {cores(2), cores(2, "Another")}).threads_on("Make Of Tides"), std::nullopt);
  EXPECT_EQ(timed_slots({}, {cores(2, "")}).threads_on("Make Of Tides"), std::nullopt)
      << "an older worker does not tell";
  EXPECT_EQ(timed_slots({}, {gpu("H200")}).threads_on(""), std::nullopt);
  EXPECT_EQ(TimedSlots().threads_on("Make Of Tides"), std::nullopt);
}

TEST(TimedSlots, AreLikeOnesOfTheirOwnKindAndWhatWasNotToldMayBeAny) {
  const TimedSlots two = timed_slots({}, {cores(2)});
  EXPECT_TRUE(two.are_like(slot_kind_of(cores(2))));
  EXPECT_FALSE(two.are_like(slot_kind_of(cores(1))));
  EXPECT_FALSE(two.are_like(slot_kind_of(cores(2, "Another"))));
  EXPECT_FALSE(two.are_like(slot_kind_of(gpu("H200"))));
  EXPECT_TRUE(two.are_like({.device = "cpu", .processor = "", .threads = 0}));
  const TimedSlots gpus = timed_slots({}, {gpu("H200"), gpu("A100")});
  EXPECT_TRUE(gpus.are_like(slot_kind_of(gpu("A100"))));
  EXPECT_FALSE(gpus.are_like(slot_kind_of(gpu("L40S"))));
  EXPECT_TRUE(gpus.are_like(slot_kind_of(gpu(""))));
  EXPECT_FALSE(gpus.are_like(slot_kind_of(cores(1))));
  EXPECT_TRUE(TimedSlots(ComputedOn::gpu).are_like(slot_kind_of(gpu("L40S"))));
}

}  // namespace
}  // namespace ranktide::cli
