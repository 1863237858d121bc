// Checkpoints: a training that was cut ends with the same bits, and what is damaged or foreign is not resumed.
#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "common/model/safetensors.h"
#include "common/vocabulary/failpoint.h"
#include "common/vocabulary/random.h"
#include "tests/worker/trainer/train/attempts.h"
#include "worker/trainer/train/checkpoint.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

TEST(Resume, WhatWaitsForACheckpointIsNotTrainedWithoutOne) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  Model model = Model::for_trial(tiny::base(), stage.settings);
  const TrainFolders folders{.checkpoints = scratch.path(), .must_resume = true};
  EXPECT_THROW(train(stage, model, tiny::lessons(), folders, {}, {}), TrainError);
}

TEST(Resume, UnderLionToo) {
  for (const Method method : {Method::lora, Method::full}) {
    Stage stage = stage_with_dropout(method);
    stage.settings.train.optimizer = Optimizer::lion;
    const std::string expected = uninterrupted(stage);
    EXPECT_NE(expected, uninterrupted(stage_with_dropout(method)));
    for (const Step stop : {1, 6}) {
      const Scratch scratch;
      attempt(stage, {.checkpoints = scratch.path(), .attempt = 1, .stop_after = stop});
      const SafetensorsFile state(checkpoint(scratch, 1, stop) / "state.safetensors");
      for (const auto& [name, view] : state.tensors())
        EXPECT_FALSE(name.starts_with("second.")) << "it has one moment";
      EXPECT_EQ(attempt(stage, {.checkpoints = scratch.path(), .attempt = 2}).outcome.weights_sha256, expected)
          << "stopped at " << stop;
    }
  }
}

TEST(Resume, AStopAtAnyOfFivePointsEndsWithTheSameBits) {
  for (const Method method : {Method::lora, Method::full}) {
    const Stage stage = stage_with_dropout(method);
    const std::string expected = uninterrupted(stage);
    for (const Step stop : {1, 3, 5, 8, 11}) {
      const Scratch scratch;
      const auto first = attempt(stage, {.checkpoints = scratch.path(), .attempt = 1, .stop_after = stop});
      EXPECT_EQ(first.outcome.kind, OutcomeKind::stopped);
      EXPECT_EQ(first.outcome.step, stop);
      const auto second = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
      EXPECT_EQ(second.progress.front().step, stop + 1);
      EXPECT_EQ(second.outcome.weights_sha256, expected) << "stopped at " << stop;
      EXPECT_EQ(second.outcome.tokens, kSteps * 4 * 24);
    }
  }
}

TEST(Resume, CountsTheTimeAndMemoryOfTheAttemptsBefore) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  const auto first = attempt(stage, {.checkpoints = scratch.path(), .stop_after = 4});
  const Json manifest = manifest_of(checkpoint(scratch, 1, 4));
  EXPECT_EQ(manifest["seconds"], first.outcome.seconds);
  EXPECT_GT(manifest["memory_peak_bytes"], 0);
  constexpr int64_t kHuge = int64_t{1} << 50;
  edit_manifest(checkpoint(scratch, 1, 4), {{"seconds", 1000.0}, {"memory_peak_bytes", kHuge}});
  const auto second = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2, .stop_after = 8});
  EXPECT_GT(second.outcome.seconds, 1000);
  const auto third = attempt(stage, {.checkpoints = scratch.path(), .attempt = 3});
  EXPECT_GT(third.outcome.seconds, second.outcome.seconds);
  EXPECT_EQ(third.outcome.memory_peak_bytes, kHuge);
}

