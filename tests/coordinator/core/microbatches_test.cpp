// What out of memory teaches: which rows are granted next, to whom, and what people are told. Transcripts of it
// are tests/scenarios/out_of_memory*.txt.

#include "coordinator/core/microbatches.h"

#include <gtest/gtest.h>

#include "coordinator/core/coordinator.h"
#include "tests/sim/sweep_for_tests.h"

namespace ranktide {
namespace {

constexpr int64_t kGibibyte = int64_t{1} << 30;

// One worker with one slot, and what becomes of its newest attempt.
class Rows : public testing::Test {
 protected:
  void submit(SweepForTests wish) {
    wish.has_evals = false;
    wish.has_shape = true;
    step(Submit{.reply_to = 1, .request_id = wish.name, .spec = sweep_for_tests(wish)});
  }
  void hello(const std::string& boot = "a", const std::string& worker = "w1", int64_t gibibytes = 8) {
    Hello hello{.boot = boot, .version = "test", .slots = {}, .held = {}};
    hello.slots = {{.index = 0, .device = "cpu", .memory_bytes = gibibytes * kGibibyte}};
    step(FromWorker{WorkerName{worker}, hello});
  }
  void ends(OutcomeKind kind, const std::string& message = "") {
    Done done{.lease = grant_.lease, .seq = 1, .outcome = {}};
    done.outcome.kind = kind;
    done.outcome.message = message;
    step(FromWorker{WorkerName{"w1"}, done});
  }
  void step(const Input& input) {
    effects_ = {};
    core_.step(Instant{}, input, effects_);
    for (const ToWorker& to : effects_.messages)
      if (const auto* grant = std::get_if<Grant>(&to.message)) grant_ = *grant;
  }
  // Of the last step.
  template <class R>
  R record() const {
    for (const Record& record : effects_.records)
      if (const auto* found = std::get_if<R>(&record)) return *found;
    ADD_FAILURE() << "there is no such record";
    return {};
  }

