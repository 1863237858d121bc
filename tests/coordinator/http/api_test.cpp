// What is answered, without sockets: reads, routes, commands, health, metrics.

#include "coordinator/edge/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <sstream>

#include "common/vocabulary/random.h"
#include "coordinator/edge/api_commands.h"
#include "coordinator/edge/api_health.h"
#include "coordinator/edge/event_log.h"
#include "coordinator/edge/http_routes.h"
#include "coordinator/edge/metrics.h"
#include "coordinator/edge/query_attempts.h"
#include "coordinator/edge/query_workers.h"
#include "tests/coordinator/edge/history.h"
#include "tests/sim/sweep_for_tests.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

// ---- reads

class Api : public testing::Test {
 protected:
  Api() {
    History h(folder_.path());
    h.begin();
    h.submit("tide");
    trial_ = h.ran({.rank = 4}, 1.0, 3.0).id.text;
    h.listed();
  }
  ApiResponse get(const std::string& target) const { return answer_read(folder_.path(), target); }

  TemporaryFolder folder_;
  std::string trial_;
};

TEST_F(Api, AnswersAQueryAsTheReaderDoes) {
  const QueryRequest request{.sweeps = {"tide"}, .where = "rank = 4"};
  const std::string direct = print(query(Reader(folder_.path()), request), FrameFormat::csv);
  const ApiResponse answer = get(query_target(request, "csv"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.type, "text/csv");
  EXPECT_EQ(answer.body, direct);
}

TEST_F(Api, ListsSweepsTrialsAttemptsAndWorkers) {
  EXPECT_EQ(from_json<std::vector<SweepStatus>>(parse_json(get("/api/v1/sweeps").body)).at(0).name, "tide");
  EXPECT_EQ(parse_json(get("/api/v1/trials?prefix=" + trial_.substr(0, 8)).body), Json::array({trial_}));
  const auto attempts =
      from_json<std::vector<TrialAttempt>>(parse_json(get("/api/v1/attempts?trial=" + trial_).body));
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0].worker, "w1");
  const auto workers = from_json<std::vector<WorkerStatus>>(parse_json(get("/api/v1/workers").body));
  ASSERT_EQ(workers.size(), 1u);
  EXPECT_EQ(workers[0].name, "w1");
  EXPECT_EQ(workers[0].state, "joined");
  EXPECT_EQ(workers[0].slots.size(), 1u);
  EXPECT_EQ(workers[0].running, 0);
}

TEST_F(Api, SaysWhatIsWrongWithTheStatusThatFits) {
  EXPECT_EQ(get("/api/v1/query?sweep=ebb").status, 404);
  EXPECT_EQ(get("/api/v1/query?sweep=tide&where=rank%20%3E").status, 400);
  EXPECT_EQ(get("/api/v1/query?sweep=tide&format=xml").status, 400);
  EXPECT_EQ(get("/api/v1/query?sweep=%4").status, 400);
  EXPECT_EQ(get("/nothing").status, 404);
}

// ---- changes, as the stream tells them

Json data_of(const Change& change) {
  const size_t begin = change.text.find("data: ") + 6;
  return parse_json(change.text.substr(begin, change.text.find('\n', begin) - begin));
}

