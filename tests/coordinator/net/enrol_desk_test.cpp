#include "coordinator/edge/enrol_desk.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/net/enrol_protocol.h"
#include "common/net/invites.h"
#include "common/net/join_line.h"
#include "common/net/worker_keys.h"
#include "coordinator/edge/join_lines.h"
#include "coordinator/edge/router_error.h"
#include "tests/temporary_folder.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

constexpr int64_t kWall = 1'000'000;

class Desk : public testing::Test {
 protected:
  std::string invite(int uses = 1) const { return add_invite(keys_ / "invites", uses, kWall + 1000, kWall); }
  std::optional<EnrolMessage> ask(const std::string& key, const Enrol& enrol, int64_t wall = kWall) {
    return desk_.answer(key, encode(EnrolMessage{enrol}), now_, wall);
  }
  std::string name(const std::optional<EnrolMessage>& answer) const {
    const auto* enrolled = answer ? std::get_if<Enrolled>(&*answer) : nullptr;
    return enrolled == nullptr ? "" : enrolled->name;
  }
  EnrolRefused refusal(const std::optional<EnrolMessage>& answer) const {
    const auto* refused = answer ? std::get_if<EnrolRefused>(&*answer) : nullptr;
    if (refused == nullptr) ADD_FAILURE() << "not refused";
    return refused == nullptr ? EnrolRefused{} : *refused;
  }

  uint64_t refused(const std::string& reason) const {
    for (const RefusalCount& each : desk_.refusals())
      if (each.door == "enrol" && each.reason == reason) return *each.count;
    return 0;
  }

  TemporaryFolder folder_;
  std::filesystem::path keys_ = folder_.path() / "keys";
  EnrolDesk desk_{keys_};
  Instant now_{1'000'000};
  std::string key_ = make_key_pair().public_key;
};

TEST_F(Desk, EnrolsAKeyThatShowsAToken) {
  EXPECT_EQ(name(ask(key_, {.token = invite(), .name = "node"})), "node");
  EXPECT_EQ(WorkerKeys(keys_ / "workers").name_of(key_), WorkerName{"node"});
}

TEST_F(Desk, GivesTheSameKeyTheSameAnswerAgain) {
  const std::string token = invite();
  EXPECT_EQ(name(ask(key_, {.token = token, .name = "node"})), "node");
  EXPECT_EQ(name(ask(key_, {.token = token, .name = "node"})), "node");
}

TEST_F(Desk, FinishesWhatACrashLeftBetweenTheInviteAndTheTable) {
  const std::string token = invite();
  ASSERT_EQ(use_invite(keys_ / "invites", token, key_, kWall), InviteStanding::accepted);
  EXPECT_EQ(name(ask(key_, {.token = token, .name = "node"})), "node");
  EXPECT_EQ(refusal(ask(make_key_pair().public_key, {.token = token, .name = "node"})).why,
            EnrolRefusal::used_up);
}

TEST_F(Desk, SaysWhyATokenDoesNotCount) {
  const std::string token = invite();
  EXPECT_THAT(refusal(ask(key_, {.token = std::string(64, 'f'), .name = "node"})).text,
              HasSubstr("gave out no such token"));
  EXPECT_THAT(refusal(ask(key_, {.token = token, .name = "node"}, kWall + 1000)).text,
              HasSubstr("has expired"));
  (void)ask(make_key_pair().public_key, {.token = token, .name = "other"});
  const EnrolRefused used_up = refusal(ask(key_, {.token = token, .name = "node"}));
  EXPECT_THAT(used_up.text, HasSubstr("used as often as it allows"));
  EXPECT_THAT(used_up.text, HasSubstr("ranktide invite"));
}

TEST_F(Desk, LogsARefusalWithTheKeysFingerprintAndTheReasonWheneverTheirCountHasDoubled) {
  (void)invite();
  testing::internal::CaptureStdout();  // where the log goes
  for (int i = 0; i < 5; ++i) (void)ask(key_, {.token = std::string(64, 'f'), .name = "node"});
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_EQ(refused("unknown_token"), 5u);
  EXPECT_EQ(refused("expired"), 0u);
  EXPECT_THAT(text, testing::AllOf(HasSubstr(fingerprint(key_)), HasSubstr("gave out no such token"),
                                   HasSubstr("(4 so since the start)")));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << "the first, second and fourth";
  EXPECT_THAT(text, testing::Not(HasSubstr(std::string(64, 'f')))) << "no token in a log";
}

TEST_F(Desk, NamesBothProtocolVersionsAndSpendsNothing) {
  const std::string token = invite();
  EXPECT_THAT(refusal(ask(key_, {.token = token, .name = "node", .protocol = 99})).text,
              HasSubstr("protocol version 99, the coordinator " + std::to_string(kProtocolVersion)));
  EXPECT_EQ(name(ask(key_, {.token = token, .name = "node"})), "node");
}

