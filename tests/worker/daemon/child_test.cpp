#include "worker/daemon/child.h"

#include <array>
#include <csignal>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include "common/net/clock.h"
#include "common/sweep/grid.h"
#include "tests/sim/sweep_for_tests.h"
#include "tests/temporary_folder.h"
#include "tests/worker/daemon/fake_trainer.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

// One child and everything that it has said.
class ChildTest : public testing::Test {
 protected:
  void start(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"serve", "--work-dir", folder_.path().string(), "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    child_ = std::make_unique<Child>(ChildConfig{.program = RANKTIDE_FAKE_TRAINER, .arguments = arguments});
  }
  void start_program(const std::string& program, const std::vector<std::string>& arguments) {
    child_ = std::make_unique<Child>(ChildConfig{.program = program, .arguments = arguments, .threads = 3});
  }
  // Returns: what a child of this config prints of its CUDA_VISIBLE_DEVICES.
  std::string gpus_seen(const std::string& gpu) {
    child_ = std::make_unique<Child>(
        ChildConfig{.program = "/bin/sh", .arguments = {"-c", "echo \"<$CUDA_VISIBLE_DEVICES>\""}, .gpu = gpu});
    (void)end();
    return log_.tail();
  }
  void train(uint64_t seed) {
    const Stage stage{.id = StageId{std::string(64, 'a')}, .from = 0, .to = 5, .settings = {.seed = seed}};
    child_->send(RunWork{.lease = lease_, .work = {.kind = WorkKind::train, .stage = stage}});
  }
  template <class Done>
  bool run(Done done) {
    const Instant end = boot_clock_now() + Duration(120'000);
    while (!done()) {
      if (boot_clock_now() > end) return false;
      if (!child_) continue;
      std::vector<pollfd> items = child_->pollfds();
      ::poll(items.data(), items.size(), 20);
      for (TrainerReport& report : child_->exchange(log_)) reports_.push_back(std::move(report));
    }
    return true;
  }
  ChildEnd end() {
    std::optional<ChildEnd> out;
    EXPECT_TRUE(run([&] { return (out = child_->take_end(log_)).has_value(); }));
    return out.value_or(ChildEnd{});
  }
  const WorkEnded* work_end() const {
    return reports_.empty() ? nullptr : std::get_if<WorkEnded>(&reports_.back());
  }

  TemporaryFolder folder_;
  Lease lease_{.unit = UnitId{std::string(64, 'a')}, .attempt = 1};
  std::unique_ptr<Child> child_;
  ChildLog log_;
  std::vector<TrainerReport> reports_;
};

// Returns: whether the process is gone, or a zombie that nobody has reaped yet.
bool has_died(pid_t pid) {
  std::ifstream state("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(state, text);
  return text.empty() || text.find(") Z") != std::string::npos;
}

// Slurm's warning reaches every process of a job step; a trainer that it ended would have no checkpoint.
TEST_F(ChildTest, IgnoresWhatAsksTheWholeJobToEnd) {
  start_program("/bin/sh", {"-c", "for s in TERM INT HUP USR2; do kill -$s $$; done; echo still here"});
  EXPECT_EQ(end().status, 0);
  EXPECT_THAT(log_.tail(), HasSubstr("still here"));
}

TEST_F(ChildTest, SeesTheGpuOfItsSlotAloneWhateverTheWorkerSees) {
  ::setenv("CUDA_VISIBLE_DEVICES", "0,1,2", 1);
  EXPECT_EQ(gpus_seen("GPU-aaaa"), "<GPU-aaaa>\n");
  EXPECT_THAT(gpus_seen(""), HasSubstr("<>\n"));
  ::unsetenv("CUDA_VISIBLE_DEVICES");
}

TEST_F(ChildTest, CarriesOutAWorkAndStaysForTheNext) {
  start();
  train(1);
  ASSERT_TRUE(run([&] { return work_end() != nullptr; }));
  EXPECT_EQ(work_end()->outcome.kind, OutcomeKind::completed);
  reports_.clear();
  train(kDiverges);
  ASSERT_TRUE(run([&] { return work_end() != nullptr; }));
  EXPECT_EQ(work_end()->outcome.kind, OutcomeKind::diverged);
}

TEST_F(ChildTest, StopsAtAStepBorderWhenAsked) {
  start({"--step-ms", "50"});
  child_->send(RunWork{
      .lease = lease_,
      .work = {.kind = WorkKind::train, .stage = Stage{.id = StageId{std::string(64, 'a')}, .to = 1'000'000}}});
  child_->send(StopWork{.lease = lease_});
  ASSERT_TRUE(run([&] { return work_end() != nullptr; }));
  EXPECT_EQ(work_end()->outcome.kind, OutcomeKind::stopped);
}

TEST_F(ChildTest, NamesTheSignalOfACrashAndKeepsTheLastLines) {
  start();
  train(kCrashes);
  const ChildEnd how = end();
  EXPECT_EQ(how.kind, EndKind::signalled);
  EXPECT_EQ(how.message, "killed by signal 11 (Segmentation fault)");
  EXPECT_THAT(log_.tail(), HasSubstr("the last line before seed 1000"));
}

TEST_F(ChildTest, NamesAnExitCode) {
  start();
  train(kExitsWithThree);
  EXPECT_EQ(end().message, "exited with code 3");
}

TEST_F(ChildTest, TellsRunningOutOfMemoryFromACrash) {
  start();
  train(kRunsOutOfMemory);
  EXPECT_EQ(end().kind, EndKind::out_of_memory);
}

TEST_F(ChildTest, ThrowsOnNonsenseAndDiesWhenKilled) {
  start();
  train(kSpeaksNonsense);
  EXPECT_THROW(run([] { return false; }), ProtocolError);
  child_->kill();
  EXPECT_EQ(end().status, 9);
}

TEST_F(ChildTest, SaysNothingWhilePausedAndLosesNothing) {
  start();
  child_->pause();
  train(1);
  const Instant until = boot_clock_now() + Duration(300);
  ASSERT_TRUE(run([&] { return boot_clock_now() > until; }));
  EXPECT_TRUE(reports_.empty());
  child_->resume();
  ASSERT_TRUE(run([&] { return work_end() != nullptr; }));
  EXPECT_EQ(reports_.size(), 1U + 5U + 1U);  // ready, five steps, the end
}

TEST_F(ChildTest, InheritsFiveDescriptorsAndItsThreadCount) {
  start_program("/bin/sh", {"-c", "ls /proc/self/fd | tr '\\n' ' '; echo threads $OMP_NUM_THREADS"});
  (void)end();
  // ls has one more open: the folder that it lists.
  EXPECT_THAT(log_.tail(), HasSubstr("0 1 2 3 4 5 threads 3"));
}

TEST_F(ChildTest, TakesItsDescendantsWithIt) {
  start_program("/bin/sh", {"-c", "sleep 1000 & echo $!; exit 0"});
  (void)end();
  const pid_t orphan = std::stoi(log_.tail());
  EXPECT_TRUE(run([&] { return has_died(orphan); }));
}

TEST_F(ChildTest, DiesWithItsParentThatNobodyAsked) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const Child child({.program = "/bin/sleep", .arguments = {"1000"}});
    const pid_t pid = child.pid();
    (void)!::write(pipe[1], &pid, sizeof pid);
    ::raise(SIGKILL);
  }
  ::waitpid(parent, nullptr, 0);
  pid_t pid = 0;
  ASSERT_EQ(::read(pipe[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  EXPECT_TRUE(run([&] { return has_died(pid); }));
  ::kill(pid, SIGKILL);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(ChildTest, IsRefusedByNameWhenItCannotBeStarted) {
  try {
    start_program("/nowhere/trainer", {});
    FAIL();
  } catch (const ChildError& error) {
    EXPECT_STREQ(error.what(), "/nowhere/trainer: cannot be started: No such file or directory");
  }
}

TEST(ChildLog, GivesOutEachLineOnceItIsWhole) {
  ChildLog log;
  log.append("one\ntw");
  EXPECT_EQ(log.take_new_lines(), "one\n");
  EXPECT_EQ(log.take_new_lines(), "");
  log.append("o\nthree\n");
  EXPECT_EQ(log.take_new_lines(), "two\nthree\n");
  log.append(std::string(3 * ChildLog::kTailBytesMax, 'x') + "\nlast\n");
  EXPECT_THAT(log.take_new_lines(), testing::EndsWith("x\nlast\n")) << "what has left the memory is left out";
  EXPECT_EQ(log.take_new_lines(), "");
}

TEST(ChildLog, LimitsFileAndTail) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "unit" / "1.log";
  ChildLog log;
  log.begin(file);
  const std::string line = std::string(1023, 'x') + "\n";
  for (int i = 0; i < (9 << 10); ++i) log.append(line);
  log.append("the end\n");
  EXPECT_LE(std::filesystem::file_size(file), ChildLog::kFileBytesMax + 100);
  EXPECT_LE(log.tail().size(), ChildLog::kTailBytesMax);
  EXPECT_TRUE(log.tail().starts_with("xxx"));
  EXPECT_TRUE(log.tail().ends_with("the end\n"));
}

}  // namespace
}  // namespace ranktide