TEST(EventLog, TellsEachRecordOnceWithItsNumberAndWhatItIsAbout) {
  const TemporaryFolder folder;
  History h(folder.path());
  h.begin();
  h.submit("tide");
  const SweepTrial trial = h.list({.rank = 4});
  h.grant(trial);
  const Reader reader = h.reader();
  const int64_t before = newest_record(reader);
  h.end(trial, OutcomeKind::failed, "boom\n\"x\"");
  const auto all = changes_after(reader, 0, 100);
  ASSERT_EQ(all.size(), static_cast<size_t>(newest_record(reader)));
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].record, static_cast<int64_t>(i) + 1);
  EXPECT_TRUE(all[2].text.starts_with("id: 3\nevent: SweepSubmitted\ndata: {")) << all[2].text;
  EXPECT_EQ(data_of(all[2]).at("sweeps"), Json::array({"tide"}));
  EXPECT_EQ(data_of(all[3]).at("trial"), trial.id.text);

  const auto last = changes_after(reader, before, 100);
  ASSERT_EQ(last.size(), 1u);
  const Json failed = data_of(last[0]);
  EXPECT_EQ(failed.at("unit"), trial.stage.text);
  EXPECT_EQ(failed.at("attempt"), 1);
  EXPECT_EQ(failed.at("outcome"), "failed");
  EXPECT_EQ(failed.at("message"), "boom\n\"x\"");
  EXPECT_EQ(failed.at("trial"), trial.id.text);
  EXPECT_EQ(failed.at("sweeps"), Json::array({"tide"}));
  EXPECT_TRUE(last[0].text.ends_with("}\n\n"));
  EXPECT_EQ(changes_after(reader, 1, 1).size(), 1u);
  EXPECT_TRUE(changes_after(reader, newest_record(reader), 10).empty());
}

TEST(Target, ComesBackFromItsEscapes) {
  const std::string odd = "a b&c=d%/ü+";
  const Target target = parse_target("/p?x=" + percent_encode(odd) + "&x=2&y");
  EXPECT_EQ(target.path, "/p");
  EXPECT_EQ(target.arguments.find("x")->second, odd);
  EXPECT_EQ(target.arguments.count("x"), 2u);
  EXPECT_EQ(target.arguments.find("y")->second, "");
}

// ---- routes

TEST(Route, KnowsItsMethodAndScope) {
  EXPECT_EQ(route_of("GET", "/livez").scope, std::nullopt);
  EXPECT_EQ(route_of("GET", "/metrics").scope, Scope::read);
  EXPECT_EQ(route_of("GET", "/api/v1/sweeps").kind, RouteKind::read);
  EXPECT_EQ(route_of("POST", "/api/v1/sweeps").scope, Scope::submit);
  EXPECT_EQ(route_of("POST", "/api/v1/sweeps/math/cancel").command.name, "math");
  EXPECT_EQ(route_of("POST", "/api/v1/workers/gpu03/drain").scope, Scope::admin);
  EXPECT_EQ(route_of("POST", "/livez").refusal.status, 405);
  EXPECT_EQ(route_of("GET", "/api/v1/sweeps/math/cancel").refusal.status, 405);
  EXPECT_EQ(route_of("DELETE", "/api/v1/sweeps").refusal.status, 405);
}

TEST(Route, NothingLiesBesideTheTable) {
  for (const char* path : {"/", "/api/v1/", "/api/v1/sweeps/", "/api/v1/sweeps/math", "/api/v1/sweeps/math/",
                           "/api/v1/sweeps//cancel", "/api/v1/sweeps/math/burn", "/api/v1/workers/w/cancel",
                           "/api/v1/sweeps/../../etc/passwd", "/../etc/passwd", "/api/v1/sweeps/a/b/cancel"}) {
    EXPECT_EQ(route_of("GET", path).refusal.status, 404) << path;
    EXPECT_EQ(route_of("POST", path).refusal.status, 404) << path;
  }
}

// ---- commands

CommandTarget command_at(const std::string& path) {
  return *find_command(path);
}

std::variant<UserRequest, ApiResponse> read_text(const std::string& path, const std::string& body) {
  return read_command(command_at(path), body, {.name = "ann", .scope = Scope::submit});
}
std::variant<UserRequest, ApiResponse> read(const std::string& path, const Json& body) {
  return read_text(path, body.dump());
}

TEST(Commands, ASubmissionCarriesItsSpecAndItsActor) {
  const SweepSpec spec = sweep_for_tests({.name = "tide"});
  const auto request = read("/api/v1/sweeps", {{"request_id", "r1"}, {"spec", to_json(spec)}});
  const auto& submit = std::get<Submit>(std::get<UserRequest>(request));
  EXPECT_EQ(submit.request_id, "r1");
  EXPECT_EQ(submit.actor, "ann");
  EXPECT_TRUE(equal(submit.spec, spec));
}

