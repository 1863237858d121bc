#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/edge/api.h"
#include "coordinator/edge/http_server.h"
#include "coordinator/edge/query_attempts.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

namespace asio = boost::asio;
using testing::HasSubstr;
using testing::StartsWith;

// ---- api.h: what is answered

class Api : public testing::Test {
 protected:
  Api() {
    History h(folder_.path());
    h.begin();
    h.submit("tide");
    trial_ = h.ran({.rank = 4}, 1.0, 3.0).id.text;
    h.listed();
  }
  ApiResponse get(const std::string& target) const { return answer_request(folder_.path(), "GET", target); }

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

TEST_F(Api, ListsSweepsAndTrials) {
  EXPECT_EQ(from_json<std::vector<SweepStatus>>(parse_json(get("/api/v1/sweeps").body)).at(0).name, "tide");
  EXPECT_EQ(parse_json(get("/api/v1/trials?prefix=" + trial_.substr(0, 8)).body), Json::array({trial_}));
  const auto attempts =
      from_json<std::vector<TrialAttempt>>(parse_json(get("/api/v1/attempts?trial=" + trial_).body));
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0].worker, "w1");
}

TEST_F(Api, SaysWhatIsWrongWithTheStatusThatFits) {
  EXPECT_EQ(get("/api/v1/query?sweep=ebb").status, 404);
  EXPECT_EQ(get("/api/v1/query?sweep=tide&where=rank%20%3E").status, 400);
  EXPECT_EQ(get("/api/v1/query?sweep=tide&format=xml").status, 400);
  EXPECT_EQ(get("/api/v1/query?sweep=%4").status, 400);
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(answer_request(folder_.path(), "POST", "/api/v1/query").status, 405);
}

TEST(Target, ComesBackFromItsEscapes) {
  const std::string odd = "a b&c=d%/ü+";
  const Target target = parse_target("/p?x=" + percent_encode(odd) + "&x=2&y");
  EXPECT_EQ(target.path, "/p");
  EXPECT_EQ(target.arguments.find("x")->second, odd);
  EXPECT_EQ(target.arguments.count("x"), 2u);
  EXPECT_EQ(target.arguments.find("y")->second, "");
}

// ---- http_server.h: over a socket

std::string converse(uint16_t port, const std::string& request) {
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  socket.connect({asio::ip::address_v4::loopback(), port});
  boost::system::error_code end;  // the server closes after `Connection: close`, or when it refuses
  asio::write(socket, asio::buffer(request), end);
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), end);
  return answer;
}

std::string get_from(uint16_t port, const std::string& target, const std::string& headers) {
  return converse(port, "GET " + target + " HTTP/1.1\r\n" + headers + "Connection: close\r\n\r\n");
}

TEST(HttpServer, AnswersOnTheAddressThatItWrites) {
  TemporaryFolder folder;
  const HttpServer server(folder.path());
  std::ifstream in(http_address_file(folder.path()));
  std::string address;
  in >> address;
  EXPECT_EQ(address, "127.0.0.1:" + std::to_string(server.port()));
  const std::string answer = get_from(server.port(), "/livez", "Host: 127.0.0.1\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Content-Security-Policy: default-src 'self'"));
}

TEST(HttpServer, RefusesAForeignHostAndAForeignOrigin) {
  TemporaryFolder folder;
  const HttpServer server(folder.path());
  EXPECT_THAT(get_from(server.port(), "/livez", "Host: evil.example\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(get_from(server.port(), "/livez", "Host: 127.0.0.1.evil.example\r\n"),
              StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(get_from(server.port(), "/livez", "Host: localhost\r\nOrigin: http://evil.example\r\n"),
              StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(get_from(server.port(), "/livez", "Host: localhost:80\r\nOrigin: http://localhost:80\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(get_from(server.port(), "/livez", ""), StartsWith("HTTP/1.1 403"));
}

TEST(HttpServer, RefusesHeadersAndBodiesOverTheirLimits) {
  TemporaryFolder folder;
  const HttpServer server(folder.path());
  const std::string long_header = "Host: localhost\r\nX: " + std::string(20'000, 'x') + "\r\n";
  EXPECT_THAT(get_from(server.port(), "/livez", long_header), StartsWith("HTTP/1.1 431"));
  const std::string big = "POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99000000\r\n\r\n";
  EXPECT_THAT(converse(server.port(), big), StartsWith("HTTP/1.1 413"));
}

TEST(HttpServer, TakesItsAddressAwayWhenItEnds) {
  TemporaryFolder folder;
  { const HttpServer server(folder.path()); }
  EXPECT_FALSE(std::filesystem::exists(http_address_file(folder.path())));
}

}  // namespace
}  // namespace ranktide