// Once by hand, and nobody's choice any more: the key was taken out of the file after a worker was lost.
TEST(Resume, IsExactOnlyWhereEveryAttemptCutItsRowsByItsOwnChoice) {
  Stage stage = stage_with_dropout();
  stage.settings.train.batch = 4;
  for (const std::optional<int> by_hand : {std::optional<int>(), std::optional(4), std::optional(1)}) {
    const bool is_own = by_hand != 1;
    const Scratch scratch;
    const auto first = attempt(stage, {.checkpoints = scratch.path(), .stop_after = 4, .microbatch = by_hand},
                               tiny::lessons(4, is_own ? 4 : 1));
    EXPECT_EQ(first.outcome.exact, is_own);
    const auto second = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2, .stop_after = 8});
    EXPECT_EQ(second.outcome.exact, is_own);
    EXPECT_EQ(second.progress.front().step, 5);
    const auto third = attempt(stage, {.checkpoints = scratch.path(), .attempt = 3});
    EXPECT_EQ(third.outcome.exact, is_own) << "it was lost on the way";
    const auto warned = Contains(HasSubstr("warning: the result is not promised bit-equal"));
    if (is_own)
      EXPECT_THAT(third.notes, testing::Not(warned));
    else
      EXPECT_THAT(third.notes, warned);
  }
}

// Its libraries may choose other code for it; days of training are worth more than the last bits.
TEST(Resume, OnAnotherProcessorGoesOnAndIsNotExact) {
  const Stage stage = stage_with_dropout();
  const Scratch scratch;
  attempt(stage, {.checkpoints = scratch.path(), .stop_after = 4});
  write_as(checkpoint(scratch, 1, 4), "processor", "AbacusInside 9/1");
  const auto second = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2, .stop_after = 8});
  EXPECT_EQ(second.progress.front().step, 5);
  EXPECT_THAT(second.notes, Contains(HasSubstr("it was begun on processor AbacusInside 9/1, this is ")));
  EXPECT_FALSE(second.outcome.exact);
  const auto third = attempt(stage, {.checkpoints = scratch.path(), .attempt = 3});
  EXPECT_FALSE(third.outcome.exact) << "its first steps are the other's still";
}

TEST(Resume, BeginsAnewRatherThanEndInexactWhereThatIsAskedFor) {
  const Stage stage = stage_with_dropout();
  const Scratch scratch;
  attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 2, .stop_after = 4});
  write_as(checkpoint(scratch, 1, 4), "processor", "AbacusInside 9/1");
  write_as(checkpoint(scratch, 1, 2), "exact", false);
  const auto again = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2, .resume_exact_only = true});
  EXPECT_EQ(again.progress.front().step, 1);
  EXPECT_TRUE(again.outcome.exact);
  EXPECT_THAT(again.notes,
              Contains(HasSubstr("is skipped: its result would not be promised bit-equal: it was begun "
                                 "on processor AbacusInside 9/1")));
}

constexpr Step kSaveEvery = 2;

// A child that trains with a checkpoint every other step and dies of SIGKILL: after `step` steps, or (0) at a
// failpoint.
void train_and_die(const Stage& stage, const std::filesystem::path& checkpoints, Step step,
                   const std::string& failpoint = "", const BatchSource& data = tiny::lessons()) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    set_failpoint(failpoint);
    const auto die = [&](Step s) {
      if (s == step) std::raise(SIGKILL);
    };
    attempt(stage, {.checkpoints = checkpoints, .checkpoint_every = kSaveEvery, .after_step = die}, data);
    std::_Exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(Resume, AKilledTrainingGoesOnFromItsLastCheckpointAndEndsWithTheSameBits) {
  for (const Method method : {Method::lora, Method::full}) {
    const Stage stage = stage_with_dropout(method);
    const std::string expected = uninterrupted(stage);
    for (const Step killed : {1, 4, 7, 9, 12}) {
      const Scratch scratch;
      train_and_die(stage, scratch.path(), killed);
      const auto again = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
      const Step last_saved = (killed - 1) / kSaveEvery * kSaveEvery;  // a step is reported before it is saved
      EXPECT_EQ(again.progress.front().step, last_saved + 1) << "killed at " << killed;
      EXPECT_EQ(again.outcome.weights_sha256, expected) << "killed at " << killed;
    }
  }
}

