// The systemd units, as systemd's own analysis reads them. No service manager runs here.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/deploy/tools.h"
#include "tests/e2e/tiny_world.h"
#include "tests/temporary_folder.h"

namespace ranktide::deploy {
namespace {

using testing::HasSubstr;

class Systemd : public testing::Test {
 protected:
  void SetUp() override {
    if (!has("systemd-analyze")) GTEST_SKIP() << "systemd-analyze is not installed (Debian package systemd)";
  }

  // Returns: what systemd-analyze says of the unit, with the program under test in place of the installed one.
  std::string complaints(const std::string& unit) const {
    std::string text = e2e::read_text(source("deploy/systemd/" + unit));
    const std::string installed = "/usr/local/bin/ranktide";
    text.replace(text.find(installed), installed.size(), e2e::ranktide_program().string());
    const TemporaryFolder folder;
    const std::string copy = (folder.path() / unit).string();
    e2e::write_text(copy, text);
    const e2e::Ended ended = shell("systemd-analyze verify --man=no " + copy + " 2>&1 | grep ranktide");
    return ended.out;
  }

  // Returns: the exit code of a security review that allows `tenths` of exposure, and what it said.
  e2e::Ended reviewed(const std::string& unit, int tenths) const {
    return shell("systemd-analyze security --no-pager --offline=true --threshold=" + std::to_string(tenths) +
                 " deploy/systemd/" + unit);
  }
};

TEST_F(Systemd, UnderstandsEveryLineOfTheUnits) {
  EXPECT_EQ(complaints("ranktide-coordinator.service"), "");
  EXPECT_EQ(complaints("ranktide-worker.service"), "");
}

// Of 10; what a unit leaves open it says in a comment.
TEST_F(Systemd, FindsLittleExposure) {
  const e2e::Ended coordinator = reviewed("ranktide-coordinator.service", 12);
  EXPECT_EQ(coordinator.exit_code, 0) << coordinator.out;
  const e2e::Ended worker = reviewed("ranktide-worker.service", 28);
  EXPECT_EQ(worker.exit_code, 0) << worker.out;
}

TEST(SystemdUnits, DoNotRestartWhatWouldFailAgain) {
  for (const char* unit : {"ranktide-coordinator.service", "ranktide-worker.service"}) {
    const std::string text = e2e::read_text(source(std::string("deploy/systemd/") + unit));
    EXPECT_THAT(text, HasSubstr("\nRestartPreventExitStatus=64 65 77 78\n")) << unit;
    EXPECT_THAT(text, HasSubstr("\nRestart=always\n")) << unit;
  }
}

TEST(SystemdUnits, GiveAWorkerTheTimeForItsCheckpoints) {
  const std::string text = e2e::read_text(source("deploy/systemd/ranktide-worker.service"));
  EXPECT_THAT(text, HasSubstr("\nKillMode=mixed\nTimeoutStopSec=120\n"));
}

}  // namespace
}  // namespace ranktide::deploy
