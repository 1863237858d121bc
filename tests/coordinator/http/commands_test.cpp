// Which request is for what, and what commands are made of; without sockets.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/worker_keys.h"
#include "common/vocabulary/random.h"
#include "coordinator/edge/api_commands.h"
#include "coordinator/edge/client_version.h"
#include "coordinator/edge/http_routes.h"
#include "coordinator/edge/query_source.h"
#include "tests/coordinator/edge/history.h"
#include "tests/sim/sweep_for_tests.h"
#include "tests/temporary_folder.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

// ---- routes

TEST(Route, KnowsItsMethodAndScope) {
  EXPECT_EQ(route_of("GET", "/livez").scope, std::nullopt);
  EXPECT_EQ(route_of("GET", "/metrics").scope, Scope::read);
  EXPECT_EQ(route_of("GET", "/api/v1/sweeps").kind, RouteKind::read);
  EXPECT_EQ(route_of("POST", "/api/v1/sweeps").scope, Scope::submit);
  EXPECT_EQ(route_of("POST", "/api/v1/sweeps/math/cancel").command.name, "math");
  EXPECT_EQ(route_of("POST", "/api/v1/workers/gpu03/drain").scope, Scope::admin);
  EXPECT_EQ(route_of("POST", "/api/v1/workers/gpu03/revoke").scope, Scope::admin);
  EXPECT_EQ(route_of("POST", "/api/v1/workers/gpu03/forget").scope, Scope::admin);
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

// The names of a struct's fields, in their order, and of the structs in it that are listed here.
struct Names {
  std::string text;
  template <class T>
  Names& operator()(const char* name, T&) {
    text += std::string(name) + " ";
    return *this;
  }
};

template <class... Structs>
std::string names_of_fields() {
  Names names;
  const auto add = [&](auto value) { fields(names, value), names.text += "| "; };
  (add(Structs{}), ...);
  return names.text;
}

// A coordinator that does not know a field drops it, so whoever changes this list raises kSubmitWireVersion.
TEST(Commands, TheVersionOfSubmissionsGoesWithTheirFields) {
  const std::string names =
      names_of_fields<SweepSpec, RandomSearch, Tuning, TrialRange, Block, IncludedCell, Axis, DrawnRange,
                      AxisPoint, Rule, RunPolicy, RetryPolicy, SlotNeeds, Inputs, ModelInput, DataInput>();
  EXPECT_EQ(kSubmitWireVersion, 2);
  EXPECT_EQ(
      names,
      "version name blocks seeds run max_trials inputs random tune taken | cells seed | axes by extend | first "
      "end | name "
      "constants "
      "axes derive exclude include | points where | name points when drawn | min max log | label set | text "
      "where | priority max_parallel max_failures retry keep checkpoint_every_ms "
      "lease_ms microbatch require_exact needs | own infra | memory_bytes labels gpus | models data files "
      "contents | path base tokenizer_sha256 shape | sha256 documents tokens rows | ");
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
  const auto revoke = read("/api/v1/workers/gpu03/revoke", {{"request_id", "r1"}});
  EXPECT_EQ(std::get<RevokeWorker>(std::get<UserRequest>(revoke)).worker.text, "gpu03");
  EXPECT_EQ(std::get<RevokeWorker>(std::get<UserRequest>(revoke)).actor, "ann");
}

TEST(Commands, SomeTrialsAreNamedByTheirIdsOrByTheirFailure) {
  const auto chosen = [](const std::string& action, const Json& body) {
    return std::get<ControlTrials>(std::get<UserRequest>(read("/api/v1/sweeps/tide/" + action, body)));
  };
  const auto cancel = chosen("cancel", {{"request_id", "r"}, {"trials", {"a3f9", "77be"}}});
  EXPECT_EQ(cancel.action, SweepAction::cancel);
  EXPECT_THAT(cancel.trials.prefixes, testing::ElementsAre("a3f9", "77be"));
  const auto retry = chosen("retry", {{"request_id", "r"}, {"failed", true}});
  EXPECT_EQ(retry.action, SweepAction::retry);
  EXPECT_TRUE(retry.trials.failed);
  for (const Json& nothing : {Json::array(), Json{""}})
    EXPECT_TRUE(std::holds_alternative<ApiResponse>(
        read("/api/v1/sweeps/tide/cancel", {{"request_id", "r"}, {"trials", nothing}})));
}

TEST(Commands, ARevokedKeyIsEndedInItsTableBeforeTheCoreDecides) {
  TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "keys");
  std::filesystem::permissions(folder.path() / "keys", std::filesystem::perms::owner_all);
  const auto table = folder.path() / "keys" / "workers";
  authorise_worker(table, make_key_pair().public_key, WorkerName{"gpu03"});
  const auto revoke = [&](const std::string& name) {
    UserRequest request = RevokeWorker{.worker = WorkerName{name}};
    return prepare(request, folder.path());
  };
  EXPECT_EQ(revoke("gpu03"), std::nullopt);
  EXPECT_EQ(revoke("gpu03"), std::nullopt) << "asked again";
  EXPECT_THAT(WorkerKeys(table).revoked_names(), testing::ElementsAre(WorkerName{"gpu03"}));
  EXPECT_EQ(revoke("gpu04")->status, 404);
}

