#include "cli/command_outline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ranktide::cli {
namespace {

using testing::ElementsAre;

// A program with each kind of argument.
struct SmallProgram {
  CLI::App app{"a small program", "ranktide"};
  std::string name, format;
  std::vector<std::string> metrics;
  bool is_quiet = false, is_hidden = false;

  SmallProgram() {
    CLI::App* worker = app.add_subcommand("worker", "work with workers");
    worker->footer("Example:\n  ranktide worker --join LINE\n");
    worker->add_subcommand("list", "workers");
    CLI::App* drain = worker->add_subcommand("drain", "let a worker finish");
    drain->footer("Example:\n  ranktide worker drain gpu03\n");
    drain->add_option("name", name, "whom")->required();
    drain->add_option("--metric", metrics, "what")->delimiter(',');
    drain->add_option("-f,--format", format, "how")->check(CLI::IsMember({"table", "csv"}));
    drain->add_flag("-q,--quiet", is_quiet, "less");
    drain->add_flag("--inner", is_hidden)->group("");
    app.add_subcommand("secret")->group("");
  }
};

TEST(CommandOutline, HasTheTreeWithoutWhatIsHidden) {
  const SmallProgram program;
  const CommandOutline root = outline_of(program.app);
  std::vector<std::string> paths;
  for (const CommandOutline* command : all_commands(root)) paths.push_back(command->path);
  EXPECT_THAT(paths,
              ElementsAre("ranktide", "ranktide worker", "ranktide worker list", "ranktide worker drain"));
  EXPECT_EQ(root.commands[0].commands[1].name(), "drain");
  EXPECT_EQ(root.commands[0].commands[1].text, "let a worker finish");
  EXPECT_EQ(root.commands[0].commands[1].example, "ranktide worker drain gpu03");
  EXPECT_EQ(root.commands[0].example, "ranktide worker --join LINE");
  EXPECT_EQ(root.commands[0].commands[0].example, "");  // not the one of its parent
}

TEST(CommandOutline, TellsFlagsValuesChoicesAndPositionalsApart) {
  const SmallProgram program;
  const CommandOutline drain = outline_of(program.app).commands[0].commands[1];
  ASSERT_EQ(drain.positionals.size(), 1u);
  EXPECT_THAT(drain.positionals[0].names, ElementsAre("name"));
  EXPECT_TRUE(drain.positionals[0].is_required);
  ASSERT_EQ(drain.options.size(), 4u);  // --help among them, --inner not
  EXPECT_THAT(drain.options[0].names, ElementsAre("-h", "--help"));
  EXPECT_TRUE(drain.options[1].is_repeated);
  EXPECT_EQ(drain.options[2].value, "TEXT");
  EXPECT_THAT(drain.options[2].choices, ElementsAre("table", "csv"));
  EXPECT_FALSE(drain.options[2].is_repeated);
  EXPECT_EQ(drain.options[3].value, "");
}

TEST(CommandOutline, OffersTheOptionsThatFallThroughToTheParent) {
  CLI::App app("a small program", "ranktide");
  app.set_version_flag("--version", "1");
  CLI::App* slurm = app.add_subcommand("slurm");
  slurm->add_flag("--json");
  slurm->fallthrough();
  slurm->add_subcommand("script")->add_flag("--array");
  const CommandOutline root = outline_of(app);
  std::vector<std::string> names;
  for (const OptionOutline& option : root.commands[0].commands[0].options) names.push_back(option.names.back());
  EXPECT_THAT(names, ElementsAre("--help", "--array", "--json"));
}

}  // namespace
}  // namespace ranktide::cli