TEST(Resume, AKillWithinACheckpointsWriteLeavesTheOneBefore) {
  const std::pair<const char*, Step> kills[] = {{"checkpoint_state_written:3", 4},
                                                {"checkpoint_manifest_written:3", 4},
                                                {"checkpoint_renamed:3", 6}};  // and the newest that is whole
  for (const Method method : {Method::lora, Method::full}) {
    const Stage stage = stage_with_dropout(method);
    const std::string expected = uninterrupted(stage);
    for (const auto& [place, whole] : kills) {
      const Scratch scratch;
      train_and_die(stage, scratch.path(), 0, place);
      EXPECT_EQ(std::filesystem::exists(checkpoint(scratch, 1, 6)), whole == 6) << place;
      const auto again = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
      EXPECT_EQ(again.progress.front().step, whole + 1) << place;
      EXPECT_EQ(again.outcome.weights_sha256, expected) << place;
    }
  }
}

// Moments are passings of a micro-batch's end, three to a step.
TEST(Resume, AKillAtAnyOfTwentyMomentsEndsWithTheSameBits) {
  constexpr uint64_t kSeed = 2026;
  constexpr Step kToStep = 8, kMicro = 3;
  const BatchSource data = tiny::unequal(kMicro);  // rows 3, 3, 2
  SplitMix64 chance{kSeed};
  int within_an_accumulation = 0;
  for (const Method method : {Method::lora, Method::full}) {
    Stage stage = stage_with_dropout(method);
    stage.to = kToStep;
    const std::string expected = uninterrupted(stage, data);
    for (int kill = 0; kill < 10; ++kill) {
      const auto moment = 1 + static_cast<Step>(chance.below(kToStep * kMicro));
      SCOPED_TRACE("SEED=" + std::to_string(kSeed) + " " + std::string(text_of(method)) +
                   ", killed after micro-batch " + std::to_string(moment));
      within_an_accumulation += moment % kMicro != 0;
      const Scratch scratch;
      train_and_die(stage, scratch.path(), 0, "microbatch_done:" + std::to_string(moment), data);
      const auto again = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2}, data);
      const Step whole = (moment - 1) / kMicro;  // steps before the one it was killed in
      EXPECT_EQ(again.progress.front().step, whole / kSaveEvery * kSaveEvery + 1);
      EXPECT_EQ(again.outcome.weights_sha256, expected);
    }
  }
  EXPECT_GE(within_an_accumulation, 10) << "SEED=" << kSeed;
}

TEST(Resume, ACheckpointThatCannotBeSavedIsNotedAndTrainingGoesOn) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  const auto run =
      attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = kSaveEvery, .after_step = [&](Step s) {
                        if (s == 3) scratch.put("stage/1/writing-4", "in the way");
                      }});
  EXPECT_THAT(run.notes, Contains(AllOf(HasSubstr("warning: no checkpoint at step 4, training goes on"),
                                        HasSubstr("stage/1/writing-4: cannot be made"))));
  EXPECT_THAT(run.saved, testing::ElementsAre(2, 6, 8, 10));
  EXPECT_EQ(run.outcome.kind, OutcomeKind::completed);
  EXPECT_EQ(run.outcome.weights_sha256, uninterrupted(stage));
}

TEST(Resume, ACheckpointAsksForTwiceItsRoomFirst) {
  EXPECT_EQ(room_refusal(100 << 20, 220 << 20), "");
  EXPECT_THAT(room_refusal(100 << 20, 219 << 20),
              AllOf(HasSubstr("needs 220 MiB of free disk, 219 MiB are left"), HasSubstr("--data-dir")));
}

