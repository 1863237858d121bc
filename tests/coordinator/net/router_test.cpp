#include "coordinator/edge/router.h"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <zmq.hpp>

#include "common/net/clock.h"
#include "common/net/socket_options.h"
#include "common/net/worker_keys.h"
#include "tests/temporary_folder.h"
#include "worker/daemon/link.h"

namespace ranktide {
namespace {

constexpr int kNoDoorbell = -1;

// A router, and links to it, all driven by this thread.
class Gate : public testing::Test {
 protected:
  Gate() { open("tcp://127.0.0.1:*"); }

  void open(const std::string& endpoint) {
    router_.reset();
    router_ =
        std::make_unique<Router>(RouterConfig{.endpoint = endpoint, .keys = keys_, .worker_keys = table_});
  }
  KeyPair enrol(const std::string& name) const {
    KeyPair keys = make_key_pair();
    authorise_worker(table_, keys.public_key, WorkerName{name});
    return keys;
  }
  std::unique_ptr<Link> link(const KeyPair& keys) const { return link(keys, keys_.public_key); }
  std::unique_ptr<Link> link(const KeyPair& keys, const std::string& coordinator_key) const {
    return std::make_unique<Link>(
        LinkConfig{.endpoint = router_->endpoint(), .coordinator_key = coordinator_key, .keys = keys});
  }

