// Three hosts with networks and folders of their own and a client on a fourth: a sweep whose files only the
// client has is trained over the network, through everything that happens to hosts, and its numbers are those
// of one machine.

#include <algorithm>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <thread>

#include "coordinator/edge/reader.h"
#include "tests/e2e/lan.h"
#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
namespace fs = std::filesystem;

bool comes_true(const std::function<bool()>& holds, std::chrono::seconds limit = 300s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(30ms);
  }
  return true;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

constexpr int kSeeds = 5, kTrials = 4 * kSeeds;
constexpr double kTrialSeconds = 5;  // the shortest trial's: time to find it begun and to do something to it

// The lease is the shortest there is: whoever is killed is missed half a minute later.
std::string long_sweep(int steps) {
  return TinyWorld::sweep_text(steps, kSeeds) + "run: {lease: 30s, checkpoint_every: 1s}\n";
}

class Hosts : public testing::Test {
 protected:
  void SetUp() override {
    const std::string obstacle = Lan::obstacle(home("obstacle"));
    if (!obstacle.empty()) GTEST_SKIP() << obstacle;
    steps_ = steps_of_a_long_trial(kTrialSeconds);
    desk_.write_sweep(long_sweep(steps_));
    lan_.emplace(
        std::vector<Host>{
            {"head", home("head")}, {"n1", home("n1")}, {"n2", home("n2")}, {"desk", desk_.folder()}},
        home("lan"));
  }
  ~Hosts() override {
    if (!HasFailure()) fs::remove_all(hosts_);
  }

  // ---- on the coordinator's host
  fs::path home(const std::string& name) const { return hosts_ / name; }
  fs::path data() const { return home("head") / "data"; }
  Ended at_head(std::vector<std::string> words) const {
    words.insert(words.begin(), {"/usr/bin/env", "RANKTIDE_TOKEN_FILE=" + (home("head") / "token").string(),
                                 ranktide_program().string()});
    words.insert(words.end(), {"--data-dir", data().string()});
    return run(lan_->on("head", words), home("at-head"), 300s);
  }
  void start_coordinator() {
    const fs::path output = home("coordinator-" + std::to_string(++starts_));
    coordinator_ = std::make_unique<Program>(
        lan_->on("head", {ranktide_program().string(), "coordinator", "--bind",
                          "tcp://" + lan_->address("head") + ":5555", "--http", lan_->address("head") + ":8080",
                          "--insecure-http", "--data-dir", data().string()}),
        output);
    ASSERT_TRUE(coordinator_->says("to clients at", 300s)) << read_text(output / "err");
  }
  std::string invited() const {
    const Ended ended = at_head({"invite", "--quiet"});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return first_line(ended.out);
  }

  // ---- on the workers' hosts
  std::unique_ptr<Program> worker(const std::string& name, const std::string& host,
                                  std::vector<std::string> more = {}) const {
    std::vector<std::string> words{ranktide_program().string(),
                                   "worker",
                                   "--data-dir",
                                   work(name, host).string(),
                                   "--name",
                                   name,
                                   "--slots",
                                   "1",
                                   "--gpus",
                                   "none"};
    words.insert(words.end(), more.begin(), more.end());
    return std::make_unique<Program>(lan_->on(host, words), home(name + "-output"));
  }
  fs::path work(const std::string& name, const std::string& host) const { return home(host) / name; }
  // Returns: bytes that wait for the coordinator's word.
  uintmax_t spooled(const std::string& name, const std::string& host) const {
    uintmax_t out = 0;
    for (const auto& entry : fs::recursive_directory_iterator(work(name, host) / "spool"))
      if (entry.is_regular_file()) out += entry.file_size();
    return out;
  }

