// Commands below commands: each has help of its own, takes what its command takes, and ignores nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/tiny_world.h"
#include "tests/temporary_folder.h"

namespace ranktide::e2e {
namespace {

using testing::HasSubstr;
using Argv = std::vector<std::string>;

Ended run_words(const std::vector<Argv>& parts) {
  Argv argv{ranktide_program().string()};
  for (const Argv& part : parts) argv.insert(argv.end(), part.begin(), part.end());
  const TemporaryFolder output;
  return run(argv, output.path());
}

TEST(Words, HaveHelpOfTheirOwnAndTakeWhatTheirCommandTakes) {
  for (const Argv& words : std::vector<Argv>{{"worker", "run"},
                                             {"worker", "list"},
                                             {"worker", "drain"},
                                             {"worker", "revoke"},
                                             {"token", "add"},
                                             {"token", "list"},
                                             {"token", "revoke"},
                                             {"context", "list"},
                                             {"context", "add"},
                                             {"context", "use"},
                                             {"context", "remove"},
                                             {"slurm", "script"}}) {
    const Ended ended = run_words({words, {"--help"}});
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_THAT(ended.out, HasSubstr("Example:\n  ranktide " + words[0] + " " + words[1]));
    const std::string above = run_words({{words[0], "--help"}}).out;
    for (const std::string option : {"--json", "--data-dir", "--quiet", "--color"}) {
      if (above.find(option) == std::string::npos) continue;
      EXPECT_THAT(ended.out, HasSubstr(option)) << words[0] << " " << words[1];
    }
  }
}

TEST(Words, ThatAskACoordinatorTakeItsUrlAndHaveTheirUsageCode) {
  const std::string nobody = "http://127.0.0.1:1";
  for (const Argv& words : std::vector<Argv>{{"list"}, {"drain", "n1"}, {"revoke", "n1", "--yes"}}) {
    const Ended dead = run_words({{"worker"}, words, {"--coordinator", nobody}});
    EXPECT_EQ(dead.exit_code, 3) << words[0];
    EXPECT_THAT(dead.err, HasSubstr(nobody)) << words[0];
    EXPECT_EQ(run_words({{"worker"}, words, {"-C", "no-such-context"}}).exit_code, 5) << words[0];
    EXPECT_EQ(run_words({{"worker"}, words, {"--slots", "2"}}).exit_code, 2)
        << "taken in silence: " << words[0];
  }
  const Ended before = run_words({{"worker", "--coordinator", nobody, "list"}});
  EXPECT_EQ(before.exit_code, 2);
  EXPECT_THAT(before.err, HasSubstr("ranktide worker list --coordinator"));
}

}  // namespace
}  // namespace ranktide::e2e
