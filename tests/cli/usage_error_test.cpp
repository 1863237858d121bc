// A command line that is not understood: the word, the command, what is missing.

#include "cli/usage_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/at_least.h"

namespace ranktide::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct UsageProgram {
  CLI::App app{"a small program", "ranktide"};
  std::string file, name, url;
  int slots = 0;

  UsageProgram() {
    app.require_subcommand(1);
    CLI::App* run = app.add_subcommand("run");
    run->add_option("file", file, "sweep file")->required();
    run->add_option("--slots", slots, "works at once");
    CLI::App* context = app.add_subcommand("context");
    context->require_subcommand(1);
    CLI::App* add = context->add_subcommand("add");
    add->add_option("name", name, "what to call it")->required();
    add->add_option("--coordinator", url, "URL")->required();
    context->add_subcommand("list");
  }

  std::string refuses(const std::vector<std::string>& words) {
    try {
      app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them from the back
    } catch (const CLI::ParseError& error) {
      return usage_message(app, words, error);
    }
    return "";
  }
};

TEST(UsageError, NamesTheUnknownCommandAndTheNearestOne) {
  EXPECT_EQ(UsageProgram().refuses({"rum"}),
            "ranktide: there is no command \"rum\"; did you mean \"run\"?\nhint: ranktide --help\n");
  EXPECT_THAT(UsageProgram().refuses({"frobnicate"}), HasSubstr("there is no command \"frobnicate\"\n"));
  EXPECT_EQ(
      UsageProgram().refuses({"context", "lst"}),
      "ranktide context: there is no command \"lst\"; did you mean \"list\"?\nhint: ranktide context --help\n");
}

TEST(UsageError, SaysWhichCommandsThereAreWhereNoneWasNamed) {
  EXPECT_THAT(UsageProgram().refuses({}), StartsWith("ranktide: a command is missing, one of run, context\n"));
  EXPECT_THAT(UsageProgram().refuses({"context"}),
              StartsWith("ranktide context: a command is missing, one of add, list\n"));
}

TEST(UsageError, NamesTheCommandAndTheArgumentThatItLacks) {
  EXPECT_EQ(UsageProgram().refuses({"run"}),
            "ranktide run: the argument \"file\" (sweep file) is missing\nhint: ranktide run --help\n");
  EXPECT_EQ(
      UsageProgram().refuses({"context", "add", "lab"}),
      "ranktide context add: the option --coordinator (URL) is missing\nhint: ranktide context add --help\n");
}

TEST(UsageError, NamesTheUnknownOptionAndTheNearestOne) {
  EXPECT_EQ(UsageProgram().refuses({"run", "a.yaml", "--slotz", "3"}),
            "ranktide run: there is no option --slotz; did you mean \"--slots\"?\nhint: ranktide run --help\n");
}

TEST(UsageError, OfANumberThatIsTooSmallNamesTheLeastAndNotTheLargest) {
  CLI::App app;
  int64_t number = 0;
  app.add_option("--tail", number)->check(at_least(1));
  const auto refuses = [&](const std::string& text) -> std::string {
    try {
      app.parse("--tail=" + text);
    } catch (const CLI::ParseError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refuses("-3"), "--tail: \"-3\" is not a whole number of at least 1");
  EXPECT_EQ(refuses("many"), "--tail: \"many\" is not a whole number of at least 1");
  EXPECT_EQ(refuses("1"), "");
  EXPECT_EQ(number, 1);
}

TEST(UsageError, LeavesAValueThatIsNoneToTheParsersWords) {
  EXPECT_THAT(UsageProgram().refuses({"run", "--slots", "many", "a.yaml"}),
              testing::AllOf(StartsWith("ranktide run: "), HasSubstr("--slots")));
}

}  // namespace
}  // namespace ranktide::cli
