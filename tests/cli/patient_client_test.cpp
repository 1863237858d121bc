#include "cli/patient_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "coordinator/edge/http_server.h"
#include "coordinator/edge/serve.h"
#include "tests/cli/peers.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Clock = std::chrono::steady_clock;

// A coordinator whose HTTP comes and goes, elsewhere each time, and a client that stays.
class Patient : public testing::Test {
 protected:
  Patient() { serve(); }

  void serve() {
    server_.emplace(HttpServerConfig{.data_folder = data()}, coordinator_.mailbox());
    address_ = server_->address();
  }
  std::filesystem::path data() const { return folder_.path() / "data"; }
  PatientClient client(Patience patience) {
    patience.pause = 20ms;
    patience.say = [this](const std::string& line) { said_.push_back(line); };
    return PatientClient([this] { return client_of_folder(data()); }, patience);
  }

  TemporaryFolder folder_;
  CoordinatorService coordinator_{{.data_folder = folder_.path() / "data"}};
  std::optional<HttpServer> server_;
  HttpAddress address_;
  std::vector<std::string> said_;
};

TEST_F(Patient, GoesOnWhenTheCoordinatorIsBackAtAnotherPortAndSaysOnceThatItWaits) {
  PatientClient patient = client({.limit = 60s});
  ASSERT_EQ(patient.get("/livez")->status, 200u);
  const std::string before = patient.url();
  server_.reset();
  std::thread restart([&] {
    std::this_thread::sleep_for(300ms);
    serve();
  });
  const auto answer = patient.get("/livez");
  restart.join();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200u);
  EXPECT_THAT(said_, ElementsAre("waiting for the coordinator at " + before));
}

TEST_F(Patient, TheCommandsOwnLimitHolds) {
  PatientClient patient = client({.limit = 60s});
  ASSERT_TRUE(patient.get("/livez").has_value());
  server_.reset();
  patient.patience().until = Clock::now() + 200ms;
  const auto begin = Clock::now();
  EXPECT_FALSE(patient.get("/livez").has_value());
  EXPECT_LT(Clock::now() - begin, 5s);
}

TEST_F(Patient, TheCommandsOwnLimitHoldsAgainstASilentPeerToo) {
  const SilentPeer silent;
  std::optional<HttpClient> chosen = client_of_folder(data());
  PatientClient patient([&] { return chosen; }, {.limit = 60s, .pause = 20ms});
  ASSERT_TRUE(patient.get("/livez").has_value());
  chosen.emplace(silent.url());
  patient.patience().until = Clock::now() + 200ms;
  const auto begin = Clock::now();
  EXPECT_FALSE(patient.get("/livez").has_value());
  EXPECT_LT(Clock::now() - begin, 10s);
}

TEST_F(Patient, EndsWithTheCodeOfUnreachable) {
  PatientClient patient = client({.limit = 200ms});
  ASSERT_TRUE(patient.get("/livez").has_value());
  server_.reset();
  try {
    patient.get("/livez");
    FAIL() << "nobody is there";
  } catch (const CommandError& error) {
    EXPECT_EQ(error.code, kUnreachable);
    EXPECT_THAT(error.what(), HasSubstr("has not answered for 0.2 s"));
  }
}

TEST_F(Patient, SaysOfAnAnswerThatWasCutThatItWas) {
  const SlowPeer peer({"HTTP/1.1 200 OK\r\nServer: ranktide\r\nContent-Length: 6\r\n\r\nabc"}, 0ms);
  std::optional<HttpClient> chosen = client_of_folder(data());
  PatientClient patient([&] { return chosen; },
                        {.limit = 200ms, .say = [this](const std::string& line) { said_.push_back(line); }});
  ASSERT_TRUE(patient.get("/livez").has_value());
  chosen.emplace(peer.url(), "", HttpLimits{.connect = 2s, .silence = 2s});
  EXPECT_THROW(patient.get("/livez"), CommandError);
  EXPECT_THAT(said_, ElementsAre(HasSubstr("was cut off")));
}

TEST_F(Patient, IsAsQuickAsAnyCommandWhereItWasNeverAnswered) {
  server_.reset();
  PatientClient patient([] { return std::optional(HttpClient({.host = "127.0.0.1", .port = "1"})); },
                        {.limit = 600s, .say = [this](const std::string& line) { said_.push_back(line); }});
  const auto begin = Clock::now();
  EXPECT_THROW(patient.get("/livez"), CommandError);
  EXPECT_LT(Clock::now() - begin, 10s);
  EXPECT_THAT(said_, IsEmpty());
}

}  // namespace
}  // namespace ranktide::cli
