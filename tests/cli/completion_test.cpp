// The completion scripts of the real program, in the shells they are for: a key is pressed, and what the
// command line became is what the shell then runs.

#include <gtest/gtest.h>

#include "cli/completion_scripts.h"
#include "tests/cli/shell_on_terminal.h"
#include "tests/e2e/program.h"
#include "tests/e2e/tiny_world.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {
namespace fs = std::filesystem;

struct Shell {
  std::string name;
  std::vector<std::string> argv;  // {home} stands for its folder
  std::string file;               // that it reads at its start
  std::string start;              // what stands in it, around the script
};

void PrintTo(const Shell& shell, std::ostream* out) {
  *out << shell.name;
}

const Shell kBash{"bash",
                  {"bash", "--noprofile", "--rcfile", "{home}/bashrc", "-i"},
                  "bashrc",
                  ". {home}/script\nranktide() { printf 'ran:%s:\\n' \"$*\"; }\nPS1=ready:\n"};
const Shell kZsh{"zsh",
                 {"zsh", "-d", "-i"},
                 ".zshrc",
                 "autoload -Uz compinit; compinit -u -D\n. {home}/script\nunsetopt prompt_sp\n"
                 "ranktide() { printf 'ran:%s:\\n' \"$*\" }\nPS1=ready:\n"};
const Shell kFish{"fish",
                  {"fish", "--no-config", "--init-command", "source {home}/start.fish", "-i"},
                  "start.fish",
                  "source {home}/script\nfunction ranktide; printf 'ran:%s:\\n' \"$argv\"; end\n"
                  "function fish_prompt; echo -n ready:; end\nfunction fish_greeting; end\n"};

std::string with_home(std::string text, const fs::path& home) {
  const std::string mark = "{home}";
  for (std::size_t at; (at = text.find(mark)) != std::string::npos;)
    text.replace(at, mark.size(), home.string());
  return text;
}

class Completion : public testing::TestWithParam<Shell> {
 protected:
  void SetUp() override {
    const Shell& shell = GetParam();
    if (e2e::run({"/bin/sh", "-c", "command -v " + shell.name}, home_).exit_code != 0)
      GTEST_SKIP() << shell.name << " is not installed";
    const e2e::Ended script = e2e::run({e2e::ranktide_program().string(), "completion", shell.name}, home_);
    ASSERT_EQ(script.exit_code, 0) << script.err;
    e2e::write_text(home_ / "script", script.out);
    e2e::write_text(home_ / shell.file, with_home(shell.start, home_));
    e2e::write_text(home_ / "a_sweep.yaml", "");
  }

  // Returns: what was on the screen when `keys` and Enter did not run `ranktide` with `expected`; empty: they
  // did.
  std::string after(const std::string& keys, const std::string& expected) {
    std::vector<std::string> argv = GetParam().argv;
    for (std::string& word : argv) word = with_home(word, home_);
    ShellOnTerminal shell(argv, home_);
    if (!shell.shows("ready:")) return "no prompt: " + shell.screen();
    shell.type("ranktide " + keys);
    if (!shell.shows("ranktide")) return "no echo: " + shell.screen();
    shell.type("\r");
    return shell.shows("ran:" + expected + ":") ? "" : shell.screen();
  }

  const TemporaryFolder folder_;
  const fs::path home_ = folder_.path();
};

TEST_P(Completion, OfACommand) {
  EXPECT_EQ(after("qu\t", "query"), "");
}

TEST_P(Completion, OfACommandBelowACommand) {
  EXPECT_EQ(after("slurm sc\t", "slurm script"), "");
}

TEST_P(Completion, OfAnOption) {
  EXPECT_EQ(after("query --tri\t", "query --trials"), "");
}

TEST_P(Completion, OfAValueThatIsOneOfSome) {
  EXPECT_EQ(after("query --format cs\t", "query --format csv"), "");
  EXPECT_EQ(after("query --format=cs\t", "query --format=csv"), "");
}

TEST_P(Completion, OfAnArgumentThatIsOneOfSome) {
  EXPECT_EQ(after("help exit\t", "help exit-codes"), "");
}

TEST_P(Completion, OfAFile) {
  const std::string path = (home_ / "a_sweep").string();
  EXPECT_EQ(after("run " + path + "\t", "run " + path + ".yaml"), "");
}

TEST_P(Completion, OffersNothingOfAnotherCommand) {
  EXPECT_EQ(after("doctor --tri\t", "doctor --tri"), "");
}

INSTANTIATE_TEST_SUITE_P(In, Completion, testing::Values(kBash, kZsh, kFish),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace ranktide::cli