TEST(Commands, AWorkerIsForgottenThatDidSomethingOrHasAKeyOrWasForgottenByTheSameRequest) {
  TemporaryFolder folder;
  History history(folder.path());
  history.begin();  // a worker w1
  std::filesystem::create_directories(folder.path() / "keys");
  std::filesystem::permissions(folder.path() / "keys", std::filesystem::perms::owner_all);
  authorise_worker(folder.path() / "keys" / "workers", make_key_pair().public_key, WorkerName{"w2"});
  const auto forget = [&](const std::string& name, const std::string& request) {
    UserRequest asked = ForgetWorker{.request_id = request, .worker = WorkerName{name}};
    return prepare(asked, folder.path());
  };
  EXPECT_EQ(forget("w1", "r"), std::nullopt);
  EXPECT_EQ(forget("w2", "r"), std::nullopt) << "it was never heard";
  EXPECT_EQ(forget("w3", "r")->status, 404);
  history.record(WorkerLeft{WorkerName{"w1"}, "a", LeaveReason::drained});
  history.record(WorkerForgotten{WorkerName{"w1"}, "r", kLocalActor});
  EXPECT_EQ(forget("w1", "r"), std::nullopt) << "its answer was lost";
  EXPECT_EQ(forget("w1", "another")->status, 404);
}

TEST(Commands, NobodyIsForgottenWhoseKeyCannotBeTakenOutOfItsTable) {
  TemporaryFolder folder;
  History history(folder.path());
  history.begin();
  std::filesystem::create_directories(folder.path() / "keys");
  std::filesystem::permissions(folder.path() / "keys", std::filesystem::perms::owner_all);
  const auto table = folder.path() / "keys" / "workers";
  const std::string key = make_key_pair().public_key;
  authorise_worker(table, key, WorkerName{"w1"});
  const auto forget = [&](const std::string& name) {
    UserRequest asked = ForgetWorker{.request_id = "r", .worker = WorkerName{name}};
    return prepare(asked, folder.path());
  };
  std::filesystem::create_directories(folder.path() / "keys" / "workers.new");  // where a new table would begin
  const auto refused = forget("w1");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 409);
  EXPECT_THAT(refused->body,
              testing::AllOf(HasSubstr("worker w1 is not forgotten"), HasSubstr(table.string())));
  EXPECT_EQ(WorkerKeys(table).standing(key), KeyStanding::active);
  std::filesystem::remove(folder.path() / "keys" / "workers.new");
  EXPECT_EQ(forget("w1"), std::nullopt);
  EXPECT_EQ(WorkerKeys(table).standing(key), KeyStanding::active) << "the core has not decided yet";
}

TEST(Commands, ASubmissionsCellsAreLookedAtBeforeTheCoreDecides) {
  UserRequest request = Submit{.request_id = "r", .spec = sweep_for_tests({})};
  EXPECT_EQ(prepare(request, {}), std::nullopt);
  const auto& looked = std::get<Submit>(request).looked;
  ASSERT_TRUE(looked);
  EXPECT_EQ(looked->fault, "");
  EXPECT_GT(looked->trial_count, 0);
}

