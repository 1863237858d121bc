// How a coordinator says that it is well, and what it counts.

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>

#include "coordinator/edge/api_health.h"
#include "coordinator/edge/metrics.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

// ---- health

constexpr FolderRoom kRoom{.is_writable = true, .free_bytes = 50, .size_bytes = 100};

TEST(Health, IsAliveWhileTheTurnComesRound) {
  Mailbox mailbox;
  EXPECT_EQ(answer_livez(mailbox, {1000}).status, 503);  // not begun
  mailbox.beat({1000});
  EXPECT_EQ(answer_livez(mailbox, {10'999}).status, 200);
  EXPECT_EQ(answer_livez(mailbox, {11'000}).status, 503);
}

TEST(Health, IsReadyUntilFolderDiskTurnOrMailboxSayNo) {
  Mailbox mailbox;
  mailbox.beat({1000});
  const auto why = [&](const FolderRoom& room, Instant now) {
    const ApiResponse answer = answer_readyz(mailbox, room, {}, now);
    return std::to_string(answer.status) + parse_json(answer.body).value("error", Json::array()).dump();
  };
  EXPECT_EQ(why(kRoom, {2000}), "200[]");
  EXPECT_THAT(why({.is_writable = false, .free_bytes = 50, .size_bytes = 100}, {2000}), HasSubstr("503"));
  EXPECT_THAT(why({.is_writable = true, .free_bytes = 2, .size_bytes = 100}, {2000}), HasSubstr("disk"));
  EXPECT_THAT(why(kRoom, {20'000}), HasSubstr("turn"));
  mailbox.close();
  EXPECT_THAT(why(kRoom, {2000}), HasSubstr("stopping"));
}

// The door's thread ended by itself, and the coordinator went on saying that it was ready.
TEST(Health, IsNotReadyOnceTheThreadOfADoorHasEnded) {
  Mailbox mailbox;
  mailbox.beat({1000});
  const ServingThread up("nobody can join", [](int stop_fd) {
    pollfd stop{.fd = stop_fd, .events = POLLIN, .revents = 0};
    ::poll(&stop, 1, -1);
  });
  const auto status = [&](const ServiceSign& other) {
    return answer_readyz(mailbox, kRoom, {up.sign(), other}, {2000});
  };
  ServiceSign sign;
  {
    const ServingThread down("no files are served",
                             [](int) { throw std::runtime_error("the socket is gone"); });
    sign = down.sign();
  }
  EXPECT_EQ(status(up.sign()).status, 200);
  EXPECT_EQ(status(sign).status, 503);
  EXPECT_THAT(status(sign).body, HasSubstr("no files are served"));
}

TEST(Health, MeasuresTheFolder) {
  const TemporaryFolder folder;
  const FolderRoom room = measure_room(folder.path());
  EXPECT_TRUE(room.is_writable);
  EXPECT_GT(room.free_bytes, 0);
  EXPECT_LE(room.free_bytes, room.size_bytes);
  EXPECT_FALSE(measure_room(folder.path() / "none").is_writable);
}

// ---- metrics

MetricsInput some_metrics() {
  MetricsInput in{.version = "1.2 \"x\"", .room = kRoom, .http = {.refusals = {{"missing", 2}}}};
  SweepPicture sweep{.name = "tide"};
  sweep.stages[static_cast<size_t>(UnitLife::ready)] = 3;
  in.picture.sweeps.push_back(sweep);
  in.picture.workers.push_back({.name = WorkerName{"w"}, .is_joined = true, .slots = 2, .running = 1});
  in.picture.workers.back().pulse = {
      .heard = {2'000},
      .devices = {{.device = "GPU-1", .memory_used_bytes = 3, .memory_bytes = 8}},
      .resent = 6};
  in.picture.workers.push_back({.name = WorkerName{"away"}});
  in.now = {4'500};
  for (const double seconds : {0.0005, 0.02, 5.0}) in.picture.measures.commit_seconds.observe(seconds);
  in.picture.measures.leases_expired = 4;
  in.doors.push_back({.door = "enrol", .reason = "used_up"});
  *in.doors.back().count = 7;
  return in;
}

// Every line of text format 0.0.4: help, type, then samples of that family only.
TEST(Metrics, AreWellFormedPrometheusText) {
  const std::string text = metrics_text(some_metrics());
  ASSERT_TRUE(text.ends_with('\n'));
  const std::regex sample(
      R"(([a-z_]+)(\{[a-z_]+="(?:[^"\\]|\\.)*"(,[a-z_]+="(?:[^"\\]|\\.)*")*\})? -?[0-9.e+-]+)");
  std::istringstream lines(text);
  std::string line, family, type;
  std::set<std::string> families;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string hash, keyword, name;
    if (line.starts_with("# HELP ")) {
      words >> hash >> keyword >> family;
      EXPECT_TRUE(families.insert(family).second) << family << " comes twice";
    } else if (line.starts_with("# TYPE ")) {
      words >> hash >> keyword >> name >> type;
      EXPECT_EQ(name, family);
      EXPECT_EQ(type == "counter", family.ends_with("_total")) << family;
    } else {
      std::smatch match;
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      EXPECT_TRUE(match[1].str().starts_with(family)) << line;
    }
  }
  EXPECT_GT(families.size(), 15u);
}

TEST(Metrics, TellWhatWasCounted) {
  const std::string text = metrics_text(some_metrics());
  for (const char* line :
       {"ranktide_build_info{version=\"1.2 \\\"x\\\"\"} 1\n", "ranktide_trials{state=\"ready\"} 3\n",
        "ranktide_queue_depth 3\n", "ranktide_slots{kind=\"running\"} 1\n",
        "ranktide_commit_seconds_bucket{le=\"0.03\"} 2\n", "ranktide_commit_seconds_bucket{le=\"+Inf\"} 3\n",
        "ranktide_commit_seconds_count 3\n", "ranktide_lease_expired_total 4\n",
        "ranktide_auth_refused_total{door=\"http\",reason=\"missing\"} 2\n",
        "ranktide_auth_refused_total{door=\"enrol\",reason=\"used_up\"} 7\n",
        "ranktide_heartbeat_lag_seconds{worker=\"w\"} 2.5\n", "ranktide_entries_resent_total{worker=\"w\"} 6\n",
        "ranktide_gpu_memory_used_bytes{worker=\"w\",gpu=\"GPU-1\"} 3\n",
        "ranktide_gpu_memory_bytes{worker=\"w\",gpu=\"GPU-1\"} 8\n"})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(text, testing::Not(HasSubstr("worker=\"away\"")));
}

TEST(Metrics, TheDashboardAsksForNothingThatIsNotTold) {
  std::ifstream in(RANKTIDE_SOURCE_DIR "/deploy/grafana/ranktide.json");
  const std::string text = metrics_text(some_metrics());
  const std::regex name("(ranktide|process)_[a-z_]+");
  size_t names = 0;
  const Json dashboard = Json::parse(in);
  for (const Json& panel : dashboard.at("panels")) {
    for (const Json& target : panel.at("targets")) {
      const auto expression = target.at("expr").get<std::string>();
      for (std::sregex_iterator it(expression.begin(), expression.end(), name), end; it != end; ++it, ++names)
        EXPECT_TRUE(text.find("\n" + it->str() + " ") != std::string::npos ||
                    text.find("\n" + it->str() + "{") != std::string::npos)
            << it->str();
    }
  }
  EXPECT_GT(names, 20u);
}

TEST(Metrics, TheTurnCountsLeasesFencesAndTrainings) {
  TurnMeasures measures;
  Effects effects;
  effects.records = {LeaseExpired{}, UnitFinished{.outcome = {.weights_sha256 = "w", .seconds = 42}},
                     UnitFinished{.outcome = {.seconds = 1}}};  // the last one trained nothing
  effects.messages = {{WorkerName{"w"}, Fenced{}}, {WorkerName{"w"}, Abandon{}}, {WorkerName{"w"}, Ack{}}};
  measures.committed(effects, {5}, std::chrono::milliseconds{2});
  measures.said(effects);
  EXPECT_EQ(measures.leases_expired, 1u);
  EXPECT_EQ(measures.fenced, 1u);
  EXPECT_EQ(measures.acks, 1u);
  EXPECT_EQ(measures.trial_seconds.count, 1u);
  EXPECT_EQ(measures.trial_seconds.sum, 42);
  EXPECT_EQ(measures.commit_seconds.up_to_bound[1], 1u);  // 3 ms
  EXPECT_EQ(measures.commit_seconds.up_to_bound[0], 0u);
}

}  // namespace
}  // namespace ranktide
