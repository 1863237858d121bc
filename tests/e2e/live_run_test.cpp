// `ranktide run` before a person's eyes: the picture that is drawn over itself, and both Ctrl-Cs.

#include <csignal>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "tests/cli/shell_on_terminal.h"
#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

namespace fs = std::filesystem;

constexpr int kSteps = 5000;
constexpr const char* kLineUpAndErased = "\x1b[1A\x1b[2K";

class LiveRun : public testing::Test {
 protected:
  LiveRun() { world_.write_sweep(TinyWorld::sweep_text(kSteps, 1)); }

  std::vector<std::string> command() const { return world_.command({"run", world_.sweep().string()}); }

  const TinyWorld world_;
};

TEST_F(LiveRun, DrawsABarPerTrialOverItselfAndLeavesTheRemedyAtCtrlC) {
  std::vector<std::string> argv{"/usr/bin/env", "TERM=xterm"};
  const std::vector<std::string> run = command();
  argv.insert(argv.end(), run.begin(), run.end());
  cli::ShellOnTerminal person(argv, world_.folder());
  EXPECT_TRUE(person.shows("step ")) << person.screen();
  EXPECT_TRUE(person.shows(kLineUpAndErased)) << person.screen();
  EXPECT_TRUE(person.shows("/" + std::to_string(kSteps) + "  loss ")) << person.screen();
  EXPECT_TRUE(person.shows(" tok/s  ETA ")) << person.screen();
  EXPECT_TRUE(person.shows_one_of({"█·", "▏·", "▎·", "▍·", "▌·", "▋·", "▊·", "▉·"})) << person.screen();
  person.type("\x03");
  EXPECT_TRUE(person.shows("Ctrl-C again ends at once")) << person.screen();
  EXPECT_TRUE(person.shows("the same command goes on")) << person.screen();
}

// Returns: the state letter of a process; 'X' of one that is gone.
char state_of(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(in, text);
  const size_t name_end = text.rfind(')');
  return name_end == std::string::npos ? 'X' : text.at(name_end + 2);
}

bool has_ended(pid_t pid) {
  return state_of(pid) == 'X' || state_of(pid) == 'Z';  // the dead may wait for somebody to bury them
}

// Returns: the trainers that `parent` started.
std::vector<pid_t> trainers_of(pid_t parent) {
  std::vector<pid_t> out;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(parent) + "/task")) {
    std::ifstream children(task.path() / "children");
    for (pid_t child = 0; children >> child;)
      if (read_text("/proc/" + std::to_string(child) + "/cmdline").find("ranktide-trainer") !=
          std::string::npos)
        out.push_back(child);
  }
  return out;
}

TEST_F(LiveRun, ASecondCtrlCWaitsForNoTrainerAndLeavesNone) {
  Program run(command(), world_.folder() / "run");
  ASSERT_TRUE(run.says("step ", 300s));
  const std::vector<pid_t> trainers = trainers_of(run.pid());
  ASSERT_FALSE(trainers.empty());
  for (const pid_t trainer : trainers) ::kill(trainer, SIGSTOP);  // none of them will ever write a checkpoint
  run.signal(SIGINT);
  ASSERT_TRUE(run.says("Ctrl-C again ends at once", 120s));
  std::this_thread::sleep_for(2s);
  EXPECT_FALSE(has_ended(run.pid())) << "the first one waits for checkpoints";
  run.signal(SIGINT);
  const Ended ended = run.wait(60s);
  EXPECT_EQ(ended.exit_code, 130) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("the same command goes on"));
  for (const pid_t trainer : trainers) EXPECT_TRUE(has_ended(trainer)) << trainer;
}

}  // namespace
}  // namespace ranktide::e2e
