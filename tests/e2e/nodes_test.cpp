// A coordinator and workers, each a program of its own in a folder of its own, joined by the lines that they
// print: through a killed coordinator, a drained worker and a revoked one a sweep comes to its end once, and
// who follows it from elsewhere misses nothing.

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include "cli/http_client.h"
#include "coordinator/edge/reader.h"
#include "tests/e2e/program.h"
#include "tests/sim/sweep_for_tests.h"
#include "tests/temporary_folder.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
namespace fs = std::filesystem;

bool eventually(const std::function<bool()>& holds, std::chrono::seconds limit = 300s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(50ms);
  }
  return true;
}

class Nodes : public testing::Test {
 protected:
  fs::path data() const { return folder_.path() / "data"; }

  void start_coordinator(const std::string& bind, const std::string& http = "127.0.0.1:0") {
    output_ = folder_.path() / ("coordinator-" + std::to_string(++starts_));
    coordinator_.emplace(std::vector<std::string>{RANKTIDE_PROGRAM, "coordinator", "--bind", bind, "--http",
                                                  http, "--data-dir", data().string()},
                         output_);
    ASSERT_TRUE(coordinator_->says("to clients at", 300s)) << read_text(output_ / "err");
  }
  // Below the ports that the system gives away: the next one is the enrolment door's, and both are taken twice.
  static std::string lasting_endpoint() {
    return "tcp://127.0.0.1:" + std::to_string(20'000 + 2 * (::getpid() % 6'000));
  }
  static std::string lasting_http() { return "127.0.0.1:" + std::to_string(32'000 + ::getpid() % 700); }
  void kill_coordinator() {
    coordinator_->signal(SIGKILL);
    (void)coordinator_->wait(10s);
  }
  // Returns: what stands in the coordinator's log where it says where it listens.
  std::string link_endpoint() const {
    const std::string log = read_text(output_ / "err");
    const size_t at = log.find("tcp://", log.find("workers connect at"));
    return log.substr(at, log.find(',', at) - at);
  }
  std::string first_line() const {
    const std::string out = read_text(output_ / "out");
    return out.substr(0, out.find('\n'));
  }
  std::unique_ptr<Program> worker(const std::string& name, std::vector<std::string> more) const {
    const fs::path trainer = folder_.path() / "trainer";
    write_text(trainer, std::string("#!/bin/sh\nexec ") + RANKTIDE_FAKE_TRAINER + " \"$@\" --step-ms 20\n");
    fs::permissions(trainer, fs::perms::owner_all);
    std::vector<std::string> words{RANKTIDE_PROGRAM, "worker", "--data-dir", (folder_.path() / name).string(),
                                   "--name",         name,     "--slots",    "1",
                                   "--gpus",         "none",   "--trainer",  trainer.string(),
                                   "--labels",       "test"};
    words.insert(words.end(), more.begin(), more.end());
    return std::make_unique<Program>(words, folder_.path() / ("output-" + name));
  }
  Ended command(std::vector<std::string> words) const {
    words.insert(words.begin(), RANKTIDE_PROGRAM);
    words.insert(words.end(), {"--data-dir", data().string()});
    return run(words, folder_.path() / "command", 300s);
  }
  void submit(const SweepSpec& spec) const {
    const auto client = cli::client_of_folder(data());
    ASSERT_TRUE(client);
    const auto answer = client->post("/api/v1/sweeps", Json{{"request_id", "r1"}, {"spec", to_json(spec)}});
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->status, 200U) << answer->body;
  }
  int64_t count(const std::string& from_where) const {
    return std::get<int64_t>(Reader(data()).select("SELECT count(*) FROM " + from_where).rows.at(0).at(0));
  }
  bool is_joined(const std::string& name) const {
    return count("worker WHERE state='joined' AND name='" + name + "'") == 1;
  }

  TemporaryFolder folder_;
  int starts_ = 0;
  fs::path output_;  // of the newest start
  std::optional<Program> coordinator_;
};

