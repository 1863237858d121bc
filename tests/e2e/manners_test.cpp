// How every command behaves where nobody watches: without colour, into a pipe that is closed, onto a full disk.

#include <algorithm>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/http_client.h"
#include "tests/cli/shell_on_terminal.h"
#include "tests/e2e/program.h"
#include "tests/e2e/tiny_world.h"
#include "tests/sim/sweep_for_tests.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

constexpr const char* kEscape = "\x1b";
constexpr int kClosedPipe = 141;  // 128 + SIGPIPE

// A coordinator that has a sweep, so that every command has something to say.
class Manners : public testing::Test {
 protected:
  // The first test begins: a world is named after the test that makes it.
  void SetUp() override {
    if (world_) return;
    world_ = std::make_unique<TinyWorld>();
    ASSERT_EQ(world_->ranktide({"token", "add", "ann"}).exit_code, 0);
    const std::string keys = (world_->folder() / "n1.keys").string();
    ASSERT_EQ(world_->ranktide({"keygen", "n1", "-o", keys}).exit_code, 0);
    ASSERT_EQ(world_->ranktide({"authorise", "n1", keys + "/worker.public"}).exit_code, 0);
    coordinator_ = std::make_unique<Program>(
        world_->command({"coordinator", "--bind", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0"}),
        world_->folder() / "coordinator");
    ASSERT_TRUE(coordinator_->says("to clients at", 60s));
    const Json body{{"request_id", "r1"}, {"spec", to_json(sweep_for_tests({.name = "tide"}))}};
    ASSERT_EQ(cli::client_of_folder(world_->data())->post("/api/v1/sweeps", body)->status, 200u);
  }
  static void TearDownTestSuite() {
    coordinator_.reset();
    world_.reset();
  }

  // Commands that print, those that only speak, and those that are refused.
  static std::vector<Words> commands() {
    return {{"list"},
            {"list", "--json"},
            {"status"},
            {"status", "tide"},
            {"query", "tide"},
            {"query", "tide", "--format", "csv"},
            {"worker", "list"},
            {"worker", "list", "--json"},
            {"token", "list"},
            {"context", "list"},
            {"context", "list", "--json"},
            {"invite"},
            {"health"},
            {"plan", world_->sweep().string()},
            {"help", "sweep-file"},
            {"help", "exit-codes"},
            {"completion", "bash"},
            {"slurm", "script", "--", "--join", "join-line.txt"},
            {"pause", "tide"},
            {"resume", "tide"},
            {"cancel", "nobody"},
            {"watch", "nobody"},
            {"logs", "zz"},
            {"worker", "drain", "nobody"},
            {"worker", "revoke", "nobody"},
            {"query", "nobody"}};
  }
  static Ended in_shell(const std::string& script, const Words& words) {
    Words argv{"/bin/sh", "-c", script, "sh"};
    const Words command = full(words);
    argv.insert(argv.end(), command.begin(), command.end());
    return run(argv, world_->folder() / "shell", 60s);
  }
  // Options stand before what follows "--".
  static Words full(Words words) {
    words.insert(words.begin(), ranktide_program().string());
    const auto end = std::find(words.begin(), words.end(), "--");
    const Words data{"--data-dir", world_->data().string()};
    words.insert(end, data.begin(), data.end());
    return words;
  }
  static std::string text_of(const Words& words) {
    std::string out;
    for (const std::string& word : words) out += word + " ";
    return out;
  }

  static std::unique_ptr<TinyWorld> world_;
  static std::unique_ptr<Program> coordinator_;
};

std::unique_ptr<TinyWorld> Manners::world_;
std::unique_ptr<Program> Manners::coordinator_;

TEST_F(Manners, NothingIsColouredOrRedrawnOffATerminalHoweverItIsSaid) {
  for (const Words& words : commands())
    for (const char* script : {"exec \"$@\"", "NO_COLOR=1 exec \"$@\"", "TERM=dumb exec \"$@\"",
                               "TERM=xterm exec \"$@\" --color never"}) {
      if (words.front() == "slurm" && std::string(script).ends_with("never"))
        continue;  // its last words are others'
      const Ended ended = in_shell(script, words);
      EXPECT_THAT(ended.out + ended.err, Not(HasSubstr(kEscape))) << script << ": " << text_of(words);
      EXPECT_NE(ended.out + ended.err, "") << text_of(words);
      EXPECT_LT(ended.exit_code, 7) << script << ": " << text_of(words) << ended.err;
    }
}

// Also the log of a service, which paints its levels for whom it may.
TEST_F(Manners, NothingIsColouredOnATerminalThatDoesNotWantIt) {
  for (const std::string setting : {"NO_COLOR=1 TERM=xterm", "TERM=dumb", "NEVER=yes TERM=xterm"}) {
    const std::string flag = setting.starts_with("NEVER") ? " --color never" : "";
    for (const std::string& command :
         {std::string("list"), std::string("status tide"), std::string("worker list"),
          "coordinator --http 127.0.0.1:0 --bind tcp://127.0.0.1:* --data-dir " +
              (world_->folder() / ("other" + std::to_string(setting.size()))).string()}) {
      const bool is_service = command.starts_with("coordinator");
      const std::string data = is_service ? "" : " --data-dir " + world_->data().string();
      cli::ShellOnTerminal shell({"/bin/sh", "-c",
                                  "export " + setting + "; timeout 20 " + ranktide_program().string() + " " +
                                      command + data + flag + "; echo ended"},
                                 world_->folder());
      EXPECT_TRUE(shell.shows(is_service ? "to clients at" : "ended")) << shell.screen();
      EXPECT_THAT(shell.screen(), Not(HasSubstr("\x1b["))) << setting << ": " << command;
    }
  }
}

TEST_F(Manners, AServicesLogIsColouredOnATerminalThatTakesIt) {
  cli::ShellOnTerminal shell({"/bin/sh", "-c",
                              "unset NO_COLOR; TERM=xterm exec timeout 20 " + ranktide_program().string() +
                                  " coordinator --http 127.0.0.1:0 --bind 'tcp://127.0.0.1:*' --data-dir " +
                                  (world_->folder() / "coloured").string()},
                             world_->folder());
  EXPECT_TRUE(shell.shows("to clients at")) << shell.screen();
  EXPECT_THAT(shell.screen(), HasSubstr("\x1b["));
}

TEST_F(Manners, AFullDiskBehindStandardOutputIsAFailure) {
  for (const Words& words : commands()) {
    const Ended plain = in_shell("exec \"$@\"", words);
    const Ended full_disk = in_shell("exec \"$@\" > /dev/full", words);
    if (plain.out.empty()) {
      EXPECT_EQ(full_disk.exit_code, plain.exit_code) << text_of(words);
    } else {
      EXPECT_EQ(full_disk.exit_code, plain.exit_code == 0 ? 1 : plain.exit_code) << text_of(words);
      EXPECT_THAT(full_disk.err, HasSubstr("standard output cannot be written")) << text_of(words);
    }
  }
}

TEST_F(Manners, HelpOntoAFullDiskIsAFailureToo) {
  EXPECT_EQ(
      run({"/bin/sh", "-c", ranktide_program().string() + " --help > /dev/full"}, world_->folder() / "shell")
          .exit_code,
      1);
}

// The write end of a pipe that nobody reads, as 9: a shell names descriptors by one digit. Whoever started the
// tests may have left something open there; it comes back at the end.
class PipeWithoutReader {
 public:
  PipeWithoutReader() : inherited_(fcntl(9, F_DUPFD_CLOEXEC, 10)) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    EXPECT_EQ(dup2(ends[1], 9), 9);
    close(ends[0]);
    if (ends[1] != 9) close(ends[1]);
  }
  ~PipeWithoutReader() {
    close(9);
    if (inherited_ != -1) {
      dup2(inherited_, 9);
      close(inherited_);
    }
  }

 private:
  int inherited_;  // what stood at 9; -1: nothing did
};

TEST_F(Manners, APipeThatNobodyReadsEndsACommandWithoutAWord) {
  const PipeWithoutReader pipe;
  for (const Words& words : commands()) {
    const Ended plain = in_shell("exec \"$@\"", words);
    const Ended ended = in_shell("exec \"$@\" >&9", words);
    EXPECT_EQ(ended.exit_code, plain.out.empty() ? plain.exit_code : kClosedPipe)
        << text_of(words) << ended.err;
    EXPECT_THAT(ended.err, Not(HasSubstr("standard output"))) << text_of(words);
  }
}

}  // namespace
}  // namespace ranktide::e2e
