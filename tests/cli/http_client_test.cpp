// What a client makes of peers that do not answer.

#include "cli/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/request.h"
#include "tests/cli/peers.h"

namespace ranktide::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

constexpr HttpLimits kShort{.connect = 300ms, .silence = 300ms};

TEST(HttpClient, APeerThatTakesTheConnectionAndStaysSilentIsGivenUp) {
  const SilentPeer peer;
  const HttpClient client(peer.url(), "", kShort);
  const auto begin = Clock::now();
  EXPECT_THROW(client.get("/livez"), Unanswered);
  EXPECT_LT(Clock::now() - begin, 10s);
}

TEST(HttpClient, ASilentPeerIsAskedOnceAndHasTheCodeOfUnreachable) {
  const SilentPeer peer;
  const HttpClient client(peer.url(), "", {.connect = 5s, .silence = 5s});
  const auto begin = Clock::now();
  try {
    get_body(client, "/api/v1/sweeps");
    FAIL() << "it cannot have been answered";
  } catch (const CommandError& error) {
    EXPECT_EQ(error.code, kUnreachable);
    EXPECT_THAT(error.what(), HasSubstr("nobody answered at " + peer.url().text() + " for 5 s"));
  }
  EXPECT_LT(Clock::now() - begin, 15s) << "asked again, it would only take as long again";
}

TEST(HttpClient, AnAddressThatSwallowsConnectionsIsGivenUp) {
  SilentPeer peer(0);
  peer.fill_queue();
  const HttpClient client(peer.url(), "", {.connect = 300ms, .silence = 60s});
  const auto begin = Clock::now();
  EXPECT_THROW(client.get("/livez"), Unanswered);
  EXPECT_LT(Clock::now() - begin, 10s);
}

TEST(HttpClient, ASilentPeerIsGivenUpOverTlsToo) {
  const SilentPeer peer;
  Url url = peer.url();
  url.is_tls = true;
  EXPECT_THROW(HttpClient(url, "", kShort).get("/livez"), Unanswered);
}

TEST(HttpClient, AnAnswerThatKeepsComingMayTakeLongerThanASilence) {
  const std::string head = "HTTP/1.1 200 OK\r\nServer: ranktide\r\nContent-Length: 6\r\n\r\n";
  const SlowPeer peer({head.substr(0, 20), head.substr(20), "ab", "cd", "ef"}, 800ms);
  const auto answer = HttpClient(peer.url(), "", {.connect = 10s, .silence = 3s}).get("/livez");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "abcdef");
}

TEST(HttpClient, AnotherProgramOnThePortIsNobody) {
  const SlowPeer peer({"HTTP/1.1 200 OK\r\nServer: other\r\nContent-Length: 0\r\n\r\n"}, 0ms);
  EXPECT_FALSE(HttpClient(peer.url()).get("/livez").has_value());
}

TEST(HttpClient, ACoordinatorIsKnownBehindAProxyThatNamesItselfInServer) {
  const SlowPeer peer({"HTTP/1.1 200 OK\r\nServer: nginx\r\nRanktide-Api: 1\r\nContent-Length: 2\r\n\r\nok"},
                      0ms);
  EXPECT_EQ(HttpClient(peer.url()).get("/livez").value().body, "ok");
}

TEST(HttpClient, AnAnswerThatEndsEarlyIsSaidToBeCutOff) {
  const SlowPeer peer({"HTTP/1.1 200 OK\r\nServer: ranktide\r\nContent-Length: 6\r\n\r\n", "abc"}, 0ms);
  try {
    HttpClient(peer.url()).get("/livez");
    FAIL() << "half an answer is none";
  } catch (const CutOff& error) {
    EXPECT_EQ(error.code, kUnreachable);
    EXPECT_THAT(error.what(), HasSubstr("the answer from " + peer.url().text() + " was cut off"));
  }
}

TEST(HttpClient, AProgramThatSpeaksNoHttpIsNobody) {
  const SlowPeer peer({"220 mail.example ESMTP\r\n"}, 0ms);
  EXPECT_FALSE(HttpClient(peer.url()).get("/livez").has_value());
}

TEST(HttpClient, WaitsLongerThanACoordinatorThinks) {
  EXPECT_GT(HttpLimits{}.silence, 30s) << "the coordinator says itself when it gives up";
}

}  // namespace
}  // namespace ranktide::cli
