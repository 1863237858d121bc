// Workers that knock at the real door over loopback sockets, and strangers that try to get in.

#include "coordinator/edge/enrol_door.h"

#include <chrono>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zmq.hpp>

#include "common/net/clock.h"
#include "common/net/invites.h"
#include "common/net/worker_keys.h"
#include "coordinator/edge/enrol_desk.h"
#include "tests/temporary_folder.h"
#include "worker/daemon/enrolment.h"
#include "worker/daemon/joined.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

class Door : public testing::Test {
 protected:
  std::string invite(int uses = 1) const {
    const int64_t now = wall_clock_ms();
    return add_invite(keys_ / "invites", uses, now + 60'000, now);
  }
  EnrolmentRequest request(const std::string& token, const KeyPair& keys = make_key_pair()) const {
    return {.endpoint = door_.endpoint(),
            .coordinator_key = load_key_pair(keys_, "coordinator").public_key,
            .keys = keys,
            .words = {.token = token, .name = "node", .version = "test"}};
  }
  static EnrolmentError failure_of(const EnrolmentRequest& request, Duration patience = Duration(20'000)) {
    try {
      (void)enrol(request, patience);
    } catch (const EnrolmentError& error) {
      return error;
    }
    return {EnrolmentEnd::refused, "enrolled"};
  }
  WorkerKeys table() const { return WorkerKeys(keys_ / "workers"); }

  TemporaryFolder folder_;
  std::filesystem::path keys_ = folder_.path() / "keys";
  EnrolDoor door_{{.keys_folder = keys_}};
};

TEST_F(Door, EnrolsAWorkerThatShowsItsToken) {
  const KeyPair keys = make_key_pair();
  EXPECT_EQ(enrol(request(invite(), keys), Duration(20'000)), WorkerName{"node"});
  EXPECT_EQ(table().name_of(keys.public_key), WorkerName{"node"});
}

TEST_F(Door, TellsAWorkerWhyItIsRefused) {
  const std::string token = invite();
  (void)enrol(request(token), Duration(20'000));
  const EnrolmentError used_up = failure_of(request(token));
  EXPECT_EQ(used_up.end, EnrolmentEnd::refused);
  EXPECT_THAT(used_up.what(), HasSubstr("used as often as it allows"));
  EXPECT_THAT(failure_of(request(std::string(64, '0'))).what(), HasSubstr("gave out no such token"));
}

TEST_F(Door, TellsAWorkerThatItsServerKeyIsAnothers) {
  EnrolmentRequest wrong = request(invite());
  wrong.coordinator_key = make_key_pair().public_key;
  const EnrolmentError error = failure_of(wrong);
  EXPECT_EQ(error.end, EnrolmentEnd::other_coordinator);
  EXPECT_THAT(error.what(),
              HasSubstr("does not hold the server key with fingerprint " + fingerprint(wrong.coordinator_key)));
}

TEST_F(Door, IsUnreachableWhereNobodyListens) {
  EnrolmentRequest nowhere = request(invite());
  nowhere.endpoint = "tcp://127.0.0.1:1";
  const EnrolmentError error = failure_of(nowhere, Duration(1'000));
  EXPECT_EQ(error.end, EnrolmentEnd::unreachable);
  EXPECT_THAT(error.what(), HasSubstr("no answer for 1 s"));
}

TEST_F(Door, RefusesAThousandRandomKeysAndEnrolsNone) {
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    EnrolDesk desk(keys_);
    const auto answer = desk.answer(make_key_pair().public_key,
                                    encode(EnrolMessage{Enrol{.token = std::string(64, 'a'), .name = "n"}}),
                                    boot_clock_now(), wall_clock_ms());
    const auto* refusal = answer ? std::get_if<EnrolRefused>(&*answer) : nullptr;
    if (refusal != nullptr && refusal->why == EnrolRefusal::unknown_token) ++refused;
  }
  EXPECT_EQ(refused, 1000);
  EXPECT_TRUE(table().all().empty());
}

// Whoever floods the door is told to come back, and a worker with a token gets in meanwhile by asking again.
TEST_F(Door, LetsAWorkerInDuringAFlood) {
  zmq::context_t context;
  zmq::socket_t flooder(context, zmq::socket_type::dealer);
  const KeyPair keys = make_key_pair();
  flooder.set(zmq::sockopt::linger, 0);
  flooder.set(zmq::sockopt::rcvtimeo, 100);  // a flood that outruns the door's short queues loses answers
  flooder.set(zmq::sockopt::curve_serverkey, load_key_pair(keys_, "coordinator").public_key);
  flooder.set(zmq::sockopt::curve_publickey, keys.public_key);
  flooder.set(zmq::sockopt::curve_secretkey, keys.secret_key);
  flooder.connect(door_.endpoint());
  const std::string frame = encode(EnrolMessage{Enrol{.token = std::string(64, 'b'), .name = "flood"}});
  int busy = 0, answered = 0;
  const Instant begin = boot_clock_now();
  for (int i = 0; i < 500; ++i) {
    flooder.send(zmq::buffer(frame), zmq::send_flags::none);
    zmq::message_t answer;
    if (!flooder.recv(answer, zmq::recv_flags::none)) continue;
    ++answered;
    const auto refused = std::get<EnrolRefused>(decode_enrol_message(answer.to_string_view()));
    if (refused.why == EnrolRefusal::busy) ++busy;
  }
  const double seconds = static_cast<double>((boot_clock_now() - begin).count()) / 1000;
  EXPECT_GT(answered, 0);
  EXPECT_GE(busy, answered - kEnrolBurst - 1 - static_cast<int>(seconds * kEnrolsPerSecond));
  EXPECT_EQ(enrol(request(invite()), Duration(20'000)), WorkerName{"node"});
}

TEST_F(Door, CutsWhoSendsMoreThanARequest) {
  zmq::context_t context;
  zmq::socket_t large(context, zmq::socket_type::dealer);
  const KeyPair keys = make_key_pair();
  large.set(zmq::sockopt::linger, 0);
  large.set(zmq::sockopt::rcvtimeo, 300);
  large.set(zmq::sockopt::curve_serverkey, load_key_pair(keys_, "coordinator").public_key);
  large.set(zmq::sockopt::curve_publickey, keys.public_key);
  large.set(zmq::sockopt::curve_secretkey, keys.secret_key);
  large.connect(door_.endpoint());
  large.send(zmq::buffer(std::string(1 << 20, 'x')), zmq::send_flags::none);
  zmq::message_t answer;
  EXPECT_FALSE(large.recv(answer, zmq::recv_flags::none));
  EXPECT_EQ(enrol(request(invite()), Duration(20'000)), WorkerName{"node"});
}

TEST_F(Door, SaysWhereAndWhatToDoWhenItsPortIsTaken) {
  try {
    const EnrolDoor second({.keys_folder = keys_, .endpoint = door_.endpoint()});
    FAIL() << "listens at an address in use";
  } catch (const RouterError& error) {
    EXPECT_THAT(error.what(), HasSubstr(door_.endpoint()));
    EXPECT_THAT(error.what(), HasSubstr("choose another port"));
  }
}

TEST_F(Door, IsRememberedInTheWorkersFolder) {
  EXPECT_FALSE(read_joined(folder_.path()));
  write_joined(folder_.path(),
               {.endpoint = "tcp://h:1", .coordinator_key = "k", .name = "n", .worker_key = "w"});
  EXPECT_EQ(read_joined(folder_.path())->endpoint, "tcp://h:1");
}

}  // namespace
}  // namespace ranktide
