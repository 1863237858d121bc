// `ranktide coordinator` and `ranktide token` as processes: start, health, submissions, signals, exit codes.

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <thread>
#include <unistd.h>

#include "cli/http_client.h"
#include "common/sweep/grid.h"
#include "tests/e2e/notify_socket.h"
#include "tests/e2e/program.h"
#include "tests/e2e/tiny_world.h"
#include "tests/sim/sweep_for_tests.h"
#include "tests/temporary_folder.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
namespace fs = std::filesystem;

// A data folder and the coordinator that serves it.
class Coordinator : public testing::Test {
 protected:
  std::vector<std::string> command(std::vector<std::string> arguments) const {
    std::vector<std::string> out{ranktide_program().string()};
    out.insert(out.end(), arguments.begin(), arguments.end());
    out.insert(out.end(), {"--data-dir", data().string()});
    return out;
  }
  std::vector<std::string> serving(const std::string& http = "127.0.0.1:0",
                                   std::vector<std::string> flags = {}) const {
    flags.insert(flags.begin(), {"coordinator", "serve", "--bind", "tcp://127.0.0.1:*", "--http", http});
    return command(flags);
  }
  void start() {
    const fs::path log = folder_.path() / ("log" + std::to_string(++starts_));
    program_.emplace(serving(), log);
    ASSERT_TRUE(program_->says("to clients at", 300s)) << read_text(log / "err");
    client_ = cli::client_of_folder(data());
    ASSERT_TRUE(client_.has_value());
  }
  Ended stop(int number = SIGTERM) {
    program_->signal(number);
    return program_->wait(60s);
  }
  cli::HttpAnswer get(const std::string& target) const { return client_->get(target).value(); }
  cli::HttpAnswer submit(const std::string& name, const std::string& request_id) const {
    const Json body{{"request_id", request_id}, {"spec", to_json(sweep_for_tests({.name = name}))}};
    return client_->post("/api/v1/sweeps", body).value();
  }
  // Of two trials one is cancelled: who watches says so with the first answer.
  void submit_with_news(const std::string& name) const {
    const SweepSpec spec = sweep_for_tests({.name = name, .ranks = {4, 8}});
    const Json body{{"request_id", "r1"}, {"spec", to_json(spec)}};
    ASSERT_EQ(client_->post("/api/v1/sweeps", body).value().status, 200u);
    const Ended cancelled = once(command({"cancel", name, "--trial", Grid(spec).at(0).value().id.text}));
    ASSERT_EQ(cancelled.exit_code, 0) << cancelled.err;
  }
  Ended once(const std::vector<std::string>& argv) const { return run(argv, folder_.path() / "once", 300s); }
  fs::path data() const { return folder_.path() / "data"; }

  TemporaryFolder folder_;
  std::optional<Program> program_;
  std::optional<cli::HttpClient> client_;
  int starts_ = 0;
};

TEST_F(Coordinator, IsAliveReadyAndCounted) {
  start();
  EXPECT_EQ(get("/livez").status, 200u);
  EXPECT_EQ(get("/readyz").status, 200u);
  const std::string metrics = get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("ranktide_trials{state=\"ready\"} 0\n"));
  if (fs::exists("/usr/bin/promtool")) {
    write_text(folder_.path() / "metrics", metrics);
    const std::string script =
        "exec /usr/bin/promtool check metrics < " + (folder_.path() / "metrics").string();
    const Ended checked = once({"/bin/sh", "-c", script});
    EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err;
  } else {
    std::cout << "promtool is not installed: Metrics.AreWellFormedPrometheusText alone checks the form\n";
  }
}

