// Which keys a coordinator listens to, and what a worker that it does not listen to says, as real processes.

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "common/net/join_line.h"
#include "coordinator/edge/http_server.h"
#include "coordinator/edge/join_lines.h"
#include "tests/e2e/join_world.h"
#include "tests/e2e/program.h"
#include "worker/daemon/joined.h"

namespace ranktide {
namespace {

using namespace std::chrono_literals;
using e2e::Ended;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class KeysOfWorkers : public JoinWorld {};

TEST_F(KeysOfWorkers, AKeyThatExpiresIsCutWithANoticeOfItsOwnAndRenewedByAuthorisingItAgain) {
  const std::string key = load_or_make_key_pair(home("n1") / "keys", "worker").public_key;
  ASSERT_EQ(command({"authorise", "n1", key, "--expires", "40s"}).exit_code, 0);
  const std::vector<std::string> where{"--coordinator", endpoint_, "--server-key",
                                       (data() / "keys" / "coordinator.public").string()};
  const auto n1 = worker_with("n1", where, 20);
  ASSERT_TRUE(joins("n1", 39s));
  const Ended cut = n1->wait(120s);
  EXPECT_EQ(cut.exit_code, 77);
  EXPECT_THAT(cut.err, HasSubstr("this worker's key has expired; authorise it again"));
  EXPECT_TRUE(eventually([&] { return !is_joined("n1"); }));
  const Ended again = worker_ends("n1", where);
  EXPECT_EQ(again.exit_code, 77) << "at the handshake too";
  EXPECT_THAT(again.err, HasSubstr("ranktide authorise NAME '" + key + "'"));
  ASSERT_EQ(command({"authorise", "n1", key}).exit_code, 0);
  const auto renewed = worker_with("n1", where);
  EXPECT_TRUE(joins("n1"));
}

TEST_F(KeysOfWorkers, NoWorkerIsCalledAsAllOfThemTogetherAre) {
  const Ended made = command({"keygen", "all", "--out", home("keys").string()});
  const Ended let_in = command({"authorise", "all", make_key_pair().public_key});
  const Ended started = worker_ends("all", {"--join", line()});
  EXPECT_EQ(made.exit_code, 2);
  EXPECT_EQ(let_in.exit_code, 2);
  EXPECT_EQ(started.exit_code, 64);
  for (const Ended& ended : {made, let_in, started})
    EXPECT_THAT(ended.err, HasSubstr("\"all\": not a worker name: `worker drain all` means every worker"));
  EXPECT_FALSE(fs::exists(home("keys")));
}

TEST_F(KeysOfWorkers, AWorkerOfThatNameFromEarlierStartsAgainInEachWayAndGoesOn) {
  const std::string used = line();
  auto first = worker_with("n1", {"--join", used});
  ASSERT_TRUE(joins("n1"));
  first->signal(SIGTERM);
  ASSERT_EQ(first->wait(120s).exit_code, 0);
  // What an earlier version left: the name in the worker's folder and in the coordinator's table.
  Joined joined = read_joined(home("n1")).value();
  joined.name = "all";
  write_joined(home("n1"), joined);
  e2e::write_text(data() / "keys" / "workers", joined.worker_key + " all\n");

  const std::vector<std::vector<std::string>> ways{
      {},
      {"--join", used},
      {"--coordinator", endpoint_, "--server-key", (data() / "keys" / "coordinator.public").string()}};
  for (size_t i = 0; i < ways.size(); ++i) {
    auto again = worker_in(home("n1"), "all", ways[i]);
    const SweepNumber sweep = submit(sweep_of({.seeds = {i}}), "r" + std::to_string(i));
    ASSERT_TRUE(wait_until_over(sweep)) << "way " << i;
    again->signal(SIGTERM);
    ASSERT_EQ(again->wait(120s).exit_code, 0);
  }
  EXPECT_EQ(count("attempt WHERE worker='all'"), count("attempt"));
  EXPECT_GE(count("attempt"), 3);
}

TEST_F(KeysOfWorkers, AnExpiryThatIsNoTimeIsRefused) {
  const Ended ended = command({"authorise", "n1", make_key_pair().public_key, "--expires", "soon"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("--expires: \"soon\" is not a time"));
}

TEST_F(KeysOfWorkers, ARefusedWorkerSaysWhyAndWhatToType) {
  const std::string used = line();
  const auto n1 = worker_with("n1", {"--join", used});
  ASSERT_TRUE(joins("n1"));
  const Ended second = worker_ends("n2", {"--join", used});
  EXPECT_EQ(second.exit_code, 77);
  EXPECT_THAT(second.err, HasSubstr("used as often as it allows"));
  EXPECT_THAT(second.err, HasSubstr("ranktide invite"));
  const Ended late = worker_ends("n2", {"--join", line(1, Duration(1))});
  EXPECT_EQ(late.exit_code, 77);
  EXPECT_THAT(late.err, HasSubstr("this join line has expired"));
}

TEST_F(KeysOfWorkers, AWorkerSaysThatTheServerKeyIsAnothers) {
  JoinLine wrong = parse_join_line(line());
  wrong.server_key = make_key_pair().public_key;
  const Ended ended = worker_ends("n1", {"--join", to_text(wrong)});
  EXPECT_EQ(ended.exit_code, 78);
  EXPECT_THAT(ended.err,
              HasSubstr("does not hold the server key with fingerprint " + fingerprint(wrong.server_key)));
  const auto by_hand =
      worker_with("n2", {"--coordinator", endpoint_, "--server-key", make_key_pair().public_key});
  EXPECT_TRUE(by_hand->says("is not that coordinator's", 120s));
}

TEST_F(KeysOfWorkers, ACoordinatorThatIsNotThereIsUnavailable) {
  JoinLine nobody = parse_join_line(line());
  nobody.enrol_port = 1;
  const Ended ended = worker_ends("n1", {"--join", to_text(nobody)});
  EXPECT_EQ(ended.exit_code, 69);
  EXPECT_THAT(ended.err, HasSubstr("does the coordinator run"));
}

TEST_F(KeysOfWorkers, AKeyThatOthersCanReadIsRefused) {
  (void)load_or_make_key_pair(home("n1") / "keys", "worker");
  ::chmod((home("n1") / "keys" / "worker.secret").c_str(), 0644);
  const Ended ended = worker_ends("n1", {"--join", line()});
  EXPECT_EQ(ended.exit_code, 78);
  EXPECT_THAT(ended.err, HasSubstr("chmod 600"));
}

TEST_F(KeysOfWorkers, AKeyAuthorisedLaterJoinsWithoutARestart) {
  const fs::path keys = home("n1") / "keys";
  fs::create_directories(home("n1"));
  ASSERT_EQ(command({"keygen", "n1", "--out", keys.string()}).exit_code, 0);
  const auto process = worker_with(
      "n1", {"--coordinator", endpoint_, "--server-key", (data() / "keys" / "coordinator.public").string()});
  ASSERT_TRUE(process->says("ranktide authorise NAME", 120s));
  const Ended authorised = command({"authorise", "n1", (keys / "worker.public").string()});
  ASSERT_EQ(authorised.exit_code, 0) << authorised.err;
  EXPECT_TRUE(joins("n1", 30s));
}

TEST_F(KeysOfWorkers, ARevokedWorkerIsCutAtOnceAndItsWorkGoesToAnother) {
  const auto n1 = worker_with("n1", {"--join", line()}, 20);
  ASSERT_TRUE(joins("n1"));
  SweepSpec spec = sweep_of({.seeds = {1}, .steps = 400});
  spec.run.lease_ms = 600'000;  // no lease runs out meanwhile
  submit(spec);
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  ASSERT_EQ(command({"worker", "revoke", "n1"}).exit_code, 0);
  const Ended cut = n1->wait(60s);
  EXPECT_EQ(cut.exit_code, 77);
  EXPECT_THAT(cut.err, HasSubstr("revoked this worker's key for good"));
  EXPECT_TRUE(eventually([&] { return count("attempt WHERE ended IS NULL") == 0; }));
  const auto n2 = worker_with("n2", {"--join", line()});
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(count("point"), 400);
  EXPECT_THAT(select("SELECT worker FROM attempt WHERE unit=(SELECT id FROM stage) ORDER BY attempt"),
              ElementsAre("n1", "n2"));
  const Ended again = worker_ends("n1", {});
  EXPECT_EQ(again.exit_code, 77);
  EXPECT_THAT(again.err, HasSubstr("delete " + (home("n1") / "keys" / "worker.secret").string()));
}

// The coordinator's machine is replaced, or its disk: the list is for those that may come back.
TEST_F(KeysOfWorkers, AWorkerThatIsAwayIsForgottenWithItsKeyAndOneThatIsThereIsNot) {
  const HttpServer server({.data_folder = data()}, coordinator->mailbox());
  auto n1 = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  const Ended refused = command({"worker", "forget", "n1", "--yes"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("drain or revoke it first"));
  n1->signal(SIGTERM);
  EXPECT_EQ(n1->wait(120s).exit_code, 0);
  ASSERT_TRUE(eventually([&] { return !is_joined("n1"); }));
  const Ended forgotten = command({"worker", "forget", "n1", "--yes"});
  EXPECT_EQ(forgotten.exit_code, 0) << forgotten.err;
  EXPECT_THAT(forgotten.err, HasSubstr("worker n1 is forgotten"));
  EXPECT_THAT(command({"worker", "list"}).out, testing::Not(HasSubstr("n1")));
  EXPECT_EQ(count("v_event WHERE kind='WorkerForgotten' AND message LIKE 'by local%'"), 1);
  EXPECT_EQ(command({"worker", "forget", "n1", "--yes"}).exit_code, 5);
  n1 = worker_with("n1", {});
  EXPECT_TRUE(n1->says("does not know this worker's key", 120s));
}

TEST_F(KeysOfWorkers, NobodyIsForgottenWhileTheTableOfKeysCannotBeWritten) {
  const HttpServer server({.data_folder = data()}, coordinator->mailbox());
  auto n1 = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  n1->signal(SIGTERM);
  EXPECT_EQ(n1->wait(120s).exit_code, 0);
  ASSERT_TRUE(eventually([&] { return !is_joined("n1"); }));
  const fs::path obstacle = data() / "keys" / "workers.new";  // where the next table would be written
  fs::create_directories(obstacle);
  const Ended refused = command({"worker", "forget", "n1", "--yes"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("worker n1 is not forgotten, for its key must go with it"));
  EXPECT_THAT(command({"worker", "list"}).out, HasSubstr("n1"));
  EXPECT_EQ(count("v_event WHERE kind='WorkerForgotten'"), 0);
  fs::remove(obstacle);
  n1 = worker_with("n1", {});
  EXPECT_TRUE(joins("n1")) << "its key is as good as before";
}

TEST_F(KeysOfWorkers, TwoWorkersCannotHaveOneFolder) {
  const auto first = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  const Ended second = worker_ends("n1", {});
  EXPECT_EQ(second.exit_code, 73);
  EXPECT_THAT(second.err, HasSubstr("another worker is using this folder"));
}

}  // namespace
}  // namespace ranktide