  // Lets everything run until `done` or the time is up. Returns: done.
  bool run(const std::vector<Link*>& links, const std::function<bool()>& done,
           Duration limit = Duration(20'000)) {
    const Instant end = boot_clock_now() + limit;
    while (!done()) {
      if (boot_clock_now() > end) return false;
      router_->wait(Duration(5), kNoDoorbell);
      while (auto message = router_->receive()) received_.push_back(std::move(*message));
      for (Link* each : links) {
        std::vector<pollfd> nothing;
        each->wait(Duration(1), nothing);
        for (LinkEvent& event : each->take_events()) events_[each].push_back(std::move(event));
      }
    }
    return true;
  }
  template <class Event>
  long count(Link* link) {
    const auto& seen = events_[link];
    return std::count_if(seen.begin(), seen.end(),
                         [](const LinkEvent& e) { return std::holds_alternative<Event>(e); });
  }
  bool bring_up(Link* link) {
    return run({link}, [&] { return count<LinkUp>(link) > count<LinkDown>(link); });
  }

  TemporaryFolder folder_;
  std::filesystem::path table_ = folder_.path() / "workers";
  KeyPair keys_ = make_key_pair();
  std::unique_ptr<Router> router_;
  std::vector<FromWorker> received_;
  std::map<Link*, std::vector<LinkEvent>> events_;
};

// A client that may do what our own link never does.
class RawClient {
 public:
  RawClient() : dealer(context_, zmq::socket_type::dealer) { dealer.set(zmq::sockopt::linger, 0); }
  void secure(const KeyPair& keys, const std::string& server_key) {
    dealer.set(zmq::sockopt::curve_serverkey, server_key);
    dealer.set(zmq::sockopt::curve_publickey, keys.public_key);
    dealer.set(zmq::sockopt::curve_secretkey, keys.secret_key);
  }
  void send(const std::vector<std::string>& frames) {
    for (size_t i = 0; i < frames.size(); ++i)
      dealer.send(zmq::buffer(frames[i]),
                  i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }

 private:
  zmq::context_t context_{1};

 public:
  zmq::socket_t dealer;
};

std::vector<std::string> hello(const std::string& boot) {
  const Frames frames = encode(WorkerMessage{Hello{.boot = boot}}, 0);
  return {frames.header, frames.body};
}

TEST_F(Gate, AdmitsAnEnrolledKeyAndNamesItsWorker) {
  const auto w1 = link(enrol("w1"));
  ASSERT_TRUE(bring_up(w1.get()));
  ASSERT_TRUE(w1->send(Hello{.boot = "b"}, 0));
  ASSERT_TRUE(run({w1.get()}, [&] { return !received_.empty(); }));
  EXPECT_EQ(received_[0].sender, WorkerName{"w1"});
  ASSERT_TRUE(router_->send({WorkerName{"w1"}, Welcome{.boot = "b"}}, 5));
  ASSERT_TRUE(run({w1.get()}, [&] { return count<LinkMessage>(w1.get()) == 1; }));
  EXPECT_EQ(std::get<LinkMessage>(events_[w1.get()].back()).epoch, 5U);
}

TEST_F(Gate, RefusesAKeyThatIsInNoTableUntilItIsEnrolled) {
  const KeyPair keys = make_key_pair();
  const auto late = link(keys);
  ASSERT_TRUE(run({late.get()}, [&] { return router_->counters().handshakes_refused > 0; }));
  EXPECT_EQ(count<LinkUp>(late.get()), 0);
  EXPECT_FALSE(late->send(Hello{.boot = "b"}, 0));
  authorise_worker(table_, keys.public_key, WorkerName{"late"});
  EXPECT_TRUE(run(
      {late.get()}, [&] { return count<LinkUp>(late.get()) == 1; }, Duration(30'000)));
}

TEST_F(Gate, RefusesARevokedKey) {
  const KeyPair keys = enrol("w1");
  revoke_worker_key(table_, keys.public_key);
  const auto w1 = link(keys);
  ASSERT_TRUE(run({w1.get()}, [&] { return router_->counters().handshakes_refused > 0; }));
  EXPECT_FALSE(run(
      {w1.get()}, [&] { return count<LinkUp>(w1.get()) > 0; }, Duration(300)));
}

TEST_F(Gate, DropsWhatAKeySaysThatWasRevokedWhileConnected) {
  const KeyPair keys = enrol("w1");
  const auto w1 = link(keys);
  ASSERT_TRUE(bring_up(w1.get()));
  revoke_worker_key(table_, keys.public_key);
  ASSERT_TRUE(run({w1.get()}, [&] { return !router_->take_revoked().empty(); }));
  ASSERT_TRUE(w1->send(Hello{.boot = "b"}, 0));
  ASSERT_TRUE(run({w1.get()}, [&] { return router_->counters().unauthorised == 1; }));
  EXPECT_TRUE(received_.empty());
}

TEST_F(Gate, TellsAConnectedWorkerThatItsKeyWasRevoked) {
  const KeyPair keys = enrol("w1");
  const auto w1 = link(keys);
  ASSERT_TRUE(bring_up(w1.get()));
  ASSERT_TRUE(w1->send(Hello{.boot = "b"}, 0));
  ASSERT_TRUE(run({w1.get()}, [&] { return !received_.empty(); }));
  revoke_worker_key(table_, keys.public_key);
  EXPECT_TRUE(run(
      {w1.get()}, [&] { return count<LinkRevoked>(w1.get()) > 0; }, Duration(30'000)));
  EXPECT_EQ(router_->take_revoked(), std::vector{WorkerName{"w1"}});
  EXPECT_TRUE(router_->take_revoked().empty());
  EXPECT_FALSE(router_->send({WorkerName{"w1"}, Welcome{.boot = "b"}}, 1));
}

TEST_F(Gate, CutsAConnectedWorkerWhenItsKeyExpiresAndLetsItInAgainWhenThatIsRenewed) {
  const KeyPair keys = make_key_pair();
  authorise_worker(table_, keys.public_key, WorkerName{"w1"}, wall_clock_ms() + 10'000);
  const auto w1 = link(keys);
  ASSERT_TRUE(bring_up(w1.get()));
  ASSERT_TRUE(w1->send(Hello{.boot = "b"}, 0));
  ASSERT_TRUE(run({w1.get()}, [&] { return !received_.empty(); }));
  EXPECT_TRUE(router_->take_revoked().empty());
  EXPECT_TRUE(run(
      {w1.get()}, [&] { return count<LinkExpired>(w1.get()) > 0; }, Duration(60'000)));
  EXPECT_EQ(count<LinkRevoked>(w1.get()), 0);
  EXPECT_EQ(router_->take_revoked(), std::vector{WorkerName{"w1"}}) << "others get what it ran";
  const auto again = link(keys);
  ASSERT_TRUE(run({again.get()}, [&] { return count<LinkExpired>(again.get()) > 0; })) << "at the handshake";
  authorise_worker(table_, keys.public_key, WorkerName{"w1"});
  const auto renewed = link(keys);
  EXPECT_TRUE(bring_up(renewed.get()));
}

TEST_F(Gate, NamesAtItsStartWhoWasRevokedMeanwhile) {
  revoke_worker_key(table_, enrol("w1").public_key);
  (void)enrol("w2");
  open("tcp://127.0.0.1:*");
  EXPECT_EQ(router_->take_revoked(), std::vector{WorkerName{"w1"}});
}

TEST_F(Gate, AWorkerThatChangedItsKeyIsNotCutWithTheOldOne) {
  const KeyPair old = enrol("w1");
  const auto first = link(old);
  ASSERT_TRUE(bring_up(first.get()));
  ASSERT_TRUE(first->send(Hello{.boot = "a"}, 0));
  const auto second = link(enrol("w1"));
  ASSERT_TRUE(bring_up(second.get()));
  ASSERT_TRUE(second->send(Hello{.boot = "b"}, 0));
  ASSERT_TRUE(run({first.get(), second.get()}, [&] { return received_.size() == 2; }));
  revoke_worker_key(table_, old.public_key);
  ASSERT_TRUE(run({first.get(), second.get()}, [&] { return count<LinkRevoked>(first.get()) > 0; }));
  EXPECT_TRUE(router_->take_revoked().empty());
  EXPECT_TRUE(router_->send({WorkerName{"w1"}, Welcome{.boot = "b"}}, 1));
}

TEST_F(Gate, RefusesAThousandRandomKeys) {
  constexpr int kAtOnce = 50;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<RawClient>> strangers;
    for (int i = 0; i < kAtOnce; ++i) {
      strangers.push_back(std::make_unique<RawClient>());
      strangers.back()->secure(make_key_pair(), keys_.public_key);
      strangers.back()->dealer.connect(router_->endpoint());
      strangers.back()->send(hello("b"));
    }
    const auto wanted = static_cast<uint64_t>((round + 1) * kAtOnce);
    ASSERT_TRUE(run({}, [&] { return router_->counters().handshakes_refused >= wanted; }));
  }
  EXPECT_TRUE(received_.empty());
}

// It could not be understood and would wait for ever; a header of ours lets its own log name both versions.
TEST_F(Gate, AnswersAWorkerOfAnotherProtocolVersionWithItsOwn) {
  RawClient client;
  client.secure(enrol("w1"), keys_.public_key);
  client.dealer.set(zmq::sockopt::rcvtimeo, 0);
  client.dealer.connect(router_->endpoint());
  std::vector<std::string> later = hello("b");
  later[0][4] = 99;
  client.send(later);
  zmq::message_t header;
  ASSERT_TRUE(run({}, [&] { return client.dealer.recv(header, zmq::recv_flags::none).has_value(); }));
  EXPECT_EQ(decode_header(header.to_string_view()).version, kProtocolVersion);
  EXPECT_EQ(router_->counters().malformed, 1U);
}

// What its worker reads then: both numbers and what to do.
TEST_F(Gate, ALinkSaysWhichVersionsMeetWhenItsCoordinatorSpeaksAnother) {
  zmq::context_t context(1);
  zmq::socket_t other(context, zmq::socket_type::router);
  other.set(zmq::sockopt::linger, 0);
  other.set(zmq::sockopt::rcvtimeo, 0);
  other.set(zmq::sockopt::curve_server, true);
  other.set(zmq::sockopt::curve_secretkey, keys_.secret_key);
  other.bind("tcp://127.0.0.1:*");
  Link w1({.endpoint = other.get(zmq::sockopt::last_endpoint),
           .coordinator_key = keys_.public_key,
           .keys = make_key_pair()});
  ASSERT_TRUE(bring_up(&w1));
  ASSERT_TRUE(w1.send(Hello{.boot = "b"}, 0));
  zmq::message_t sender;
  ASSERT_TRUE(run({&w1}, [&] { return other.recv(sender, zmq::recv_flags::none).has_value(); }));
  Frames later = encode(CoordinatorMessage{Welcome{.boot = "b"}}, 1);
  later.header[4] = 99;
  other.send(sender, zmq::send_flags::sndmore);
  other.send(zmq::buffer(later.header), zmq::send_flags::sndmore);
  other.send(zmq::buffer(later.body), zmq::send_flags::none);
  const std::string wanted = "protocol version 99, this side speaks " + std::to_string(kProtocolVersion) +
                             ": use one ranktide version on both sides";
  std::string log;
  for (int i = 0; i < 300 && log.find(wanted) == std::string::npos; ++i) {
    testing::internal::CaptureStdout();  // where the log goes
    (void)run(
        {&w1}, [] { return false; }, Duration(100));
    log += testing::internal::GetCapturedStdout();
  }
  EXPECT_NE(log.find(wanted), std::string::npos) << log;
}

TEST_F(Gate, ALinkWithAnotherServersKeyNeverComesUp) {
  const auto w1 = link(enrol("w1"), make_key_pair().public_key);
  EXPECT_FALSE(run(
      {w1.get()}, [&] { return count<LinkUp>(w1.get()) > 0; }, Duration(700)));
}

TEST_F(Gate, HearsNothingFromAClientWithoutCurve) {
  RawClient plain;
  plain.dealer.connect(router_->endpoint());
  plain.send(hello("b"));
  EXPECT_FALSE(run(
      {}, [&] { return !received_.empty(); }, Duration(500)));
}

TEST_F(Gate, BelievesTheKeyAndNotTheRoutingIdThatAPeerClaims) {
  RawClient client;
  client.secure(enrol("w1"), keys_.public_key);
  client.dealer.set(zmq::sockopt::routing_id, "w2");
  client.dealer.connect(router_->endpoint());
  client.send(hello("b"));
  ASSERT_TRUE(run({}, [&] { return !received_.empty(); }));
  EXPECT_EQ(received_[0].sender, WorkerName{"w1"});
}

TEST_F(Gate, DropsAndCountsMalformedMessagesAndGoesOnListening) {
  RawClient client;
  client.secure(enrol("w1"), keys_.public_key);
  client.dealer.connect(router_->endpoint());
  client.send({"alone"});
  client.send({"not a header", "body"});
  client.send(std::vector<std::string>(1000, "many"));
  std::vector<std::string> cut = hello("b");
  cut[1].resize(cut[1].size() / 2);
  client.send(cut);
  client.send(hello("b"));
  ASSERT_TRUE(run({}, [&] { return !received_.empty(); }));
  EXPECT_EQ(router_->counters().malformed, 4U);
  EXPECT_EQ(received_.size(), 1U);
}

TEST_F(Gate, CutsAPeerWhoseFrameIsTooLargeAndServesTheOthers) {
  RawClient client;
  client.secure(enrol("w1"), keys_.public_key);
  client.dealer.connect(router_->endpoint());
  std::vector<std::string> large = hello("b");
  large[1] = std::string(kBodyBytesMax + kCurveOverheadBytes, 'x');
  client.send(large);
  const auto w2 = link(enrol("w2"));
  ASSERT_TRUE(bring_up(w2.get()));
  ASSERT_TRUE(w2->send(Hello{.boot = "b"}, 0));
  ASSERT_TRUE(run({w2.get()}, [&] { return !received_.empty(); }));
  EXPECT_EQ(received_[0].sender, WorkerName{"w2"});
}

TEST_F(Gate, PassesABodyOfExactlyTheLimit) {
  const auto w1 = link(enrol("w1"));
  ASSERT_TRUE(bring_up(w1.get()));
  Hello large{.boot = std::string(kBodyBytesMax, 'x')};
  large.boot.resize(kBodyBytesMax - (pack(large).size() - kBodyBytesMax));
  ASSERT_EQ(pack(large).size(), kBodyBytesMax);
  ASSERT_TRUE(w1->send(large, 0));
  EXPECT_TRUE(run({w1.get()}, [&] { return !received_.empty(); }));
}

TEST_F(Gate, SpeaksToTheNewestConnectionOfAWorker) {
  const KeyPair keys = enrol("w1");
  const auto first = link(keys);
  ASSERT_TRUE(bring_up(first.get()));
  ASSERT_TRUE(first->send(Hello{.boot = "first"}, 0));
  ASSERT_TRUE(run({first.get()}, [&] { return received_.size() == 1; }));
  const auto second = link(keys);
  ASSERT_TRUE(bring_up(second.get()));
  ASSERT_TRUE(second->send(Hello{.boot = "second"}, 0));
  ASSERT_TRUE(run({second.get()}, [&] { return received_.size() == 2; }));
  ASSERT_TRUE(first->send(Hello{.boot = "first again"}, 0));
  ASSERT_TRUE(run({first.get()}, [&] { return received_.size() == 3; }));
  ASSERT_TRUE(router_->send({WorkerName{"w1"}, Welcome{.boot = "?"}}, 1));
  ASSERT_TRUE(run({first.get(), second.get()}, [&] { return count<LinkMessage>(second.get()) == 1; }));
  EXPECT_EQ(count<LinkMessage>(first.get()), 0);
}

TEST_F(Gate, TellsEveryConnectionOfAWorkerThatAnotherProcessTookALifesPlace) {
  const KeyPair keys = enrol("w1");
  const auto first = link(keys), second = link(keys);
  for (const auto& each : {&first, &second}) {
    ASSERT_TRUE(bring_up(each->get()));
    const size_t before = received_.size();
    ASSERT_TRUE((*each)->send(Hello{.boot = "b"}, 0));
    ASSERT_TRUE(run({first.get(), second.get()}, [&] { return received_.size() > before; }));
  }
  ASSERT_TRUE(router_->send({WorkerName{"w1"}, Replaced{.boot = "b"}}, 1));
  EXPECT_TRUE(run({first.get(), second.get()}, [&] {
    return count<LinkMessage>(first.get()) == 1 && count<LinkMessage>(second.get()) == 1;
  }));
}

TEST_F(Gate, AKeyThatIsTakenOutOfTheTableIsCutAsARevokedOneIs) {
  const auto w1 = link(enrol("w1"));
  (void)enrol("w2");
  ASSERT_TRUE(bring_up(w1.get()));
  ASSERT_TRUE(w1->send(Hello{.boot = "b"}, 0));
  ASSERT_TRUE(run({w1.get()}, [&] { return !received_.empty(); }));
  router_->forget_keys(WorkerName{"w1"});
  EXPECT_EQ(router_->take_revoked(), std::vector{WorkerName{"w1"}});
  ASSERT_TRUE(w1->send(Hello{.boot = "b"}, 0));
  EXPECT_TRUE(run({w1.get()}, [&] { return router_->counters().unauthorised == 1; }));
  EXPECT_EQ(received_.size(), 1U);
}

TEST_F(Gate, SaysWhenAMessageCannotBeSent) {
  EXPECT_FALSE(router_->send({WorkerName{"nobody"}, Welcome{}}, 1));
  auto gone = link(enrol("gone"));
  ASSERT_TRUE(bring_up(gone.get()));
  ASSERT_TRUE(gone->send(Hello{.boot = "b"}, 0));
  ASSERT_TRUE(run({gone.get()}, [&] { return !received_.empty(); }));
  gone.reset();
  EXPECT_TRUE(run({}, [&] { return !router_->send({WorkerName{"gone"}, Welcome{}}, 1); }));
  EXPECT_GE(router_->counters().unsent, 2U);
}

TEST_F(Gate, ALinkFindsACoordinatorThatCameBackAtTheSameAddress) {
  const auto w1 = link(enrol("w1"));
  ASSERT_TRUE(bring_up(w1.get()));
  open(std::string(router_->endpoint()));
  ASSERT_TRUE(run({w1.get()}, [&] { return count<LinkDown>(w1.get()) == 1 && count<LinkUp>(w1.get()) == 2; }));
  ASSERT_TRUE(w1->send(Hello{.boot = "b"}, 0));
  EXPECT_TRUE(run({w1.get()}, [&] { return !received_.empty(); }));
}

TEST_F(Gate, WillNotOpenWhereAnotherListens) {
  try {
    const Router second({.endpoint = router_->endpoint(), .keys = keys_, .worker_keys = table_});
    FAIL() << "listens at an address in use";
  } catch (const RouterError& error) {
    EXPECT_NE(std::string(error.what()).find("choose another port"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace ranktide