TEST_F(Nodes, AKilledCoordinatorADrainedAndARevokedWorkerCostNothingAndDoubleNothing) {
  start_coordinator(lasting_endpoint());
  const std::string bind = link_endpoint();
  auto w1 = worker("w1", {"--join", first_line()});
  const std::string invited = command({"invite", "--quiet"}).out;
  auto w2 = worker("w2", {"--join", invited.substr(0, invited.find('\n'))});
  ASSERT_TRUE(eventually([&] { return is_joined("w1") && is_joined("w2"); }));
  SweepSpec spec = sweep_for_tests({.steps = 150});
  spec.seeds = {1, 2, 3, 4};
  spec.run.lease_ms = 600'000;  // no lease runs out meanwhile
  submit(spec);
  ASSERT_TRUE(eventually([&] { return count("point") > 20; }));

  kill_coordinator();
  std::this_thread::sleep_for(2s);  // they go on meanwhile
  start_coordinator(bind);
  EXPECT_TRUE(first_line().empty()) << "only the first start invites by itself";
  ASSERT_TRUE(eventually([&] { return count("attempt WHERE ended IS NULL") == 2; }));

  const Ended listed = command({"worker", "list"});
  EXPECT_THAT(listed.out, HasSubstr("w1"));
  EXPECT_THAT(listed.out, HasSubstr("+test")) << "its label";
  EXPECT_THAT(listed.out, HasSubstr("w2"));
  const Ended drained = command({"worker", "drain", "w1"});
  EXPECT_EQ(drained.exit_code, 0) << drained.err;
  ASSERT_TRUE(eventually([&] { return count("attempt WHERE worker='w1' AND ended IS NULL") == 0; }));
  w1->signal(SIGTERM);
  EXPECT_EQ(w1->wait(120s).exit_code, 0);

  ASSERT_EQ(command({"worker", "revoke", "w2"}).exit_code, 0);
  const Ended cut = w2->wait(120s);
  EXPECT_EQ(cut.exit_code, 77) << cut.err;
  EXPECT_TRUE(eventually([&] { return count("attempt WHERE worker='w2' AND ended IS NULL") == 0; }));

  w1 = worker("w1", {});
  ASSERT_TRUE(eventually([&] { return count("stage WHERE state='completed'") == 4; }, 600s));
  EXPECT_EQ(count("point"), 4 * 150);
  EXPECT_EQ(count("eval WHERE state='finished'"), count("eval"));
  EXPECT_EQ(command({"worker", "drain", "nobody"}).exit_code, 5);
  coordinator_->signal(SIGTERM);
  EXPECT_EQ(coordinator_->wait(120s).exit_code, 0);
}

// From another machine: all that it knows is an address.
TEST_F(Nodes, ALogThatIsFollowedGoesOnOverARestartOfTheCoordinatorWithoutAGapAndWithoutARepeat) {
  start_coordinator(lasting_endpoint(), lasting_http());
  const auto w1 = worker("w1", {"--join", first_line()});
  constexpr int kSteps = 900;
  SweepSpec spec = sweep_for_tests({.steps = kSteps});
  spec.seeds = {1};
  submit(spec);
  ASSERT_TRUE(eventually([&] { return count("v_attempt WHERE kind='stage'") == 1; }));
  const std::string trial = std::get<std::string>(
      Reader(data()).select("SELECT trial FROM v_attempt WHERE kind='stage'").rows.at(0).at(0));
  const fs::path output = folder_.path() / "followed";
  const std::string url = "http://" + lasting_http();
  Program following({RANKTIDE_PROGRAM, "logs", "--follow", trial, "--coordinator", url}, output);
  ASSERT_TRUE(eventually([&] { return read_text(output / "out").find("step 50\n") != std::string::npos; }));

  kill_coordinator();
  ASSERT_TRUE(following.says("waiting for the coordinator at " + url, 120s));
  std::this_thread::sleep_for(3s);  // longer than any other command insists
  start_coordinator(lasting_endpoint(), lasting_http());
  const Ended followed = following.wait(300s);
  EXPECT_EQ(followed.exit_code, 0) << followed.err;
  std::string told;
  for (int step = 50; step <= kSteps; step += 50) told += "[w1 attempt 1] step " + std::to_string(step) + "\n";
  EXPECT_THAT(followed.out, testing::EndsWith(told));
  EXPECT_EQ(followed.out, command({"logs", trial}).out);
}

}  // namespace
}  // namespace ranktide::e2e
