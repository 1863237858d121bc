// Changes as they happen: the stream that resumes from a record's number.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

#include "common/net/clock.h"
#include "coordinator/edge/event_feed.h"
#include "coordinator/edge/store.h"
#include "tests/coordinator/http/served.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A client of the stream that has been told the head.
std::unique_ptr<Conversation> follow(const Served& served, const std::string& headers = "") {
  auto talk = std::make_unique<Conversation>(served.port());
  talk->say("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
  return talk;
}

TEST(EventStream, TellsWhatHappensFromNowOn) {
  Served served;
  served.submit("before", "r1");
  const auto talk = follow(served);
  EXPECT_THAT(talk->hear_until("event: position\n"),
              AllOf(HasSubstr("Content-Type: text/event-stream"), HasSubstr("X-Accel-Buffering: no")));
  served.submit("tide", "r2");
  const std::string heard = talk->hear_until("\"tide\"");
  EXPECT_THAT(heard, AllOf(HasSubstr("event: SweepSubmitted"), HasSubstr("\"sweeps\":[\"tide\"]"),
                           Not(HasSubstr("\"before\""))));
}

TEST(EventStream, ResumesAfterTheLastIdEvenAcrossARestart) {
  Served served;
  served.submit("first", "r1");
  served.submit("second", "r2");
  served.restart();
  // Record 1 is the first epoch; 2 is the submission of "first".
  const std::string heard = follow(served, "Last-Event-ID: 2\r\n")->hear_until("\"second\"");
  EXPECT_THAT(heard, AllOf(HasSubstr("id: 3\n"), Not(HasSubstr("id: 2\n")), Not(HasSubstr("\"first\"")),
                           Not(HasSubstr("event: position"))));
}

TEST(EventStream, APlaceCanStandInTheTarget) {
  Served served;
  served.submit("first", "r1");
  const Conversation talk(served.port());
  talk.say("GET /api/v1/events?after=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(talk.hear_until("\"first\""), HasSubstr("id: 2\n"));
}

TEST(EventStream, APlaceOfAnotherJournalIsToldWhereThisOneStands) {
  Served served;
  EXPECT_THAT(follow(served, "Last-Event-ID: 999999\r\n")->hear_until("position"), HasSubstr("id: 1\n"));
  EXPECT_EQ(served.get("/api/v1/events", "Last-Event-ID: x\r\n").status, 400);
}

TEST(EventStream, HasRoomForSoManyAndNoMore) {
  Served served;
  std::vector<std::unique_ptr<Conversation>> followers;
  for (size_t i = 0; i < EventFeed::kStreamsMax; ++i) {
    followers.push_back(follow(served));
    ASSERT_THAT(followers.back()->hear_until("retry"), HasSubstr("200 OK")) << i;
  }
  EXPECT_EQ(served.get("/api/v1/events").status, 503);
  followers.pop_back();  // its end is noticed without anything being said
  for (int i = 0;
       i < 600 && served.get("/metrics").body.find("ranktide_event_streams 199\n") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  EXPECT_THAT(follow(served)->hear_until("retry"), HasSubstr("200 OK"));
}

// So many records that no socket's buffers hold them.
void fill_journal(Served& served) {
  served.end();
  std::vector<Record> epochs;
  for (uint64_t epoch = 2; epoch < 100'000; ++epoch) epochs.push_back(EpochStarted{.epoch = epoch});
  Store(served.folder(), Store::Open::existing).commit(epochs, {}, 1);
  served.restart();
}

TEST(EventStream, OneThatTakesNothingForTenSecondsIsDroppedAndTheOthersAreServed) {
  Served served;
  fill_journal(served);
  const auto slow = follow(served, "Last-Event-ID: 0\r\n");
  const auto quick = follow(served, "Last-Event-ID: 0\r\n");
  EXPECT_THAT(quick->hear_until("id: 100000\n", std::chrono::seconds{300}), HasSubstr("id: 1\n"));
  bool is_dropped = false;
  for (int i = 0; i < 1200 && !is_dropped; ++i) {
    is_dropped = served.get("/metrics").body.find("ranktide_event_streams 1\n") != std::string::npos;
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
  EXPECT_TRUE(is_dropped);
  EXPECT_THAT(quick->hear_until(": ping\n\n"), HasSubstr(": ping\n\n"));  // so that no proxy takes it for dead
}

TEST(EventStream, TellsThatAnOwnersSlotsAreLimited) {
  Served served;
  const auto talk = follow(served);
  talk->hear_until("position");
  add_token(tokens_file(served.folder()), {.name = "ann", .max_slots = 3}, 0);
  EXPECT_THAT(talk->hear_until("\"max_slots\":3"), HasSubstr("event: QuotaSet"));
}

TEST(EventStream, EndsWithItsToken) {
  Served served(true);
  const auto ann = follow(served, served.token("ann", Scope::read));
  const auto bob = follow(served, served.token("bob", Scope::read));
  const std::string brief = add_token(
      tokens_file(served.folder()), {.name = "brief", .expires_ms = wall_clock_ms() + 10'000}, wall_clock_ms());
  const auto expiring = follow(served, "Authorization: Bearer " + brief + "\r\n");
  for (const auto* talk : {&ann, &bob, &expiring})
    ASSERT_THAT((*talk)->hear_until("position"), HasSubstr("200 OK"));
  revoke_token(tokens_file(served.folder()), "ann", wall_clock_ms());
  const auto begin = std::chrono::steady_clock::now();
  ann->hear_all(std::chrono::seconds{60});
  expiring->hear_all(std::chrono::seconds{60});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{40}) << "cut, not silent";
  served.coordinator().submit({.request_id = "r1", .spec = sweep_for_tests({.name = "tide"})});
  EXPECT_THAT(bob->hear_until("\"tide\""), HasSubstr("event: SweepSubmitted")) << "the others go on";
}

// The mailbox was full when the tokens were read, and the limit was never told again.
TEST(Quotas, AreToldAgainWhenTheMailboxHadNoRoom) {
  const TemporaryFolder folder;
  add_token(tokens_file(folder.path()), {.name = "ann", .max_slots = 3}, 0);
  Mailbox mailbox(1);
  while (mailbox.tell(Wake{})) {
  }
  const HttpServer server({.data_folder = folder.path()}, mailbox);
  for (const Input& input : mailbox.take()) EXPECT_FALSE(std::holds_alternative<SetQuota>(input));
  EXPECT_EQ(get_from(server.address().port, "/metrics").status, 200);
  const auto told = mailbox.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(std::get<SetQuota>(told[0]).max_slots, 3);
}

TEST(EventStream, EndsWhenTheServerStopsAccepting) {
  Served served;
  const auto talk = follow(served);
  talk->hear_until("position");
  served.server().stop_accepting();
  EXPECT_EQ(talk->hear_all(std::chrono::seconds{5}), "");
}

}  // namespace
}  // namespace ranktide