TEST_F(Coordinator, KeepsWhatWasSubmittedAcrossATermination) {
  start();
  const cli::HttpAnswer first = submit("tide", "r1");
  EXPECT_EQ(first.status, 200u) << first.body;
  EXPECT_EQ(submit("tide", "r1").body, first.body);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(stop().exit_code, 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  EXPECT_FALSE(fs::exists(data() / "ranktide.db-wal")) << "the log was not moved into the database";
  start();
  EXPECT_EQ(submit("tide", "r1").body, first.body);
  EXPECT_THAT(once(command({"status", "tide"})).out, HasSubstr("tide"));  // over HTTP
  EXPECT_EQ(stop(SIGINT).exit_code, 0);
  EXPECT_THAT(once(command({"status", "tide"})).out, HasSubstr("tide"));  // from the file
}

// Both signals are there before the process can look at the first.
TEST_F(Coordinator, ASecondSignalEndsItAtOnce) {
  start();
  program_->signal(SIGSTOP);
  program_->signal(SIGTERM);
  program_->signal(SIGINT);
  program_->signal(SIGCONT);
  EXPECT_THAT(program_->wait(60s).exit_code, testing::AnyOf(128 + SIGTERM, 128 + SIGINT));
}

TEST_F(Coordinator, LogsOneJsonObjectALine) {
  start();
  const Ended ended = stop();
  std::istringstream lines(ended.err);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Json entry = parse_json(line);
    EXPECT_TRUE(entry.contains("at") && entry.contains("level") && entry.contains("event")) << line;
  }
  EXPECT_GE(count, 3);
  EXPECT_THAT(ended.err, HasSubstr("workers connect at tcp://127.0.0.1:"));
}

TEST_F(Coordinator, LogsTextOffATerminalWhenItIsToldTo) {
  const fs::path log = folder_.path() / "log";
  program_.emplace(serving("127.0.0.1:0", {"--log-format", "text"}), log);
  ASSERT_TRUE(program_->says("to clients at", 300s));
  EXPECT_THAT(stop().err, testing::Not(HasSubstr("{\"at\"")));
}

TEST_F(Coordinator, TellsItsServiceManagerHowItStands) {
  const NotifySocket manager(folder_.path() / "notify");
  start();
  std::this_thread::sleep_for(1500ms);  // more than one kick apart
  get("/livez");
  EXPECT_EQ(submit("tide", "r1").status, 200u);  // a turn
  EXPECT_EQ(stop().exit_code, 0);
  const std::string said = manager.said();
  EXPECT_THAT(said, HasSubstr("READY=1"));
  EXPECT_THAT(said, HasSubstr("WATCHDOG=1"));
  EXPECT_TRUE(said.ends_with("STOPPING=1 ")) << said;
}

// ---- who comes and goes

TEST_F(Coordinator, PrintsALineForWorkersAtItsFirstStartAlsoInAFolderThatRunOrAuthoriseMade) {
  ASSERT_EQ(once(command({"authorise", "n1", std::string(40, 'a')})).exit_code, 0);
  start();
  EXPECT_THAT(stop().out, testing::StartsWith("ranktide-join/"));
  start();
  EXPECT_EQ(stop().out, "") << "the second start";
}

// The process that is replaced ends and says why; the coordinator's log asks about it, too.
TEST_F(Coordinator, SaysWhichWorkersComeAndGoAndThatAFolderWasCopied) {
  start();
  const std::string line = read_text(folder_.path() / "log1/out");
  const auto worker = [&](const std::string& home, std::vector<std::string> more) {
    more.insert(more.begin(),
                {ranktide_program().string(), "worker", "--name", "node", "--gpus", "none", "--slots", "1",
                 "--trainer", "/bin/true", "--data-dir", (folder_.path() / home).string()});
    return std::make_unique<Program>(more, folder_.path() / (home + "-output"));
  };
  const auto first = worker("node", {"--join", line.substr(0, line.find('\n'))});
  ASSERT_TRUE(program_->says("worker node joined with 1 slot(s)", 120s));
  ASSERT_EQ(
      once({"/bin/cp", "-a", (folder_.path() / "node").string(), (folder_.path() / "copy").string()}).exit_code,
      0);
  const auto copy = worker("copy", {});
  EXPECT_TRUE(program_->says("worker node left: another process with its key came", 120s));
  EXPECT_TRUE(program_->says("was its folder copied to another machine?", 120s));
  EXPECT_EQ(first->wait(120s).exit_code, 78);
  copy->signal(SIGTERM);
  EXPECT_TRUE(program_->says("worker node left: drained", 120s));
}

// ---- commands that stay