TEST(Commands, EveryActionOfASweepHasItsRequest) {
  for (const char* action : EnumTexts<SweepAction>::texts) {
    const auto request = read("/api/v1/sweeps/tide/" + std::string(action), {{"request_id", "r1"}});
    const auto& control = std::get<ControlSweep>(std::get<UserRequest>(request));
    EXPECT_EQ(text_of(control.action), action);
    EXPECT_EQ(control.sweep, "tide");
    EXPECT_EQ(control.actor, "ann");
  }
  const auto width = read("/api/v1/sweeps/tide/max_parallel", {{"request_id", "r1"}, {"max_parallel", 3}});
  EXPECT_EQ(std::get<ChangePolicy>(std::get<UserRequest>(width)).max_parallel, 3);
  const auto rank = read("/api/v1/sweeps/tide/priority", {{"request_id", "r1"}, {"priority", -2}});
  EXPECT_EQ(std::get<ChangePolicy>(std::get<UserRequest>(rank)).priority, -2);
  EXPECT_EQ(std::get<ChangePolicy>(std::get<UserRequest>(rank)).max_parallel, std::nullopt);
  const auto drain = read("/api/v1/workers/gpu03/drain", {{"request_id", "r1"}});
  EXPECT_EQ(std::get<DrainWorker>(std::get<UserRequest>(drain)).worker.text, "gpu03");
}