TEST(Resume, ADiskWithoutRoomIsAskedBeforeItIsFilled) {
  const Scratch scratch;
  if (mount("tmpfs", scratch.path().c_str(), "tmpfs", 0, "size=200k") != 0)
    GTEST_SKIP() << "needs the right to mount a small tmpfs";
  const Stage stage = stage_with_dropout(Method::full);
  const auto run = attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = kSaveEvery});
  EXPECT_THAT(run.notes, Contains(HasSubstr("a checkpoint needs ")));
  EXPECT_THAT(run.saved, testing::IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path() / "stage/1"));
  EXPECT_EQ(run.outcome.kind, OutcomeKind::completed);
  umount2(scratch.path().c_str(), MNT_DETACH);
}

TEST(Resume, SkipsADamagedCheckpointAndSaysSo) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 3, .stop_after = 10});
  flip_a_byte(checkpoint(scratch, 1, 10) / "state.safetensors");
  const auto again = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
  EXPECT_THAT(again.notes,
              Contains(AllOf(HasSubstr("damaged, its SHA-256 differs"), HasSubstr("it is now 10.corrupt"))));
  EXPECT_EQ(again.progress.front().step, 10);
  EXPECT_EQ(again.outcome.weights_sha256, uninterrupted(stage));
}

TEST(Resume, LooksAtADamagedCheckpointOnceAndKeepsItBesideTheOthers) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 3, .stop_after = 10});
  flip_a_byte(checkpoint(scratch, 1, 10) / "state.safetensors");
  attempt(stage, {.checkpoints = scratch.path(), .attempt = 2, .stop_after = 10});
  EXPECT_TRUE(std::filesystem::exists(scratch.path() / "stage/1/10.corrupt/state.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(checkpoint(scratch, 1, 10)));
  const auto third = attempt(stage, {.checkpoints = scratch.path(), .attempt = 3});
  EXPECT_THAT(third.notes, testing::Not(Contains(HasSubstr("damaged"))));
  EXPECT_EQ(third.progress.front().step, 11);
}

TEST(Resume, StartsOverWhenNothingValidIsLeft) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  attempt(stage, {.checkpoints = scratch.path(), .stop_after = 4});
  std::filesystem::resize_file(checkpoint(scratch, 1, 4) / "manifest.json", 20);
  const auto again = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
  EXPECT_EQ(again.progress.front().step, 1);
  EXPECT_THAT(again.notes, Contains(HasSubstr("manifest.json")));
  EXPECT_EQ(again.outcome.weights_sha256, uninterrupted(stage));
}

TEST(Resume, NeverContinuesWhatAnotherEngineBegan) {
  const Stage stage = stage_with_dropout();
  for (const auto& [key, foreign] :
       {std::pair<const char*, Json>{"threads", 7}, {"numerics_version", 99}, {"isa", "ABACUS"}}) {
    const Scratch scratch;
    attempt(stage, {.checkpoints = scratch.path(), .stop_after = 4});
    edit_manifest(checkpoint(scratch, 1, 4), {{key, foreign}});
    const auto again = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
    EXPECT_EQ(again.progress.front().step, 1);
    EXPECT_THAT(again.notes, Contains(HasSubstr("is skipped: it was made"))) << key;
  }
}

TEST(Resume, KeepsTheLastThreeAndNothingHalfWritten) {
  const Scratch scratch;
  std::filesystem::create_directories(scratch.path() / "stage/1/writing-1");
  attempt(stage_with_dropout(), {.checkpoints = scratch.path(), .checkpoint_every = 2});
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(scratch.path() / "stage/1"))
    left.push_back(entry.path().filename());
  EXPECT_THAT(left, testing::UnorderedElementsAre("6", "8", "10"));
}

TEST(Resume, AFolderThatCannotBeWrittenIsNamed) {
  const Scratch scratch;
  scratch.put("file", "");
  try {
    attempt(stage_with_dropout(), {.checkpoints = scratch.path() / "file", .stop_after = 2});
    FAIL();
  } catch (const TrainError& e) {
    EXPECT_THAT(e.what(), HasSubstr("file/stage/1"));
    EXPECT_THAT(e.what(), HasSubstr("cannot be made"));
  }
}

}  // namespace
}  // namespace ranktide