TEST_F(Coordinator, WhoWatchesASweepWaitsForACoordinatorThatWasKilled) {
  start();
  submit_with_news("tide");
  Program watching(command({"watch", "tide"}), folder_.path() / "watching");
  Program all(command({"status", "--watch"}), folder_.path() / "all");
  for (int i = 0; i < 1200 && read_text(folder_.path() / "all/out").empty(); ++i)
    std::this_thread::sleep_for(100ms);
  ASSERT_TRUE(watching.says("tide: 1 of 2 trials done", 120s));  // both have been answered
  program_->signal(SIGKILL);
  (void)program_->wait(10s);
  ASSERT_TRUE(watching.says("waiting for the coordinator at " + client_->url(), 120s));
  ASSERT_TRUE(all.says("waiting for the coordinator at " + client_->url(), 120s));
  std::this_thread::sleep_for(3s);  // longer than any other command insists
  start();                          // at another port
  EXPECT_EQ(once(command({"cancel", "tide"})).exit_code, 0);
  EXPECT_EQ(watching.wait(120s).exit_code, 0);
  EXPECT_EQ(all.wait(120s).exit_code, 0);
}

// ---- what it does not start with

TEST_F(Coordinator, SaysBadUsageWithTheServicesCode) {
  EXPECT_EQ(once(command({"coordinator", "--no-such-flag"})).exit_code, EX_USAGE);
  EXPECT_EQ(once(serving("head:8080")).exit_code, EX_USAGE);
  EXPECT_EQ(once(command({"coordinator", "--bind", "5555"})).exit_code, EX_USAGE);
}

TEST_F(Coordinator, TakesPortZeroAsAnyFreeOne) {
  program_.emplace(command({"coordinator", "--bind", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0"}),
                   folder_.path() / "log");
  ASSERT_TRUE(program_->says("to clients at", 300s));
  EXPECT_EQ(stop().exit_code, 0);
}

TEST_F(Coordinator, APortThatIsNoneOrLeavesNoneForItsNeighboursIsUsage) {
  const auto bound = [&](const std::string& bind, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"coordinator", "--http", "127.0.0.1:0", "--bind", bind});
    return once(command(more));
  };
  for (const char* bind : {"tcp://127.0.0.1:abc", "tcp://127.0.0.1:5k",
                           "tcp://127.0.0.1:", "tcp://127.0.0.1:65536", "tcp://:5555"}) {
    const Ended ended = bound(bind);
    EXPECT_EQ(ended.exit_code, EX_USAGE) << bind;
    EXPECT_THAT(ended.err, HasSubstr("is not tcp://HOST:PORT"));
  }
  const Ended high = bound("tcp://127.0.0.1:65534");
  EXPECT_EQ(high.exit_code, EX_USAGE);
  EXPECT_THAT(high.err, HasSubstr("the two ports after it are needed for new workers and files; give a port of "
                                  "at most 65533"));
  EXPECT_THAT(high.err, testing::Not(HasSubstr("65536")));
  const Ended last = bound("tcp://127.0.0.1:65535", {"--bulk-bind", "tcp://127.0.0.1:*"});
  EXPECT_EQ(last.exit_code, EX_USAGE);
  EXPECT_THAT(last.err, HasSubstr("the port after it is needed for new workers; give a port of at most 65534"));
}

TEST_F(Coordinator, AHostThatNoJoinLineCanNameIsRefusedBeforeAnythingIsWritten) {
  const Ended served = once(serving("127.0.0.1:0", {"--host", "a/b"}));
  EXPECT_EQ(served.exit_code, EX_USAGE);
  EXPECT_THAT(served.err, HasSubstr("--host: \"a/b\" is neither a machine's name nor its address"));
  EXPECT_FALSE(fs::exists(data() / "coordinator.addresses"));
  start();
  const std::string invites = read_text(data() / "keys" / "invites");
  const Ended invited = once(command({"invite", "--host", "http://head"}));
  EXPECT_EQ(invited.exit_code, 2);
  EXPECT_THAT(invited.err, HasSubstr("--host: \"http://head\" is neither a machine's name nor its address"));
  EXPECT_EQ(read_text(data() / "keys" / "invites"), invites);
  EXPECT_EQ(once(command({"invite", "--host", "fd00::5"})).exit_code, 0);
}