TEST(Commands, BodiesThatAreNotUnderstoodSayWhatIsWrong) {
  const Json spec = to_json(sweep_for_tests({}));
  Json two_names = spec;
  two_names["name"] = "a b";
  const std::vector<std::pair<Json, std::string>> wrong = {
      {{{"spec", spec}}, "\"request_id\" is missing"},
      {{{"request_id", ""}, {"spec", spec}}, "1 to 200 bytes"},
      {{{"request_id", "r"}}, "\"spec\" is missing"},
      {{{"request_id", "r"}, {"spec", 3}}, "spec: expected a map"},
      {{{"request_id", "r"}, {"spec", two_names}}, "a b"},
      {Json::array(), "must be a JSON object"}};
  for (const auto& [body, text] : wrong) {
    const auto answer = read("/api/v1/sweeps", body);
    ASSERT_TRUE(std::holds_alternative<ApiResponse>(answer)) << text;
    EXPECT_EQ(std::get<ApiResponse>(answer).status, 400);
    EXPECT_THAT(parse_json(std::get<ApiResponse>(answer).body).value("error", ""), HasSubstr(text));
  }
  const auto deep = read_command(command_at("/api/v1/sweeps"), std::string(100'000, '['), {});
  EXPECT_EQ(std::get<ApiResponse>(deep).status, 400);
}

TEST(Commands, OnlyItsOwnerOrAnAdminChangesASweep) {
  LivePicture picture;
  picture.sweeps.push_back({.name = "tide", .owner = "ann"});
  picture.workers.push_back({.name = WorkerName{"gpu03"}});
  const auto status = [&](const std::string& path, const Caller& caller) {
    const auto refusal = refuse_command(command_at(path), caller, picture);
    return refusal ? refusal->status : 200;
  };
  EXPECT_EQ(status("/api/v1/sweeps/tide/cancel", {.name = "ann", .scope = Scope::submit}), 200);
  EXPECT_EQ(status("/api/v1/sweeps/tide/cancel", {.name = "bob", .scope = Scope::submit}), 403);
  EXPECT_EQ(status("/api/v1/sweeps/tide/cancel", {.name = "bob", .scope = Scope::admin}), 200);
  EXPECT_EQ(status("/api/v1/sweeps/ebb/cancel", {.name = "ann", .scope = Scope::admin}), 404);
  EXPECT_EQ(status("/api/v1/workers/gpu03/drain", {.scope = Scope::admin}), 200);
  EXPECT_EQ(status("/api/v1/workers/gpu04/drain", {.scope = Scope::admin}), 404);
}

TEST(Commands, AnswersHaveTheirStatus) {
  EXPECT_EQ(parse_json(response_of(Answer{Submitted{3, 2}}).body), (Json{{"number", 3}, {"revision", 2}}));
  EXPECT_EQ(parse_json(response_of(Answer{Controlled{"paused"}}).body), (Json{{"now", "paused"}}));
  EXPECT_EQ(response_of(Answer{Rejected{"no"}}).status, 409);
  EXPECT_EQ(response_of(Unavailable{"stopping"}).status, 503);
}

// Pieces of good requests, put together at random: nothing but answers may come of it.
TEST(Commands, RandomRequestsOnlyEverGetAnswers) {
  SplitMix64 chance(20);
  const std::vector<std::string> pieces = {
      "/api/v1/",    "sweeps", "/",         "tide", "cancel",     "..",      "%2e",         "%",
      "?",           "&",      "=",         "{",    "}",          "[",       "]",           "\"",
      ":",           ",",      "3",         "null", "request_id", "spec",    "\"blocks\":", "-1e999",
      "\xff\xfe\0x", "[::1]",  "127.0.0.1", ":80",  "Bearer rt_", "metric=", "where=rank"};
  const auto random_text = [&] {
    std::string out;
    for (uint64_t n = chance.below(12); n > 0; --n) out += pieces[chance.below(pieces.size())];
    return out;
  };
  const AccessRules rules = access_rules(parse_http_address("127.0.0.1:8080"), {}, false);
  for (int i = 0; i < 50'000; ++i) {
    const std::string target = "/api/v1/" + random_text();
    try {
      route_of(chance.below(2) ? "GET" : "POST", parse_target(target).path);
    } catch (const QueryError&) {
    }
    EXPECT_FALSE(std::holds_alternative<UserRequest>(read_text("/api/v1/sweeps", random_text()))) << i;
    refuse_foreign(rules, {.method = "POST", .host = random_text(), .origin = random_text()});
    try {
      parse_http_address(random_text());
    } catch (const std::invalid_argument&) {
    }
  }
}

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
    const ApiResponse answer = answer_readyz(mailbox, room, now);
    return std::to_string(answer.status) + parse_json(answer.body).value("error", Json::array()).dump();
  };
  EXPECT_EQ(why(kRoom, {2000}), "200[]");
  EXPECT_THAT(why({.is_writable = false, .free_bytes = 50, .size_bytes = 100}, {2000}), HasSubstr("503"));
  EXPECT_THAT(why({.is_writable = true, .free_bytes = 2, .size_bytes = 100}, {2000}), HasSubstr("disk"));
  EXPECT_THAT(why(kRoom, {20'000}), HasSubstr("turn"));
  mailbox.close();
  EXPECT_THAT(why(kRoom, {2000}), HasSubstr("stopping"));
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
  for (const double seconds : {0.0005, 0.02, 5.0}) in.picture.measures.commit_seconds.observe(seconds);
  in.picture.measures.leases_expired = 4;
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
        "ranktide_auth_refused_total{door=\"http\",reason=\"missing\"} 2\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(Metrics, TheTurnCountsLeasesFencesAndTrainings) {
  TurnMeasures measures;
  Effects effects;
  effects.records = {LeaseExpired{}, UnitFinished{.outcome = {.weights_sha256 = "w", .seconds = 42}},
                     UnitFinished{.outcome = {.seconds = 1}}};  // the last one trained nothing
  effects.messages = {{WorkerName{"w"}, Fenced{}}, {WorkerName{"w"}, Abandon{}}};
  measures.committed(effects, {5}, std::chrono::milliseconds{2});
  measures.said(effects);
  EXPECT_EQ(measures.leases_expired, 1u);
  EXPECT_EQ(measures.fenced, 1u);
  EXPECT_EQ(measures.trial_seconds.count, 1u);
  EXPECT_EQ(measures.trial_seconds.sum, 42);
  EXPECT_EQ(measures.commit_seconds.up_to_bound[1], 1u);  // 3 ms
  EXPECT_EQ(measures.commit_seconds.up_to_bound[0], 0u);
}

}  // namespace
}  // namespace ranktide
