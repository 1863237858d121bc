// What checkpoints leave on the disk, and which of them are believed.
#include "worker/trainer/train/checkpoint.h"

#include <algorithm>
#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/model/safetensors.h"
#include "common/vocabulary/sha256.h"
#include "tests/worker/trainer/train/attempts.h"

namespace ranktide {
namespace {

// What this process has synced.
std::vector<std::string>& synced() {
  static std::vector<std::string> paths;
  return paths;
}

}  // namespace
}  // namespace ranktide

// In the place of the system's, which it calls.
extern "C" int fsync(int fd) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  if (::readlink(link.c_str(), path.data(), path.size() - 1) > 0) ranktide::synced().emplace_back(path.data());
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace ranktide {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Checkpoint, ANewFolderIsSyncedUpToWhatWasThereBefore) {
  const Scratch scratch;
  const std::string there = std::filesystem::canonical(scratch.path());
  synced().clear();
  attempt(stage_with_dropout(), {.checkpoints = scratch.path() / "new/checkpoints", .stop_after = 1});
  for (const char* folder : {"", "/new", "/new/checkpoints", "/new/checkpoints/stage"})
    EXPECT_THAT(synced(), Contains(there + folder));
  synced().clear();
  attempt(stage_with_dropout(),
          {.checkpoints = scratch.path() / "new/checkpoints", .attempt = 2, .stop_after = 2});
  EXPECT_THAT(synced(), Contains(there + "/new/checkpoints/stage")) << "it holds another attempt";
  EXPECT_THAT(synced(), testing::Not(Contains(there + "/new"))) << "nothing new is in it";
}

TEST(Checkpoint, OfAStepThatWasJustSavedIsNotWrittenAgain) {
  const Scratch scratch;
  const auto run =
      attempt(stage_with_dropout(), {.checkpoints = scratch.path(), .checkpoint_every = 2, .stop_after = 4});
  EXPECT_THAT(run.saved, ElementsAre(2, 4));
}

// Between the two renames of a replacement: the old one is whole, and under a name that nobody reads.
TEST(Checkpoint, ThatWasBeingReplacedWhenItsProcessWasKilledHasItsNameAgain) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 2, .stop_after = 4});
  const std::filesystem::path there = checkpoint(scratch, 1, 4), aside = there.parent_path() / "writing-old-4";
  std::filesystem::rename(there, aside);
  const auto next = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
  EXPECT_EQ(next.progress.front().step, 5);
  EXPECT_EQ(next.outcome.weights_sha256, uninterrupted(stage));
  EXPECT_THAT(next.notes, Contains(HasSubstr("stage/1/4 has its name again")));
  EXPECT_FALSE(std::filesystem::exists(aside));
}

// A kill after both renames leaves two of one step: the new one stays.
TEST(Checkpoint, ThatWasReplacedStaysReplaced) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 2, .stop_after = 4});
  std::filesystem::create_directory(checkpoint(scratch, 1, 4).parent_path() / "writing-old-4");
  const auto next = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
  EXPECT_EQ(next.progress.front().step, 5);
  EXPECT_THAT(next.notes, testing::Not(Contains(HasSubstr("has its name again"))));
}

constexpr int64_t kMarkBytes = int64_t{1} << 50;

TEST(Checkpoint, ReplacesThatOfTheSameStepAndAttempt) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 2, .stop_after = 4});
  edit_manifest(checkpoint(scratch, 1, 4), {{"memory_peak_bytes", kMarkBytes}});
  attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 2, .stop_after = 4, .resume_at_most = 2});
  EXPECT_LT(manifest_of(checkpoint(scratch, 1, 4))["memory_peak_bytes"], kMarkBytes);
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(scratch.path() / "stage/1"))
    left.push_back(entry.path().filename());
  EXPECT_THAT(left, testing::UnorderedElementsAre("2", "4"));
}