TEST_F(Desk, RefusesARevokedKeyAndANameThatIsNone) {
  const std::string token = invite();
  EXPECT_EQ(refusal(ask(key_, {.token = token, .name = "../up"})).why, EnrolRefusal::bad_name);
  const EnrolRefused every = refusal(ask(key_, {.token = token, .name = "all"}));
  EXPECT_EQ(every.why, EnrolRefusal::bad_name);
  EXPECT_THAT(every.text, HasSubstr("`worker drain all` means every worker"));
  authorise_worker(keys_ / "workers", key_, WorkerName{"old"});
  revoke_worker_key(keys_ / "workers", key_);
  EXPECT_EQ(refusal(ask(key_, {.token = token, .name = "node"})).why, EnrolRefusal::revoked_key);
}

TEST_F(Desk, AnswersNothingToWhatIsNoRequest) {
  EXPECT_FALSE(desk_.answer(key_, "GET / HTTP/1.1", now_, kWall));
  EXPECT_FALSE(desk_.answer(key_, encode(EnrolMessage{Enrolled{"me"}}), now_, kWall));
  EXPECT_FALSE(desk_.answer(key_, std::string(2 * kEnrolFrameBytesMax, 'x'), now_, kWall));
}

TEST_F(Desk, LimitsAFloodAndServesAgainAfterIt) {
  const std::string token = invite();
  int looked_at = 0;
  for (int i = 0; i < 1000; ++i)
    if (refusal(ask(key_, {.token = std::string(64, 'f'), .name = "node"})).why != EnrolRefusal::busy)
      ++looked_at;
  EXPECT_EQ(looked_at, kEnrolBurst);
  EXPECT_EQ(refused("unknown_token"), static_cast<uint64_t>(kEnrolBurst));
  EXPECT_EQ(refused("busy"), static_cast<uint64_t>(1000 - kEnrolBurst));
  now_ = now_ + Duration(1'000);
  EXPECT_EQ(name(ask(key_, {.token = token, .name = "node"})), "node");
}

TEST_F(Desk, SaysThatItCannotWriteWithoutSayingMore) {
  const std::string token = invite();
  ::chmod((keys_ / "invites").c_str(), 0644);
  EXPECT_THAT(refusal(ask(key_, {.token = token, .name = "node"})).text, HasSubstr("its log says why"));
}

TEST_F(Desk, TakesTheTokenOfAJoinLine) {
  const JoinAddresses addresses{.host = "head", .link_port = 1, .enrol_port = 2};
  const JoinLine line = parse_join_line(new_join_line(folder_.path(), addresses, 1, Duration(60'000)));
  EXPECT_EQ(line.server_key, load_key_pair(keys_, "coordinator").public_key);
  EXPECT_EQ(line.enrol_port, 2);
  EXPECT_EQ(use_invite(keys_ / "invites", line.token, key_, 0), InviteStanding::accepted);
}

TEST_F(Desk, InvitesByItselfAtTheFirstStartOnly) {
  const JoinAddresses addresses{.host = "head", .link_port = 1, .enrol_port = 2};
  EXPECT_TRUE(first_join_line(folder_.path(), addresses));
  EXPECT_FALSE(first_join_line(folder_.path(), addresses));
}

TEST_F(Desk, InvitesByItselfAlsoWhereRunOrAuthoriseLetAWorkerInBefore) {
  make_keys_folder(keys_);
  authorise_worker(keys_ / "workers", key_, WorkerName{"local"});
  EXPECT_TRUE(first_join_line(folder_.path(), {.host = "head", .link_port = 1, .enrol_port = 2}));
}

TEST(JoinAddressesOf, TakeTheLinksHostUnlessItStandsForAll) {
  EXPECT_EQ(join_addresses("tcp://10.0.0.7:5555", "tcp://10.0.0.7:5556").host, "10.0.0.7");
  EXPECT_EQ(join_addresses("tcp://[fe80::1]:5555", "tcp://[fe80::1]:5556").host, "fe80::1");
  EXPECT_EQ(join_addresses("tcp://0.0.0.0:5555", "tcp://0.0.0.0:5556", "head").host, "head");
  EXPECT_NE(join_addresses("tcp://0.0.0.0:5555", "tcp://0.0.0.0:5556").host, "0.0.0.0");
  EXPECT_THROW((void)join_addresses("ipc://x", "tcp://a:1"), RouterError);
  EXPECT_THROW((void)join_addresses("tcp://0.0.0.0:5555", "tcp://0.0.0.0:5556", "a/b"), RouterError);
  EXPECT_EQ(enrol_endpoint_beside("tcp://a:5555"), "tcp://a:5556");
  EXPECT_EQ(enrol_endpoint_beside("tcp://a:*"), "tcp://a:*");
}

TEST(JoinAddressesOf, AreKeptInTheDataFolder) {
  const TemporaryFolder folder;
  EXPECT_FALSE(read_join_addresses(folder.path()));
  write_join_addresses(folder.path(), {.host = "head", .link_port = 1, .enrol_port = 2});
  EXPECT_EQ(read_join_addresses(folder.path())->enrol_port, 2);
  write_join_addresses(folder.path(), {.host = "a/b", .link_port = 1, .enrol_port = 2});
  EXPECT_THROW((void)read_join_addresses(folder.path()), KeyError);
}

}  // namespace
}  // namespace ranktide