  Coordinator core_{CoordinatorConfig{}, State{}, Instant{}};
  Effects effects_;
  Grant grant_;  // the newest one
};

TEST_F(Rows, WhatTheKernelKilledIsToldWithItsNumbersAndWhatComesNext) {
  submit({.run = "retry: {own: 0}"});
  hello();
  ends(OutcomeKind::out_of_memory, "killed by signal 9 (Killed) by the kernel, for memory");
  EXPECT_EQ(
      record<AttemptFailed>().outcome.message,
      "killed by signal 9 (Killed) by the kernel, for memory; placed for 3.1 GiB, with 4 rows at once, on a "
      "slot of 8.0 GiB; it goes on with 2 rows at once");
  ends(OutcomeKind::out_of_memory);
  ends(OutcomeKind::out_of_memory);
  EXPECT_TRUE(record<AttemptFailed>().last);
  EXPECT_EQ(record<AttemptFailed>().outcome.message,
            "placed for 3.1 GiB, with 1 row at once, on a slot of 8.0 GiB; nothing smaller can be tried; "
            "run.needs.memory asks for larger slots, which a CPU worker with fewer --slots has");
}

TEST_F(Rows, WhoAsksForExactnessIsToldWhyNothingSmallerIsTried) {
  submit({.run = "require_exact: true, retry: {own: 0}"});
  hello();
  ends(OutcomeKind::out_of_memory);
  EXPECT_NE(record<AttemptFailed>().outcome.message.find("; run.require_exact allows no fewer rows; "),
            std::string::npos);
}

// Three rates and two seeds: each of the six ran out of memory once.
TEST_F(Rows, ATrialOfAKnownKindBeginsWithWhatIsLeftAndIsNotExact) {
  submit({.seeds = 2, .rates = "[1e-4, 1e-3, 1e-2]"});
  hello();
  ends(OutcomeKind::out_of_memory);
  ends(OutcomeKind::completed);
  for (int others = 0; others < 5; ++others) {
    EXPECT_EQ(grant_.work.microbatch, 2);
    ends(OutcomeKind::completed);
    EXPECT_FALSE(record<UnitFinished>().outcome.exact);
  }
}

// It may go on from steps that were computed with fewer.
TEST_F(Rows, ATrialThatBeganWithFewerKeepsThemWhenTheWorkerIsStartedAgain) {
  submit({.seeds = 3});
  hello();
  ends(OutcomeKind::out_of_memory);
  ends(OutcomeKind::completed);
  hello("b");
  EXPECT_EQ(grant_.lease.attempt, 2);
  EXPECT_EQ(grant_.work.microbatch, 2) << "the second trial again";
  ends(OutcomeKind::completed);
  EXPECT_EQ(grant_.work.microbatch, 0) << "in the worker's new life nothing ran out";
}

// The second trial was begun with two rows while nobody asked.
TEST_F(Rows, WhoAsksForExactnessIsGrantedAllRowsWhereOthersWereGrantedFewer) {
  submit({.seeds = 2});
  hello();
  ends(OutcomeKind::out_of_memory);
  ends(OutcomeKind::completed);
  EXPECT_EQ(grant_.work.microbatch, 2);
  step(ControlSweep{.reply_to = 1, .request_id = "no", .sweep = "tiny", .action = SweepAction::cancel});
  submit({.name = "exact", .seeds = 2, .run = "require_exact: true"});
  EXPECT_EQ(grant_.lease.attempt, 2);
  EXPECT_EQ(grant_.work.microbatch, 0);
  ends(OutcomeKind::completed);
  EXPECT_TRUE(record<UnitFinished>().outcome.exact);
}

// It is a hash of all settings, and a unit that waits is looked at for each slot of each worker.
TEST_F(Rows, TheKindOfAUnitIsHashedOnlyForSlotsOfWhichSomethingIsKnownAndThenKept) {
  submit({.seeds = 3});
  hello();
  ends(OutcomeKind::out_of_memory);
  hello("b", "w2", 16);
  const Unit& on_larger = core_.state().units().at(grant_.lease.unit);
  EXPECT_EQ(on_larger.attempt.worker.text, "w2");
  EXPECT_EQ(on_larger.memory_kind, "");
  hello("c", "w3", 8);
  const Unit& on_equal = core_.state().units().at(grant_.lease.unit);
  EXPECT_EQ(on_equal.attempt.worker.text, "w3");
  EXPECT_EQ(on_equal.memory_kind, memory_kind(*on_equal.stage));
}

TEST(MemoryKind, IsTheSameForWhatMemoryDoesNotHangOn) {
  const auto stage = [](const SweepForTests& wish) {
    const SweepTrial trial = *Grid(sweep_for_tests(wish)).at(0);
    return Stage{.base = trial.base,
                 .tokenizer_sha256 = trial.tokenizer_sha256,
                 .data_sha256 = trial.data_sha256,
                 .settings = trial.settings};
  };
  const std::string kind = memory_kind(stage({}));
  EXPECT_EQ(memory_kind(stage({.name = "other", .steps = 60, .rates = "5e-3"})), kind);
  Stage seeded = stage({});
  seeded.settings.seed = 5;
  seeded.settings.train.batch = 64;
  EXPECT_EQ(memory_kind(seeded), kind);
  EXPECT_NE(memory_kind(stage({.ranks = {8}})), kind);
  EXPECT_NE(memory_kind(stage({.max_tokens = 65})), kind);
  Stage other = stage({});
  other.settings.model.dtype = Dtype::fp32;
  EXPECT_NE(memory_kind(other), kind);
  other = stage({});
  other.settings.lora->target = {"q_proj"};
  EXPECT_NE(memory_kind(other), kind);
  other = stage({});
  other.data_sha256 = "another's";
  EXPECT_NE(memory_kind(other), kind);
}

}  // namespace
}  // namespace ranktide
