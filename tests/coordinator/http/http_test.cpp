// The server over its socket, in front of a real coordinator.

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "coordinator/edge/client_version.h"
#include "coordinator/edge/http_server.h"
#include "tests/coordinator/http/served.h"

namespace ranktide {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::string kJson = "Content-Type: application/json\r\n";

std::string error_of(const Told& told) {
  return parse_json(told.body).value("error", "");
}

TEST(HttpServer, AnswersOnTheAddressThatItWritesAndTakesItAway) {
  Served served;
  std::ifstream in(http_address_file(served.folder()));
  std::string address;
  in >> address;
  EXPECT_EQ(address, "127.0.0.1:" + std::to_string(served.port()));
  const Told told = served.get("/livez");
  EXPECT_EQ(told.status, 200);
  EXPECT_THAT(told.head, HasSubstr("Content-Security-Policy: default-src 'self'"));
  served.end_server();
  EXPECT_FALSE(std::filesystem::exists(http_address_file(served.folder())));
}

TEST(HttpServer, IsReadyWhileEveryDoorForWorkersIsServed) {
  Served served;
  const ServiceSign files = served.coordinator().bulk_sign();
  ServiceSign enrolment;
  {
    const ServingThread ended("nobody can join any more", [](int) {});
    enrolment = ended.sign();
  }
  const auto ready = [&](const std::vector<ServiceSign>& doors) {
    const HttpServer server({.data_folder = served.folder(), .doors = doors}, served.coordinator().mailbox());
    return get_from(server.address().port, "/readyz");
  };
  EXPECT_EQ(ready({files}).status, 200);
  const Told told = ready({files, enrolment});
  EXPECT_EQ(told.status, 503);
  EXPECT_THAT(told.body, HasSubstr("nobody can join any more"));
  served.coordinator().stop();
  EXPECT_FALSE(*files.is_up);
}

TEST(HttpServer, ALargeArtifactKeepsNeitherTheClientNorTheServersEndWaiting) {
  Served served;
  const std::string trial(64, 'a');
  std::filesystem::create_directories(served.folder() / "artifacts" / trial);
  const auto file = served.folder() / "artifacts" / trial / "adapter.safetensors";
  std::ofstream(file) << "x";
  std::filesystem::resize_file(file, int64_t{64} << 30);  // with a hole; hours to hash
  const Told told = served.get("/api/v1/artifacts/" + trial);
  EXPECT_EQ(told.status, 503);
  EXPECT_THAT(told.head, HasSubstr("Retry-After: 1"));
  EXPECT_EQ(parse_json(told.body).at("bytes"), int64_t{64} << 30);
  const auto begin = std::chrono::steady_clock::now();
  served.end_server();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(HttpServer, SaysWhenItsPortIsTaken) {
  Served served;
  try {
    const HttpServer second({.data_folder = served.folder(), .address = served.server().address()},
                            served.coordinator().mailbox());
    FAIL() << "two servers on one port";
  } catch (const HttpServerError& taken) {
    EXPECT_THAT(taken.what(), HasSubstr("choose another address with --http"));
  }
}

TEST(HttpServer, ServesHealthAndMetrics) {
  Served served;
  EXPECT_EQ(served.get("/readyz").status, 200);
  const Told metrics = served.get("/metrics");
  EXPECT_THAT(metrics.head, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("ranktide_build_info{version=\"test\"} 1\n"));
  served.coordinator().stop();
  EXPECT_EQ(served.get("/readyz").status, 503);
}

TEST(HttpServer, RefusesAForeignHostAndAForeignOrigin) {
  Served served;
  EXPECT_EQ(served.get("/livez", "Host: evil.example\r\n").status, 403);
  EXPECT_EQ(served.get("/livez", "Host: localhost\r\nOrigin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(served.get("/livez", "Host: localhost:80\r\nOrigin: http://localhost:80\r\n").status, 200);
}

TEST(HttpServer, RefusesAPostFromAnotherSite) {
  Served served;
  const Json body{{"request_id", "r1"}, {"spec", to_json(sweep_for_tests({.name = "tide"}))}};
  EXPECT_EQ(served.post("/api/v1/sweeps", body, "Content-Type: text/plain\r\n").status, 415);
  EXPECT_EQ(served.post("/api/v1/sweeps", body, kJson + "Sec-Fetch-Site: cross-site\r\n").status, 403);
  EXPECT_EQ(served.post("/api/v1/sweeps", body, kJson + "Origin: http://127.0.0.1:3000\r\n").status, 403);
  EXPECT_EQ(parse_json(served.get("/api/v1/sweeps").body), Json::array());
}

TEST(HttpServer, RefusesWhatIsTooLarge) {
  Served served;
  const Told header = served.get("/livez", "X: " + std::string(10 << 20, 'x') + "\r\n");
  EXPECT_EQ(header.status, 431);
  const Conversation talk(served.port());
  talk.say("POST /api/v1/sweeps HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99000000\r\n\r\n");
  EXPECT_THAT(talk.hear_all(), StartsWith("HTTP/1.1 413"));
}

TEST(HttpServer, TellsASlowRequestThatItWasTooSlow) {
  Served served;
  const Conversation talk(served.port());
  talk.say("POST /api/v1/sweeps HTTP/1.1\r\nHost: localhost\r\n" + kJson + "Content-Length: 1000\r\n\r\n{");
  EXPECT_THAT(talk.hear_all(), StartsWith("HTTP/1.1 408"));
}

TEST(HttpServer, AnswersGarbageAndNothingWithoutHarm) {
  Served served;
  for (const std::string bytes : {"\x16\x03\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"}) {
    const Conversation talk(served.port());
    talk.say(bytes);
    EXPECT_THAT(talk.hear_until("\r\n\r\n"), StartsWith("HTTP/1.1 400")) << bytes;
  }
  { const Conversation silent(served.port()); }
  EXPECT_EQ(served.get("/api/v1/../../etc/passwd").status, 404);
  EXPECT_EQ(served.get("/api/v1/%2e%2e/%2e%2e/etc/passwd").status, 404);
  EXPECT_EQ(served.get("/%zz").status, 400);
  EXPECT_EQ(served.get("/livez").status, 200);
}

TEST(HttpServer, KeepsAConnectionForTheNextRequest) {
  Served served;
  const Conversation talk(served.port());
  for (int i = 0; i < 3; ++i) {
    talk.say("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(talk.hear_until("beat_age_ms"), StartsWith("HTTP/1.1 200"));
  }
}

// ---- commands, decided by the turn

// As `ranktide run` does it.
TEST(Commands, ASubmissionWithoutHttpIsComparedWithTheJournalToo) {
  Served served;
  SweepSpec spec = sweep_for_tests({.name = "warm"});
  const std::string nobody(64, 'a');
  spec.inputs.sources["trial:" + nobody] = {.trial = TrialId{nobody}, .stage = StageId{nobody}, .step = 4};
  const Answer answer = served.coordinator().submit({.request_id = "r", .spec = spec});
  ASSERT_TRUE(std::holds_alternative<Rejected>(answer));
  EXPECT_NE(std::get<Rejected>(answer).reason.find("no trial's id starts so"), std::string::npos);
}

TEST(Commands, ASubmittedSweepIsThereAndTheSameRequestChangesNothing) {
  Served served;
  const Told first = served.submit("tide", "r1");
  EXPECT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(parse_json(first.body), (Json{{"number", 1}, {"revision", 1}}));
  EXPECT_EQ(served.submit("tide", "r1").body, first.body);
  EXPECT_EQ(parse_json(served.get("/api/v1/sweeps?name=tide").body).at(0).at("sweep"), "tide");
  served.restart();
  EXPECT_EQ(served.submit("tide", "r1").body, first.body);
}

TEST(Commands, ASubmissionOfAnotherVersionIsRefusedByNamingBoth) {
  Served served;
  const Json body{{"request_id", "r1"}, {"spec", to_json(sweep_for_tests({.name = "tide"}))}};
  const auto said = [&](const std::string& client) {
    return served.post("/api/v1/sweeps", body, kJson + "Ranktide-Client: " + client + "\r\n");
  };
  for (const std::string wire : {"; wire=1", "; wire=0", "; wire=x", ""}) {
    const Told told = said("9.9.9" + wire);
    EXPECT_EQ(told.status, 400) << wire;
    EXPECT_THAT(error_of(told),
                testing::AllOf(HasSubstr("client is ranktide 9.9.9"), HasSubstr("coordinator ranktide test")));
  }
  EXPECT_EQ(parse_json(served.get("/api/v1/sweeps", "Ranktide-Client: 9.9.9; wire=1\r\n").body), Json::array())
      << "nothing was taken, and reads are answered";
  EXPECT_EQ(said("9.9.9; wire=" + std::to_string(kSubmitWireVersion)).status, 200);
  EXPECT_EQ(served.submit("ebb", "r2").status, 200) << "a program that names none";
  EXPECT_EQ(served
                .post("/api/v1/sweeps/tide/pause", {{"request_id", "r3"}},
                      kJson + "Ranktide-Client: 9.9.9; wire=1\r\n")
                .status,
            200);
}

TEST(Commands, ARequestIdIsForOneSpec) {
  Served served;
  served.submit("tide", "r1");
  const Told other = served.submit("ebb", "r1");
  EXPECT_EQ(other.status, 409);
  EXPECT_THAT(error_of(other), HasSubstr("new request id"));
}

TEST(Commands, ASweepIsCancelledOverHttp) {
  Served served;
  served.submit("tide", "r1");
  EXPECT_EQ(served.post("/api/v1/sweeps/tide/cancel", {{"request_id", "c1"}}).status, 200);
  EXPECT_EQ(parse_json(served.get("/api/v1/sweeps?name=tide").body).at(0).at("state"), "cancelled");
  EXPECT_EQ(served.post("/api/v1/sweeps/ebb/cancel", {{"request_id", "c2"}}).status, 404);
  EXPECT_EQ(served.post("/api/v1/sweeps/tide/cancel", Json::object()).status, 400);
}

TEST(Commands, AreRefusedWithTheirReasonWhenTheCoordinatorStops) {
  Served served;
  served.coordinator().stop();
  const Told told = served.submit("tide", "r1");
  EXPECT_EQ(told.status, 503);
  EXPECT_THAT(error_of(told), HasSubstr("same request id"));
}

// ---- tokens

TEST(TokensOverHttp, EveryRouteButHealthNeedsOneOfItsScope) {
  Served served(true);
  const std::string read = served.token("reader", Scope::read);
  const std::string submit = served.token("ann", Scope::submit);
  const std::string admin = served.token("chief", Scope::admin);
  for (const char* target : {"/livez", "/readyz"}) EXPECT_EQ(served.get(target).status, 200) << target;
  for (const char* target : {"/metrics", "/api/v1/sweeps", "/api/v1/workers", "/api/v1/events", "/none"})
    EXPECT_EQ(served.get(target).status, 401) << target;
  EXPECT_THAT(served.get("/metrics").head, HasSubstr("WWW-Authenticate: Bearer"));
  EXPECT_EQ(served.get("/metrics", read).status, 200);
  const Json drain{{"request_id", "d1"}};
  EXPECT_EQ(served.submit("tide", "r1").status, 401);
  EXPECT_EQ(served.post("/api/v1/workers/w/drain", drain, kJson + submit).status, 403);
  EXPECT_EQ(served.post("/api/v1/workers/w/drain", drain, kJson + admin).status, 404);
}

TEST(TokensOverHttp, TheTokensNameOwnsTheSweep) {
  Served served(true);
  const std::string ann = served.token("ann", Scope::submit);
  const std::string bob = served.token("bob", Scope::submit);
  const Json body{{"request_id", "r1"}, {"spec", to_json(sweep_for_tests({.name = "tide"}))}};
  EXPECT_EQ(served.post("/api/v1/sweeps", body, kJson + ann).status, 200);
  EXPECT_EQ(served.coordinator().live().sweeps.at(0).owner, "ann");
  const Told foreign = served.post("/api/v1/sweeps/tide/cancel", {{"request_id", "c"}}, kJson + bob);
  EXPECT_EQ(foreign.status, 403);
  EXPECT_THAT(error_of(foreign), HasSubstr("belongs to ann"));
  const Json theirs{{"request_id", "r2"}, {"spec", to_json(sweep_for_tests({.name = "tide", .ranks = {64}}))}};
  const Told taken = served.post("/api/v1/sweeps", theirs, kJson + bob);
  EXPECT_EQ(taken.status, 409);
  EXPECT_THAT(error_of(taken), HasSubstr("belongs to ann"));
  const std::string root = served.token("root", Scope::admin);
  EXPECT_EQ(served.post("/api/v1/sweeps", theirs, kJson + root).status, 200);
  EXPECT_EQ(served.coordinator().live().sweeps.at(0).owner, "ann") << "an admin's revision takes nothing away";
  EXPECT_EQ(served.post("/api/v1/sweeps/tide/cancel", {{"request_id", "c"}}, kJson + ann).status, 200);
}

TEST(TokensOverHttp, TheSameRetryIsDoneOnceHoweverOftenItIsAsked) {
  Served served(true);
  const std::string ann = served.token("ann", Scope::submit);
  const auto post = [&](const std::string& action, const std::string& request) {
    return served.post("/api/v1/sweeps/tide/" + action, {{"request_id", request}}, kJson + ann).status;
  };
  const Json body{{"request_id", "r1"}, {"spec", to_json(sweep_for_tests({.name = "tide"}))}};
  EXPECT_EQ(served.post("/api/v1/sweeps", body, kJson + ann).status, 200);
  EXPECT_EQ(post("cancel", "c1"), 200);
  EXPECT_EQ(post("retry", "again"), 200);
  EXPECT_EQ(post("cancel", "c2"), 200);
  EXPECT_EQ(post("retry", "again"), 200);
  EXPECT_EQ(post("retry", "r1"), 200) << "the submission's own id";
  EXPECT_EQ(served.coordinator().live().sweeps.at(0).revision, 2);
  EXPECT_EQ(post("retry", "once more"), 200);
  EXPECT_EQ(served.coordinator().live().sweeps.at(0).revision, 3);
  EXPECT_EQ(served.get("/livez").status, 200);
}

TEST(TokensOverHttp, ARevokedOneIsRefusedAtOnce) {
  Served served(true);
  const std::string ann = served.token("ann", Scope::read);
  EXPECT_EQ(served.get("/api/v1/sweeps", ann).status, 200);
  revoke_token(tokens_file(served.folder()), "ann", 0);
  const Told told = served.get("/api/v1/sweeps", ann);
  EXPECT_EQ(told.status, 401);
  EXPECT_THAT(error_of(told), HasSubstr("revoked"));
}

}  // namespace
}  // namespace ranktide