TEST(Checkpoint, ThatCannotTakeItsPlaceLeavesTheOneThereWhole) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 2, .stop_after = 4});
  const std::filesystem::path there = checkpoint(scratch, 1, 4);
  if (mount(there.c_str(), there.c_str(), nullptr, MS_BIND, nullptr) != 0)
    GTEST_SKIP() << "needs the right to mount a folder, which then cannot be renamed";
  const auto run = attempt(
      stage, {.checkpoints = scratch.path(), .checkpoint_every = 2, .stop_after = 5, .resume_at_most = 2});
  umount2(there.c_str(), MNT_DETACH);
  EXPECT_THAT(run.notes, Contains(AllOf(HasSubstr("no checkpoint at step 4, training goes on"),
                                        HasSubstr("stage/1/4: cannot be moved aside"))));
  const auto next = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2, .resume_at_most = 4});
  EXPECT_EQ(next.progress.front().step, 5);
  EXPECT_EQ(next.outcome.weights_sha256, uninterrupted(stage));
}

// As after an upgrade and back: of what this engine must not resume nothing makes it drop its own.
TEST(Checkpoint, IsKeptBesideLaterOnesThatAreRefused) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 2});
  for (const Step step : {6, 8, 10}) edit_manifest(checkpoint(scratch, 1, step), {{"numerics_version", 99}});
  const auto run = attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 2, .stop_after = 5});
  EXPECT_THAT(run.saved, ElementsAre(2, 4, 5));
  for (const Step step : {2, 4, 5}) EXPECT_TRUE(std::filesystem::exists(checkpoint(scratch, 1, step))) << step;
  const auto next = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
  EXPECT_EQ(next.progress.front().step, 6);
}

// One flipped bit makes 6 a 7, and no hash covers the manifest.
TEST(Checkpoint, WhoseManifestSaysAnotherThingThanItsPlaceIsSkippedAsDamaged) {
  const Stage stage = stage_with_dropout();
  const std::string expected = uninterrupted(stage);
  const std::pair<const char*, Json> flips[] = {{"step", 7},       {"attempt", 3},  {"stage", "stagf"},
                                                {"seed", 10},      {"tokens", 575}, {"exact", false},
                                                {"processor", "x"}};
  for (const auto& [key, value] : flips) {
    const Scratch scratch;
    attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 4, .stop_after = 6});
    ASSERT_NE(manifest_of(checkpoint(scratch, 1, 6))[key], value);
    edit_manifest(checkpoint(scratch, 1, 6), {{key, value}});
    const auto again = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
    EXPECT_THAT(again.notes,
                Contains(AllOf(HasSubstr("is skipped: "), HasSubstr(std::string("damaged, its ") + key + " "),
                               HasSubstr("it is now 6.corrupt"))))
        << key;
    EXPECT_EQ(again.progress.front().step, 5) << key;
    EXPECT_EQ(again.outcome.weights_sha256, expected) << key;
  }
}

TEST(Checkpoint, WhoseStateIsOfAnotherStepThanItsFolderIsSkippedAsDamaged) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  attempt(stage, {.checkpoints = scratch.path(), .checkpoint_every = 4, .stop_after = 6});
  edit_manifest(checkpoint(scratch, 1, 6), {{"step", 7}});
  std::filesystem::rename(checkpoint(scratch, 1, 6), checkpoint(scratch, 1, 7));
  const auto again = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
  EXPECT_THAT(again.notes, Contains(HasSubstr("damaged, its steps cannot be its state's")));
  EXPECT_EQ(again.progress.front().step, 5);
}

// As the first of this format are: without what was added to it since.
void make_as_before(const std::filesystem::path& checkpoint) {
  const auto state = checkpoint / "state.safetensors", copy = checkpoint / "copy";
  write_safetensors(copy, SafetensorsFile(state).tensors());
  std::filesystem::rename(copy, state);
  edit_manifest(checkpoint, {{"seconds", nullptr},
                             {"memory_peak_bytes", nullptr},
                             {"processor", nullptr},
                             {"exact", nullptr},
                             {"files", {{"state.safetensors", sha256_of_file(state)}}}});
}

TEST(Checkpoint, OfBeforeIsReadAsBefore) {
  const Scratch scratch;
  const Stage stage = stage_with_dropout();
  attempt(stage, {.checkpoints = scratch.path(), .stop_after = 4});
  make_as_before(checkpoint(scratch, 1, 4));
  const auto again = attempt(stage, {.checkpoints = scratch.path(), .attempt = 2});
  EXPECT_EQ(again.progress.front().step, 5);
  EXPECT_GT(again.outcome.seconds, 0);
  EXPECT_TRUE(again.outcome.exact);
  EXPECT_EQ(again.outcome.weights_sha256, uninterrupted(stage));
}

}  // namespace
}  // namespace ranktide