// Which of the running trials stay is known to whoever has looked at every cell.
TEST(Commands, ASubmissionThatCancelsWhatItRemovesBringsWhatItLists) {
  TemporaryFolder folder;
  History history(folder.path());
  history.begin();
  history.submit("first");
  SweepSpec spec = sweep_for_tests({.name = "first", .ranks = {4, 8}, .seeds = 2});
  const auto asked = [&](const Json& cancel_removed) {
    return read("/api/v1/sweeps",
                {{"request_id", "r"}, {"spec", to_json(spec)}, {"cancel_removed", cancel_removed}});
  };
  auto request = std::get<UserRequest>(asked(true));
  EXPECT_EQ(prepare(request, folder.path()), std::nullopt);
  std::set<StageId> stages;
  for (int64_t raw = 0; raw < 4; ++raw) stages.insert(Grid(spec).at(raw)->stage);
  EXPECT_EQ(std::get<Submit>(request).looked->stages, stages);
  EXPECT_FALSE(std::get<Submit>(std::get<UserRequest>(asked(false))).cancel_removed);
  EXPECT_EQ(std::get<ApiResponse>(asked("yes")).status, 400);
  spec.name = "new";
  request = std::get<UserRequest>(asked(true));
  EXPECT_EQ(prepare(request, folder.path()), std::nullopt);
  EXPECT_TRUE(std::get<Submit>(request).looked->stages.empty()) << "a new sweep removes nothing";
}

TEST(Commands, ASourceIsTheTrialThatTheJournalSays) {
  TemporaryFolder folder;
  History history(folder.path());
  history.begin();
  history.submit("first");
  const SweepTrial trial = history.ran({.rank = 4}, 1.6, 3.0);
  const SweepTrial other = history.ran({.rank = 8}, 1.6, 3.0);
  const auto answer = [&](const std::string& from, const SourceInput& source) {
    SweepSpec spec = sweep_for_tests({.name = "warm"});
    spec.inputs.sources[from] = source;
    UserRequest request = Submit{.request_id = "warm", .spec = spec};
    const auto refused = prepare(request, folder.path());
    EXPECT_NE(std::get<Submit>(request).looked.has_value(), refused.has_value());
    return refused ? std::to_string(refused->status) + " " + refused->body : "";
  };
  const std::string from = "trial:" + trial.id.text.substr(0, 10);
  const SourceInput fine = source_with(history.reader(), trial.id.text);
  EXPECT_EQ(answer(from, fine), "");
  const auto refused = testing::AllOf(HasSubstr("409"), HasSubstr("was sent as another trial than it is here"));
  SourceInput forged = fine;
  forged.weights = other.id;
  EXPECT_THAT(answer(from, forged), refused);
  forged = fine;
  forged.stage = other.stage;
  EXPECT_THAT(answer(from, forged), refused);
  forged = fine;
  forged.step += 1;
  EXPECT_THAT(answer(from, forged), refused);
  EXPECT_THAT(answer(from, source_with(history.reader(), other.id.text)),
              HasSubstr("is not the trial that was sent for it"));
  forged.trial = TrialId{trial.id.text.substr(0, 10) + std::string(54, '0')};
  EXPECT_THAT(answer(from, forged), HasSubstr("no trial's id starts so"));
}

// 8 is no batch of a cell, for its axis has none there: what reads inputs must not divide by it either.
TEST(Commands, ACellThatNoConditionAllowsEndsNobody) {
  SweepSpec spec = sweep_for_tests({});
  Block& block = spec.blocks.at(0);
  block.axes.push_back(
      {.name = "train.batch",
       .points = {{.label = "16", .set = {{"train.batch", 16}}}, {.label = "8", .set = {{"train.batch", 8}}}},
       .when = "train.lr > 1"});
  block.constants["train.batch"] = 16;
  block.derive["data.max_tokens"] = "512 / (train.batch - 8)";
  UserRequest request = Submit{.request_id = "r", .spec = spec};
  EXPECT_NO_THROW((void)prepare(request, {}));
  EXPECT_TRUE(std::get<Submit>(request).looked);
  EXPECT_FALSE(wanted_inputs(spec).models.empty());
}

