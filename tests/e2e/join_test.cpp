// By which lines a worker joins and starts again, as real processes.

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "common/net/invites.h"
#include "common/net/join_line.h"
#include "coordinator/edge/enrol_door.h"
#include "coordinator/edge/join_lines.h"
#include "tests/e2e/join_world.h"
#include "tests/e2e/program.h"
#include "worker/daemon/joined.h"

namespace ranktide {
namespace {

using namespace std::chrono_literals;
using e2e::Ended;
using testing::HasSubstr;
namespace fs = std::filesystem;

class Join : public JoinWorld {};

TEST_F(Join, AWorkerJoinsByALineAndStartsAgainWithoutIt) {
  const auto first = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  submit(sweep_of({.seeds = {1, 2}}));
  ASSERT_TRUE(wait_until_over());
  first->signal(SIGTERM);
  EXPECT_EQ(first->wait(120s).exit_code, 0);
  const auto second = worker_with("n1", {});
  ASSERT_TRUE(joins("n1"));
  submit(sweep_of({.seeds = {3}}), "r2");
  EXPECT_TRUE(wait_until_over(1));
  EXPECT_EQ(count("attempt WHERE worker='n1'"), count("attempt"));
}

TEST_F(Join, ALineThatWasUsedIsNoObstacleToTheWorkerThatUsedIt) {
  const std::string used = line();
  auto first = worker_with("n1", {"--join", used});
  ASSERT_TRUE(joins("n1"));
  first.reset();
  const auto again = worker_with("n1", {"--join", used});
  EXPECT_TRUE(again->says("joined before, as n1", 120s));
}

TEST_F(Join, AWorkerThatJoinedGoesOnByItsKeyWhenItsLineIsGoneCutOrRefused) {
  const fs::path file = folder_of_all_.path() / "line";
  const auto write_line = [&](const std::string& text) {
    e2e::write_text(file, text + "\n");
    ::chmod(file.c_str(), 0600);
  };
  const auto works = [&](const std::string& why) {
    const auto n1 = worker_with("n1", {"--join", file.string()});
    EXPECT_TRUE(joins("n1")) << why;
    n1->signal(SIGTERM);
    const Ended ended = n1->wait(60s);
    EXPECT_EQ(ended.exit_code, 0) << why;
    EXPECT_TRUE(eventually([&] { return !is_joined("n1"); }));
    EXPECT_THAT(ended.err, HasSubstr(why));
    return ended.err;
  };
  write_line(line());
  (void)works("joined the coordinator at");
  write_line(line(1, Duration(1)));
  EXPECT_THAT(works("this join line has expired"), HasSubstr("goes on by its own key"));
  write_line(line().substr(0, 40));
  EXPECT_THAT(works("a join line that was cut"), HasSubstr("goes on by its own key"));
  ::chmod(file.c_str(), 0644);
  EXPECT_THAT(works("chmod 600"), HasSubstr("goes on by its own key"));
  fs::remove(file);
  EXPECT_THAT(works("neither a join line nor a readable file"), HasSubstr("goes on by its own key"));
}

TEST_F(Join, AWorkerThatGoesOnElsewhereThanItsRefusedLineNamesBothAddresses) {
  {
    const auto n1 = worker_with("n1", {"--join", line()});
    ASSERT_TRUE(joins("n1"));
  }
  JoinLine elsewhere = parse_join_line(line(1, Duration(1)));
  elsewhere.host = "localhost";
  const auto n1 = worker_with("n1", {"--join", to_text(elsewhere)});
  EXPECT_TRUE(n1->says("the line names the coordinator at " + tcp_endpoint("localhost", elsewhere.link_port) +
                           ", but this worker goes on at " + endpoint_,
                       120s));
}

TEST_F(Join, AnotherCoordinatorsLineIsNoReasonToGoOnByTheKeyOfTheFirst) {
  {
    const auto n1 = worker_with("n1", {"--join", line()});
    ASSERT_TRUE(joins("n1"));
  }
  const TemporaryFolder other;
  const EnrolDoor other_door({.keys_folder = other.path() / "keys"});
  const std::string expired =
      new_join_line(other.path(), join_addresses(endpoint_, other_door.endpoint()), 1, Duration(1));
  EXPECT_EQ(worker_ends("n1", {"--join", expired}).exit_code, 77);
}

TEST_F(Join, ALineEnrolsAWorkerThatWasStartedByHandBeforeAnyoneLetItIn) {
  {
    const auto by_hand = worker_with(
        "n1", {"--coordinator", endpoint_, "--server-key", (data() / "keys" / "coordinator.public").string()});
    ASSERT_TRUE(by_hand->says("ranktide authorise NAME", 120s));
  }
  const auto process = worker_with("n1", {"--join", line()});
  EXPECT_TRUE(joins("n1"));
}

TEST_F(Join, AnotherLineEnrolsAWorkerThatItsCoordinatorHasForgotten) {
  const std::string used = line();
  auto first = worker_with("n1", {"--join", used});
  ASSERT_TRUE(joins("n1"));
  first->signal(SIGTERM);
  ASSERT_EQ(first->wait(120s).exit_code, 0);
  fs::remove(data() / "keys" / "workers");
  auto old_line = worker_with("n1", {"--join", used});
  ASSERT_TRUE(old_line->says("ranktide authorise NAME", 120s));
  old_line.reset();
  const auto process = worker_with("n1", {"--join", line()});
  EXPECT_TRUE(joins("n1"));
}

TEST_F(Join, ALineIsTakenFromAFileOfItsOwnersOnly) {
  const fs::path file = folder_of_all_.path() / "line";
  e2e::write_text(file, line() + "\n");
  const Ended refused = worker_ends("n1", {"--join", file.string()});
  EXPECT_EQ(refused.exit_code, 78);
  EXPECT_THAT(refused.err, HasSubstr("chmod 600"));
  ::chmod(file.c_str(), 0600);
  const auto process = worker_with("n1", {"--join", file.string()});
  EXPECT_TRUE(joins("n1"));
}

TEST_F(Join, ALineThatWasCutIsRefusedBeforeAnythingIsDialled) {
  std::string cut = line();
  cut.resize(cut.size() - 3);
  const Ended ended = worker_ends("n1", {"--join", cut});
  EXPECT_EQ(ended.exit_code, 65);
  EXPECT_THAT(ended.err, HasSubstr("cut or mistyped"));
  const Ended nowhere = worker_ends("n2", {});
  EXPECT_EQ(nowhere.exit_code, 64);
  EXPECT_THAT(nowhere.err, HasSubstr("belongs to no coordinator yet"));
}

TEST_F(Join, OneNameForTwoMachinesBecomesTwo) {
  const std::string both = line(2);
  const auto first = worker_with("node", {"--join", both});
  ASSERT_TRUE(joins("node"));
  const auto second = worker_in(home("other"), "node", {"--join", both});
  EXPECT_TRUE(joins("node-2"));
}

TEST_F(Join, InviteNeedsACoordinatorThatServedOnceAndPrintsALineThatWorks) {
  EXPECT_THAT(command({"invite"}).err, HasSubstr("start `ranktide coordinator` there first"));
  write_join_addresses(data(), addresses());
  const Ended invited = command({"invite", "--uses", "2", "--expires", "1h"});
  EXPECT_EQ(invited.exit_code, 0);
  const auto process = worker_with("n1", {"--join", invited.out.substr(0, invited.out.find('\n'))});
  EXPECT_TRUE(joins("n1"));
  EXPECT_EQ(command({"worker", "revoke", "nobody"}).exit_code, 5);
}

}  // namespace
}  // namespace ranktide
