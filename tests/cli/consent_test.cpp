// What cannot be taken back is asked about on a terminal, and there only.

#include "cli/consent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/shell_on_terminal.h"
#include "tests/e2e/program.h"
#include "tests/e2e/tiny_world.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

class Consent : public testing::Test {
 protected:
  Consent() {
    EXPECT_EQ(e2e::run(command({"keygen", "n1", "-o", (home_ / "n1.keys").string()}), home_).exit_code, 0);
    EXPECT_EQ(
        e2e::run(command({"authorise", "n1", (home_ / "n1.keys/worker.public").string()}), home_).exit_code, 0);
  }
  std::vector<std::string> command(std::vector<std::string> words) const {
    words.insert(words.begin(), e2e::ranktide_program().string());
    words.insert(words.end(), {"--data-dir", (home_ / "data").string()});
    return words;
  }

  const TemporaryFolder folder_;
  const std::filesystem::path home_ = folder_.path();
};

TEST_F(Consent, ToRevokeAWorkerIsAskedForOnATerminal) {
  ShellOnTerminal refused(command({"worker", "revoke", "n1"}), home_);
  ASSERT_TRUE(refused.shows("revoke the key of n1 for good")) << refused.screen();
  refused.type("n\r");
  EXPECT_TRUE(refused.shows("nothing was revoked")) << refused.screen();
  ShellOnTerminal given(command({"worker", "revoke", "n1"}), home_);
  ASSERT_TRUE(given.shows("[y/N]")) << given.screen();
  given.type("y\r");
  EXPECT_TRUE(given.shows("n1: 1 key(s) revoked")) << given.screen();
}

TEST_F(Consent, IsGivenByYes) {
  ShellOnTerminal sure(command({"worker", "revoke", "n1", "--yes"}), home_);
  EXPECT_TRUE(sure.shows("n1: 1 key(s) revoked")) << sure.screen();
  EXPECT_THAT(sure.screen(), testing::Not(testing::HasSubstr("[y/N]")));
}

TEST_F(Consent, IsNotAskedForOffATerminal) {
  EXPECT_EQ(e2e::run(command({"worker", "revoke", "n1"}), home_).exit_code, 0);
}

}  // namespace
}  // namespace ranktide::cli