TEST(Commands, ASubmissionThatIsAskedAgainIsNotLookedAtAgain) {
  TemporaryFolder folder;
  History history(folder.path());
  history.begin();
  history.submit("tide");  // by the request tide1
  UserRequest again = Submit{.request_id = "tide1", .spec = sweep_for_tests({})};
  EXPECT_EQ(prepare(again, folder.path()), std::nullopt);
  EXPECT_FALSE(std::get<Submit>(again).looked);
}

TEST(Commands, TrialsThatAreNamedAreFoundOnTheJournalsRevisionBeforeTheCoreDecides) {
  TemporaryFolder folder;
  History history(folder.path());
  history.begin();
  const SweepSpec spec = sweep_for_tests({.name = "tide"});
  history.record(
      SweepSubmitted{.sweep = 1, .revision = 1, .request_id = "first", .spec_sha256 = "s", .spec = spec});
  const std::string id = Grid(spec).at(0)->id.text;
  UserRequest request = ControlTrials{.request_id = "r", .sweep = "tide", .trials = {.prefixes = {id, "zz"}}};
  EXPECT_EQ(prepare(request, folder.path()), std::nullopt);
  const auto& looked = std::get<ControlTrials>(request).trials.looked;
  ASSERT_TRUE(looked);
  EXPECT_EQ(looked->revision, 1);
  EXPECT_EQ(looked->trials, std::vector<int64_t>{0});
  EXPECT_THAT(looked->fault, testing::HasSubstr("\"zz\" begins no trial"));
}

TEST(Commands, TrialsOfASweepThatDoesNotResolveAreLeftToTheCoreWhichSaysWhy) {
  TemporaryFolder folder;
  History history(folder.path());
  history.begin();
  SweepSpec spec = sweep_for_tests({.name = "tide"});
  spec.blocks.at(0).derive["train.clip"] = "1 / 0";
  history.record(
      SweepSubmitted{.sweep = 1, .revision = 1, .request_id = "first", .spec_sha256 = "s", .spec = spec});
  UserRequest request = ControlTrials{.request_id = "r", .sweep = "tide", .trials = {.prefixes = {"a3"}}};
  EXPECT_EQ(prepare(request, folder.path()), std::nullopt);
  EXPECT_FALSE(std::get<ControlTrials>(request).trials.looked);
}

TEST(Commands, ASubmissionIsNoLargerThanACoordinatorTakesWhateverItSaysOfItself) {
  SweepSpec large = sweep_for_tests({});
  large.max_trials = int64_t{1} << 40;
  for (uint64_t seed = 0; large.seeds.size() < 100'000; ++seed) large.seeds.push_back(1000 + seed);
  Axis axis{.name = "train.clip", .points = {}, .when = ""};
  for (int i = 0; i < 100; ++i)
    axis.points.push_back({.label = std::to_string(i), .set = {{"train.clip", static_cast<double>(i)}}});
  large.blocks.at(0).axes.push_back(axis);
  const auto refused = read("/api/v1/sweeps", {{"request_id", "r"}, {"spec", to_json(large)}});
  EXPECT_EQ(std::get<ApiResponse>(refused).status, 400);
  EXPECT_THAT(std::get<ApiResponse>(refused).body, testing::HasSubstr("up to 1,000,000 trials"));
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
  EXPECT_EQ(status("/api/v1/workers/never-heard/revoke", {.scope = Scope::admin}), 200);
  const auto said = [&](const std::string& path) {
    return refuse_command(command_at(path), {.scope = Scope::admin}, picture)->body;
  };
  EXPECT_THAT(said("/api/v1/sweeps/ebb/cancel"), HasSubstr("`ranktide status` lists them"));
  EXPECT_THAT(said("/api/v1/workers/gpu04/drain"), HasSubstr("`ranktide worker list` names them"));
}

TEST(Commands, AnswersHaveTheirStatus) {
  EXPECT_EQ(parse_json(response_of(Answer{Submitted{3, 2}}).body), (Json{{"number", 3}, {"revision", 2}}));
  const Submitted waits{3, 2, {{.from = "trial:a3f9", .worker = WorkerName{"n1"}}}};
  EXPECT_EQ(parse_json(response_of(Answer{waits}).body).at("away"),
            (Json{{{"from", "trial:a3f9"}, {"worker", "n1"}}}));
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

}  // namespace
}  // namespace ranktide
