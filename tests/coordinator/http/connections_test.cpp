// Connections that ask nothing, and more of them than there is room for.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

#include "tests/coordinator/http/served.h"

namespace ranktide {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int kRoom = 64;

std::vector<std::unique_ptr<Conversation>> connect_many(uint16_t port, int count) {
  std::vector<std::unique_ptr<Conversation>> out;
  for (int i = 0; i < count; ++i) out.push_back(std::make_unique<Conversation>(port));
  return out;
}

TEST(Connections, SilentOnesKeepNobodyOut) {
  Served served;
  const auto silent = connect_many(served.port(), kRoom);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(served.get("/livez").status, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s) << "it waited until one was too slow";
}

TEST(Connections, TheOneThatWaitedLongestGivesWay) {
  Served served;
  const auto silent = connect_many(served.port(), kRoom);
  EXPECT_EQ(served.get("/livez").status, 200);
  const std::string question = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
  silent.front()->say(question);
  EXPECT_EQ(silent.front()->hear_until("beat_age_ms"), "");
  silent.back()->say(question);
  EXPECT_THAT(silent.back()->hear_until("beat_age_ms"), StartsWith("HTTP/1.1 200"));
}

// A refused connection lingers until its peer has read: with all room taken by such, one more is told why.
TEST(Connections, WhereAllAreBusyOneMoreIsToldSo) {
  Served served;
  const auto busy = connect_many(served.port(), kRoom);
  for (const auto& talk : busy) talk->say("GET\r\n\r\n");
  for (const auto& talk : busy) EXPECT_THAT(talk->hear_until("\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  const Told told = served.get("/livez");
  EXPECT_EQ(told.status, 503);
  EXPECT_THAT(told.body, HasSubstr("ask again"));
}

double processor_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// No number for a descriptor is left but one.
class OneDescriptorLeft {
 public:
  OneDescriptorLeft() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = dup(0);
    close(next);
    const rlimit low{.rlim_cur = static_cast<rlim_t>(next) + 1, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
  }
  ~OneDescriptorLeft() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(Connections, WithoutDescriptorsTheServerWaitsRatherThanSpins) {
  Served served;
  ASSERT_EQ(served.get("/livez").status, 200);
  std::unique_ptr<Conversation> talk;
  double spent = 0;
  {
    const OneDescriptorLeft scarce;
    talk = std::make_unique<Conversation>(served.port());
    const double before = processor_ms();
    std::this_thread::sleep_for(600ms);
    spent = processor_ms() - before;
  }
  EXPECT_LT(spent, 200);
  talk->say("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(talk->hear_until("beat_age_ms"), StartsWith("HTTP/1.1 200"))
      << "it is served once there are some";
}

}  // namespace
}  // namespace ranktide