  // ---- at the client's desk: no folder of the coordinator, only an address and a token
  Ended ask(std::vector<std::string> words, std::chrono::seconds limit = 300s) const {
    words.insert(words.begin(), {"/usr/bin/env", "XDG_CONFIG_HOME=" + (desk_.folder() / "config").string(),
                                 ranktide_program().string()});
    return run(lan_->on("desk", words), desk_.folder() / "client", limit);
  }
  void must(const std::vector<std::string>& words) const {
    const Ended ended = ask(words);
    ASSERT_EQ(ended.exit_code, 0) << words.at(0) << ": " << ended.err;
  }
  void introduce_client() const {
    const Ended token = at_head({"token", "add", "ann", "--scope", "admin"});
    ASSERT_EQ(token.exit_code, 0) << token.err;
    const fs::path file = desk_.folder() / "token";
    for (const fs::path& kept : {file, home("head") / "token"}) {
      write_text(kept, token.out);
      fs::permissions(kept, fs::perms::owner_read | fs::perms::owner_write);
    }
    must({"context", "add", "lab", "--coordinator", "http://" + lan_->address("head") + ":8080", "--token-file",
          file.string()});
  }

  // ---- what the coordinator's file says
  int64_t count(const std::string& from_where) const {
    return std::get<int64_t>(Reader(data()).select("SELECT count(*) FROM " + from_where).rows.at(0).at(0));
  }
  static std::string running_on(const std::string& name) {
    return "v_attempt a WHERE kind='stage' AND ended_at IS NULL AND worker='" + name + "'";
  }
  // Returns: the trial that the worker is in the first half of; empty after a failure.
  std::string trial_begun_by(const std::string& name) const {
    const std::string sql =
        "SELECT trial FROM " + running_on(name) +
        " AND (SELECT count(*) FROM v_metric m WHERE m.trial=a.trial AND m.attempt=a.attempt AND "
        "m.name='loss') BETWEEN 2 AND " +
        std::to_string(steps_ / 2);
    Selection found;
    EXPECT_TRUE(comes_true([&] { return !(found = Reader(data()).select(sql)).rows.empty(); }, 300s))
        << name << " begins no trial";
    return found.rows.empty() ? "" : std::get<std::string>(found.rows.at(0).at(0));
  }
  int64_t points_of(const std::string& trial) const { return count("v_metric WHERE trial='" + trial + "'"); }
  int64_t attempts_at(const std::string& trial) const {
    return count("v_attempt WHERE kind='stage' AND trial='" + trial + "'");
  }
  bool is_completed(const std::string& trial) const {
    return count("v_attempt WHERE kind='stage' AND end_reason='completed' AND trial='" + trial + "'") == 1;
  }
  static std::vector<std::vector<Value>> curves_in(const fs::path& folder) {
    return Reader(folder)
        .select(
            "SELECT trial, step, name, value FROM v_metric WHERE name IN ('loss', 'grad_norm', 'lr') "
            "ORDER BY trial, name, step")
        .rows;
  }

  TinyWorld desk_;
  fs::path hosts_ = desk_.folder().string() + ".hosts";
  std::optional<Lan> lan_;
  int steps_ = 0;
  int starts_ = 0;
  std::unique_ptr<Program> coordinator_;
};

