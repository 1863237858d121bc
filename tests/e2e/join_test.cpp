// Workers as real processes that join a coordinator from another folder, as they would from another machine.
// The trainer is the fake one: what is tested is who may work, and what happens to the work when that changes.

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "common/net/clock.h"
#include "common/net/invites.h"
#include "common/net/join_line.h"
#include "common/net/worker_keys.h"
#include "coordinator/edge/enrol_door.h"
#include "coordinator/edge/http_server.h"
#include "coordinator/edge/join_lines.h"
#include "tests/e2e/notify_socket.h"
#include "tests/e2e/program.h"
#include "tests/worker/daemon/service_world.h"
#include "worker/daemon/joined.h"

namespace ranktide {
namespace {

using namespace std::chrono_literals;
using e2e::Ended;
using e2e::Program;
using testing::ElementsAre;
using testing::HasSubstr;

namespace fs = std::filesystem;

class Join : public testing::Test, protected ServiceWorld {
 protected:
  Join() { start_coordinator(endpoint_); }

  JoinAddresses addresses() const { return join_addresses(endpoint_, door_.endpoint()); }
  std::string line(int uses = 1, Duration good_for = Duration(60'000)) const {
    return new_join_line(data(), addresses(), uses, good_for);
  }
  fs::path home(const std::string& name) const { return folder_of_all_.path() / name; }
  // Whether a trainer of the worker has said so.
  bool logs_say(const std::string& name, const std::string& text) const {
    std::error_code absent;
    for (const auto& file : fs::recursive_directory_iterator(home(name) / "logs", absent))
      if (file.is_regular_file() && e2e::read_text(file.path()).find(text) != std::string::npos) return true;
    return false;
  }

  // A trainer that takes so long for a step.
  fs::path trainer(int step_ms) const {
    const fs::path script = folder_of_all_.path() / ("trainer-" + std::to_string(step_ms));
    e2e::write_text(script, std::string("#!/bin/sh\nexec ") + RANKTIDE_FAKE_TRAINER + " \"$@\" --step-ms " +
                                std::to_string(step_ms) + "\n");
    fs::permissions(script, fs::perms::owner_all);
    return script;
  }
  std::unique_ptr<Program> worker_in(const fs::path& folder, const std::string& name,
                                     std::vector<std::string> more, int step_ms = 1) const {
    std::vector<std::string> words{RANKTIDE_PROGRAM, "worker", "--data-dir", folder.string(),
                                   "--name",         name,     "--slots",    "1",
                                   "--gpus",         "none",   "--trainer",  trainer(step_ms).string()};
    words.insert(words.end(), more.begin(), more.end());
    return std::make_unique<Program>(words, folder.string() + "-output");
  }
  std::unique_ptr<Program> worker_with(const std::string& name, const std::vector<std::string>& more,
                                       int step_ms = 1) const {
    return worker_in(home(name), name, more, step_ms);
  }
  Ended worker_ends(const std::string& name, const std::vector<std::string>& more) const {
    return worker_with(name, more)->wait(120s);
  }
  // A command on the coordinator's machine.
  Ended command(std::vector<std::string> words) const {
    words.insert(words.begin(), RANKTIDE_PROGRAM);
    words.insert(words.end(), {"--data-dir", data().string()});
    return e2e::run(words, folder_of_all_.path() / "output-command");
  }
  bool is_joined(const std::string& name) const {
    return count("worker WHERE state='joined' AND name='" + name + "'") == 1;
  }
  bool joins(const std::string& name, std::chrono::seconds limit = 120s) const {
    return eventually([&] { return is_joined(name); }, limit);
  }

  static int times(const std::string& words, const std::string& text) {
    int out = 0;
    for (size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++out;
    return out;
  }

  TemporaryFolder folder_of_all_;
  std::string endpoint_ = free_endpoint();
  EnrolDoor door_{{.keys_folder = data() / "keys"}};
};

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

TEST_F(Join, AKeyThatExpiresIsCutWithANoticeOfItsOwnAndRenewedByAuthorisingItAgain) {
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

TEST_F(Join, NoWorkerIsCalledAsAllOfThemTogetherAre) {
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

TEST_F(Join, AWorkerOfThatNameFromEarlierStartsAgainInEachWayAndGoesOn) {
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

TEST_F(Join, AnExpiryThatIsNoTimeIsRefused) {
  const Ended ended = command({"authorise", "n1", make_key_pair().public_key, "--expires", "soon"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("--expires: \"soon\" is not a time"));
}

TEST_F(Join, AWorkerThatNeverConnectedEndsAtOnce) {
  const auto n1 =
      worker_with("n1", {"--coordinator", free_endpoint(), "--server-key", make_key_pair().public_key});
  ASSERT_TRUE(n1->says("works in", 120s));
  n1->signal(SIGTERM);
  EXPECT_EQ(n1->wait(12s).exit_code, 0) << "there is no ack to wait for, as a drain does for 15 s";
}

TEST_F(Join, AWorkerThatNeverConnectedSaysThatOnceAndWhatToDo) {
  const auto n1 =
      worker_with("n1", {"--coordinator", free_endpoint(), "--server-key", make_key_pair().public_key});
  EXPECT_TRUE(n1->says("no connection to the coordinator yet", 120s));
  EXPECT_TRUE(n1->says("If the coordinator has moved, start this worker once with --join", 1s));
  std::this_thread::sleep_for(16s);  // another fresh socket later
  n1->signal(SIGTERM);
  EXPECT_EQ(times("no connection to the coordinator yet", n1->wait(60s).err), 1);
}

TEST_F(Join, AWorkerSaysWhenItsConnectionComesAndGoesAndNotEachTry) {
  const auto n1 = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  coordinator->stop();
  coordinator.reset();
  ASSERT_TRUE(n1->says("the connection to the coordinator is lost", 60s));
  std::this_thread::sleep_for(3s);  // several tries
  start_coordinator(endpoint_);
  const fs::path said = home("n1").string() + "-output/err";
  EXPECT_TRUE(eventually([&] { return times("connected to the coordinator at", e2e::read_text(said)) == 2; }));
  EXPECT_EQ(times("the connection to the coordinator is lost", e2e::read_text(said)), 1);
}

TEST_F(Join, ADrainOfNothingWithoutACoordinatorSaysThatNothingIsLeft) {
  const auto n1 = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  coordinator->stop();
  coordinator.reset();
  n1->signal(SIGTERM);
  const Ended ended = n1->wait(120s);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.err, HasSubstr("the coordinator was not heard; nothing is left to send"));
  EXPECT_THAT(ended.err, testing::Not(HasSubstr("spooled")));
}

TEST_F(Join, AWorkerWhoseTrainerCannotStartEndsAsMisconfiguredWithItsWordsAndFailsNothing) {
  const fs::path script = folder_of_all_.path() / "no-device";
  e2e::write_text(script, "#!/bin/sh\necho 'no such device' >&2\nexit 78\n");
  fs::permissions(script, fs::perms::owner_all);
  submit(sweep_of({.seeds = {1}, .run = "retry: {own: 1}"}));
  const Ended ended =
      e2e::run({RANKTIDE_PROGRAM, "worker", "--data-dir", home("n1").string(), "--name", "n1", "--slots", "1",
                "--gpus", "none", "--trainer", script.string(), "--join", line()},
               folder_of_all_.path() / "output-n1");
  EXPECT_EQ(ended.exit_code, 78);
  EXPECT_THAT(ended.err, HasSubstr("no such device"));
  EXPECT_EQ(count("attempt WHERE end_reason='failed'"), 0);
  const auto n2 = worker_with("n2", {"--join", line()});
  EXPECT_TRUE(wait_until_over());
  EXPECT_EQ(count("stage WHERE state='completed'"), 1);
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

TEST_F(Join, ARefusedWorkerSaysWhyAndWhatToType) {
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

TEST_F(Join, AWorkerSaysThatTheServerKeyIsAnothers) {
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

TEST_F(Join, ACoordinatorThatIsNotThereIsUnavailable) {
  JoinLine nobody = parse_join_line(line());
  nobody.enrol_port = 1;
  const Ended ended = worker_ends("n1", {"--join", to_text(nobody)});
  EXPECT_EQ(ended.exit_code, 69);
  EXPECT_THAT(ended.err, HasSubstr("does the coordinator run"));
}

TEST_F(Join, AKeyThatOthersCanReadIsRefused) {
  (void)load_or_make_key_pair(home("n1") / "keys", "worker");
  ::chmod((home("n1") / "keys" / "worker.secret").c_str(), 0644);
  const Ended ended = worker_ends("n1", {"--join", line()});
  EXPECT_EQ(ended.exit_code, 78);
  EXPECT_THAT(ended.err, HasSubstr("chmod 600"));
}

TEST_F(Join, AKeyAuthorisedLaterJoinsWithoutARestart) {
  const fs::path keys = home("n1") / "keys";
  fs::create_directories(home("n1"));
  ASSERT_EQ(command({"keygen", "n1", "--out", keys.string()}).exit_code, 0);
  const auto process = worker_with(
      "n1", {"--coordinator", endpoint_, "--server-key", (data() / "keys" / "coordinator.public").string()});
  ASSERT_TRUE(process->says("ranktide authorise NAME", 120s));
  const Ended authorised = command({"authorise", "n1", (keys / "worker.public").string()});
  ASSERT_EQ(authorised.exit_code, 0) << authorised.err;
  EXPECT_TRUE(joins("n1"));
}

TEST_F(Join, ARevokedWorkerIsCutAtOnceAndItsWorkGoesToAnother) {
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

TEST_F(Join, AWorkerWhoseFolderWasCopiedEndsAsMisconfiguredWhenTheCopyIsAtWork) {
  const auto n1 = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  fs::create_directories(home("copy"));
  for (const char* part : {"keys", "joined"})
    fs::copy(home("n1") / part, home("copy") / part, fs::copy_options::recursive);
  const auto copy = worker_in(home("copy"), "n1", {});
  const Ended ended = n1->wait(120s);
  EXPECT_EQ(ended.exit_code, 78);
  EXPECT_THAT(ended.err, HasSubstr("another process with this worker's key has taken its place"));
  EXPECT_THAT(ended.err, HasSubstr(home("n1").string()));
  submit(sweep_of({.seeds = {1}}));
  EXPECT_TRUE(wait_until_over()) << "the copy goes on";
}

TEST_F(Join, AWorkerTellsItsServiceManagerHowItStandsFromItsOwnLoop) {
  const e2e::NotifySocket manager(folder_of_all_.path() / "notify");
  const auto n1 = worker_with("n1", {"--join", line()});
  std::string said;
  const auto hears = [&](const std::string& word) {
    return eventually([&] { return (said += manager.said()).find(word) != std::string::npos; });
  };
  EXPECT_TRUE(hears("READY=1"));
  EXPECT_TRUE(hears("WATCHDOG=1"));
  // A worker that stands still is missed: no thread of its own speaks for the loop.
  n1->signal(SIGSTOP);
  said = manager.said();
  std::this_thread::sleep_for(3s);
  EXPECT_EQ(manager.said(), "");
  n1->signal(SIGCONT);
  said.clear();
  EXPECT_TRUE(hears("WATCHDOG=1"));
  n1->signal(SIGTERM);
  EXPECT_EQ(n1->wait(120s).exit_code, 0);
  said += manager.said();
  EXPECT_TRUE(said.ends_with("STOPPING=1 ")) << said;
}

// The coordinator's machine is replaced, or its disk: the list is for those that may come back.
TEST_F(Join, AWorkerThatIsAwayIsForgottenWithItsKeyAndOneThatIsThereIsNot) {
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

TEST_F(Join, AWorkerInASlurmJobGivesItsWorkBackBeforeTheJobsEnd) {
  ::setenv("SLURM_JOB_END_TIME", std::to_string(wall_clock_ms() / 1000 + 60).c_str(), 1);
  const auto n1 = worker_with("n1", {"--join", line(), "--slurm"}, 20);
  ::unsetenv("SLURM_JOB_END_TIME");
  submit(sweep_of({.seeds = {1}, .steps = 100'000}));
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  const Ended ended = n1->wait(120s);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("this Slurm job ends in"));
  EXPECT_TRUE(eventually([&] { return count("attempt WHERE end_reason='returned'") == 1; }));
  EXPECT_GT(std::stoll(select("SELECT checkpoint_step FROM stage").at(0)), 0);
}

TEST_F(Join, ASignalDrainsAndASecondOneEndsAtOnce) {
  const auto n1 = worker_with("n1", {"--join", line()}, 20);
  submit(sweep_of({.seeds = {1}, .steps = 4'000}));
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  n1->signal(SIGTERM);
  EXPECT_EQ(n1->wait(120s).exit_code, 0);
  EXPECT_TRUE(eventually([&] { return count("attempt WHERE end_reason='returned'") == 1; }));
  const auto slow = worker_with("n1", {}, 60'000);  // a step is longer than the test's patience
  ASSERT_TRUE(eventually([&] { return logs_say("n1", "goes on after step"); }))
      << "before it, all goes back at once";
  slow->signal(SIGINT);
  std::this_thread::sleep_for(1s);
  slow->signal(SIGINT);
  EXPECT_EQ(slow->wait(120s).exit_code, 130);
}

TEST_F(Join, GoesOnTrainingWithoutItsCoordinatorAndDeliversWhenItIsBack) {
  const auto n1 = worker_with("n1", {"--join", line()}, 10);
  SweepSpec spec = sweep_of({.seeds = {1}, .steps = 300});
  spec.run.lease_ms = 60'000;  // it must find its way back within one
  submit(spec);
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  coordinator->stop();
  coordinator.reset();
  EXPECT_LT(count("point"), 300);
  std::this_thread::sleep_for(5s);  // by now it has trained to its end
  start_coordinator(endpoint_);
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(count("point"), 300);
  EXPECT_THAT(select("SELECT max(attempt) FROM attempt WHERE unit IN (SELECT id FROM stage)"),
              ElementsAre("1"));
}

TEST_F(Join, ADrainWithoutACoordinatorKeepsWhatIsSpooledAndEnds) {
  const auto n1 = worker_with("n1", {"--join", line()}, 10);
  submit(sweep_of({.seeds = {1}, .steps = 300}));
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  coordinator->stop();
  coordinator.reset();
  n1->signal(SIGTERM);
  const Ended ended = n1->wait(120s);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.err, HasSubstr("the next worker in this folder sends it"));
  start_coordinator(endpoint_);
  const auto next = worker_with("n1", {});
  ASSERT_TRUE(wait_until_over());
  EXPECT_EQ(count("point"), 300);
}

TEST_F(Join, EndsByItselfAfterOneTrialOrWhenThereIsNothingToDo) {
  submit(sweep_of({.seeds = {1, 2}}));
  ASSERT_EQ(worker_ends("n1", {"--join", line(), "--once"}).exit_code, 0);
  EXPECT_EQ(count("attempt WHERE worker='n1' AND unit IN (SELECT id FROM stage)"), 1);
  EXPECT_EQ(count("attempt WHERE worker='n1'"), 3) << "with the untouched base's evals before it";
  ASSERT_EQ(worker_ends("n2", {"--join", line(), "--max-idle", "20s"}).exit_code, 0);
  EXPECT_TRUE(wait_until_over());
}

TEST_F(Join, TwoWorkersShareASweepAndAreListed) {
  const std::string both = line(2);
  const auto n1 = worker_with("n1", {"--join", both}, 5);
  const auto n2 = worker_with("n2", {"--join", both}, 5);
  ASSERT_TRUE(joins("n1"));
  ASSERT_TRUE(joins("n2"));
  submit(sweep_of({.seeds = {1, 2, 3, 4, 5, 6}, .steps = 40}));
  ASSERT_TRUE(wait_until_over());
  EXPECT_THAT(select("SELECT DISTINCT worker FROM attempt ORDER BY worker"), ElementsAre("n1", "n2"));
  coordinator.reset();  // this one serves no clients; the file is read where nobody serves it
  const Ended listed = command({"worker", "list"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("n1"));
  EXPECT_THAT(listed.out, HasSubstr("n2"));
}

TEST_F(Join, OneNameForTwoMachinesBecomesTwo) {
  const std::string both = line(2);
  const auto first = worker_with("node", {"--join", both});
  ASSERT_TRUE(joins("node"));
  const auto second = worker_in(home("other"), "node", {"--join", both});
  EXPECT_TRUE(joins("node-2"));
}

TEST_F(Join, TwoWorkersCannotHaveOneFolder) {
  const auto first = worker_with("n1", {"--join", line()});
  ASSERT_TRUE(joins("n1"));
  const Ended second = worker_ends("n1", {});
  EXPECT_EQ(second.exit_code, 73);
  EXPECT_THAT(second.err, HasSubstr("another worker is using this folder"));
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