TEST_F(Coordinator, SaysThatAPortOrAFolderIsTaken) {
  start();
  std::ifstream in(data() / "coordinator.http");
  std::string taken;
  in >> taken;
  const Ended folder = once(serving());
  EXPECT_EQ(folder.exit_code, EX_UNAVAILABLE);
  EXPECT_THAT(folder.err, HasSubstr("is in use"));
  auto argv = serving(taken);
  argv.back() = (folder_.path() / "other").string();
  const Ended port = once(argv);
  EXPECT_EQ(port.exit_code, EX_UNAVAILABLE);
  EXPECT_THAT(port.err, HasSubstr(taken + ": cannot listen there"));
}

TEST_F(Coordinator, BeyondLoopbackItWantsATokenAndAWordOnEncryption) {
  const Ended bare = once(serving("0.0.0.0:0"));
  EXPECT_EQ(bare.exit_code, EX_CONFIG);
  EXPECT_THAT(bare.err, HasSubstr("--behind-tls-proxy"));
  const Ended without_token = once(serving("0.0.0.0:0", {"--insecure-http"}));
  EXPECT_EQ(without_token.exit_code, EX_CONFIG);
  EXPECT_THAT(without_token.err, HasSubstr("ranktide token add NAME"));
  EXPECT_EQ(once(command({"token", "add", "ann"})).exit_code, 0);
  fs::permissions(data() / "keys" / "tokens", fs::perms::others_read, fs::perm_options::add);
  const Ended open = once(serving("0.0.0.0:0", {"--insecure-http"}));
  EXPECT_EQ(open.exit_code, EX_CONFIG);
  EXPECT_THAT(open.err, HasSubstr("chmod 600"));
}

TEST_F(Coordinator, SaysThatADatabaseIsNotIts) {
  write_text(data() / "ranktide.db", "this is no database, and long enough not to be an empty one");
  EXPECT_EQ(once(serving()).exit_code, EX_DATAERR);
}

// ---- tokens

TEST_F(Coordinator, ATokenIsMadeOnceListedAndRevoked) {
  const Ended made =
      once(command({"token", "add", "ann", "--scope", "read", "--max-slots", "3", "--expires", "1h"}));
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, testing::StartsWith("rt_"));
  const Json listed = parse_json(once(command({"token", "list", "--json"})).out);
  EXPECT_EQ(listed.at(0).at("name"), "ann");
  EXPECT_EQ(listed.at(0).at("standing"), "active");
  EXPECT_EQ(listed.at(0).at("max_slots"), 3);
  EXPECT_FALSE(listed.at(0).contains("sha256"));
  EXPECT_EQ(once(command({"token", "add", "ann"})).exit_code, 2);
  EXPECT_EQ(once(command({"token", "revoke", "ann"})).exit_code, 0);
  EXPECT_EQ(once(command({"token", "revoke", "ann"})).exit_code, 5);
  EXPECT_THAT(once(command({"token", "list"})).out, HasSubstr("revoked"));
}

TEST_F(Coordinator, CommandsPresentTheTokenInTheirFile) {
  const std::string secret = once(command({"token", "add", "ann", "--scope", "read"})).out;
  program_.emplace(serving("127.0.0.1:0", {"--behind-tls-proxy"}), folder_.path() / "log");
  ASSERT_TRUE(program_->says("to clients at", 300s));
  EXPECT_EQ(once(command({"status"})).exit_code, 4);
  const fs::path file = folder_.path() / "token";
  write_text(file, secret);
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  ::setenv("RANKTIDE_TOKEN_FILE", file.c_str(), 1);
  EXPECT_EQ(once(command({"status"})).exit_code, 0);
  fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
  const Ended open = once(command({"status"}));
  ::unsetenv("RANKTIDE_TOKEN_FILE");
  EXPECT_EQ(open.exit_code, 4);
  EXPECT_THAT(open.err, HasSubstr("chmod 600"));
}

}  // namespace
}  // namespace ranktide::e2e