TEST_F(Hosts, WhateverHappensToThemASweepEndsOnceAndWithTheNumbersOfOneMachine) {
  introduce_client();
  start_coordinator();
  auto n1 = worker("n1", "n1", {"--join", first_line(read_text(home("coordinator-1") / "out"))});
  auto n2 = worker("n2", "n2", {"--join", invited()});
  must({"submit", desk_.sweep().string()});
  ASSERT_FALSE(trial_begun_by("n1").empty());
  ASSERT_FALSE(trial_begun_by("n2").empty());

  coordinator_->signal(SIGKILL);
  (void)coordinator_->wait(10s);
  std::this_thread::sleep_for(1s);  // they go on meanwhile
  start_coordinator();
  ASSERT_FALSE(trial_begun_by("n1").empty());

  auto late = worker("late", "n1", {"--join", invited()});
  ASSERT_FALSE(trial_begun_by("late").empty());

  const std::string orphan = trial_begun_by("n2");
  ASSERT_FALSE(orphan.empty());
  n2->signal(SIGKILL);
  (void)n2->wait(10s);
  const std::string unplugged = trial_begun_by("n1");
  ASSERT_FALSE(unplugged.empty());
  lan_->unplug("n1");
  const uintmax_t kept = spooled("n1", "n1");
  must({"pause", "tiny"});  // what runs goes on; the rest waits until the killed worker is missed
  const int64_t heard = points_of(unplugged);
  std::this_thread::sleep_for(6s);
  EXPECT_EQ(points_of(unplugged), heard);
  EXPECT_GT(spooled("n1", "n1"), kept) << "it did not go on training, or forgot what it found";
  lan_->plug_in("n1");
  EXPECT_TRUE(comes_true([&] { return is_completed(unplugged); }));
  EXPECT_EQ(attempts_at(unplugged), 1);

  const TinyWorld alone;
  alone.write_sweep(long_sweep(steps_));
  const Ended ran = alone.ranktide({"run", alone.sweep().string()}, 900s);
  ASSERT_EQ(ran.exit_code, 0) << ran.err;

  EXPECT_TRUE(comes_true([&] { return count(running_on("n2")) == 0; }));
  must({"resume", "tiny"});
  EXPECT_TRUE(comes_true([&] { return is_completed(orphan); }));
  EXPECT_EQ(attempts_at(orphan), 2) << "another took over";

  ASSERT_FALSE(trial_begun_by("late").empty());
  EXPECT_EQ(at_head({"worker", "drain", "late"}).exit_code, 0);
  EXPECT_TRUE(comes_true([&] { return count(running_on("late")) == 0; }));
  late->signal(SIGTERM);
  EXPECT_EQ(late->wait(120s).exit_code, 0);
  ASSERT_FALSE(trial_begun_by("n1").empty());
  EXPECT_EQ(at_head({"worker", "revoke", "n1"}).exit_code, 0);
  EXPECT_EQ(n1->wait(120s).exit_code, 77);

  n2 = worker("n2", "n2");  // by its key
  ASSERT_EQ(ask({"watch", "tiny"}, 900s).exit_code, 0);
  EXPECT_EQ(count("v_attempt WHERE kind='stage' AND end_reason='completed'"), kTrials);
  EXPECT_EQ(count("v_attempt WHERE kind='stage' AND end_reason<>'completed'"), 3) << "killed, drained, revoked";
  EXPECT_EQ(count("v_missing"), 0);

  const std::vector<std::string> query{"query",    "tiny", "--metric", "learning,gain,forgetting",
                                       "--format", "csv"};
  const Ended theirs = ask(query);
  EXPECT_EQ(theirs.exit_code, 0) << theirs.err;
  EXPECT_THAT(theirs.out, HasSubstr("," + std::to_string(kSeeds) + ",")) << "n";
  EXPECT_EQ(theirs.out, alone.ranktide(query).out);
  EXPECT_EQ(curves_in(data()), curves_in(alone.data()));
  coordinator_->signal(SIGTERM);
  EXPECT_EQ(coordinator_->wait(120s).exit_code, 0);
}

// ZeroMQ drops a connection that is silent for fifteen seconds, and a trial ends meanwhile.
TEST_F(Hosts, ACutThatOutlivesTheConnectionCostsNoAttempt) {
  introduce_client();
  start_coordinator();
  const auto n1 = worker("n1", "n1", {"--join", first_line(read_text(home("coordinator-1") / "out"))});
  must({"submit", desk_.sweep().string()});
  const std::string unplugged = trial_begun_by("n1");
  ASSERT_FALSE(unplugged.empty());
  lan_->unplug("n1");
  std::this_thread::sleep_for(20s);
  EXPECT_FALSE(is_completed(unplugged));
  lan_->plug_in("n1");
  EXPECT_TRUE(comes_true([&] { return is_completed(unplugged); }));
  EXPECT_EQ(attempts_at(unplugged), 1);
  EXPECT_FALSE(trial_begun_by("n1").empty()) << "it gets work again";
}

}  // namespace
}  // namespace ranktide::e2e
