#include "common/vocabulary/protocol.h"

#include <gtest/gtest.h>

namespace ranktide {
namespace {

const UnitId kUnit{std::string(32, 'a') + std::string(32, '0')};

Report some_report() {
  return {
      .lease = {kUnit, 3}, .seq = 7, .findings = {.points = {{4, "loss", 2.5}}, .evals = {}, .checkpoint = 4}};
}

WorkerMessage there_and_back(const WorkerMessage& m) {
  const Frames f = encode(m, 9);
  return decode_worker_message(decode_header(f.header), f.body);
}

std::string frame_error(auto&& act) {
  try {
    act();
  } catch (const ProtocolError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Protocol, AMessageComesBackAsItWasSent) {
  const auto back = std::get<Report>(there_and_back(some_report()));
  EXPECT_TRUE(equal(back, some_report()));
}

TEST(Protocol, TheHeaderSaysEnoughToFenceWithoutTheBody) {
  const Header h = decode_header(encode(WorkerMessage{some_report()}, 9).header);
  EXPECT_EQ(h.epoch, 9u);
  EXPECT_EQ(h.seq, 7);
  EXPECT_EQ(h.lease.unit, kUnit);
  EXPECT_EQ(h.lease.attempt, 3);
}

TEST(Protocol, TypeNumbersOnTheWireAreFrozen) {
  EXPECT_EQ(decode_header(encode(WorkerMessage{Hello{}}, 1).header).type, 0);
  EXPECT_EQ(decode_header(encode(WorkerMessage{Drain{}}, 1).header).type, 4);
  EXPECT_EQ(decode_header(encode(CoordinatorMessage{Welcome{}}, 1).header).type, 256);
  EXPECT_EQ(decode_header(encode(CoordinatorMessage{Abandon{}}, 1).header).type, 263);
  EXPECT_EQ(decode_header(encode(CoordinatorMessage{Replaced{}}, 1).header).type, 266);
}

TEST(Protocol, RefusesAnotherVersionAndSaysWhatToDo) {
  std::string header = encode(WorkerMessage{Hello{}}, 1).header;
  header[4] = 1;
  EXPECT_EQ(frame_error([&] { decode_header(header); }),
            "protocol version 1, this side speaks 2: use one ranktide version on both sides");
}

TEST(Protocol, RefusesAHeaderOfTheWrongSizeOrMagic) {
  EXPECT_EQ(frame_error([] { decode_header("short"); }), "not a ranktide header");
  EXPECT_EQ(frame_error([] { decode_header(std::string(kHeaderBytes, 'x')); }), "not a ranktide header");
}

TEST(Protocol, RefusesAMessageThatGoesTheOtherWay) {
  const Frames f = encode(WorkerMessage{Drain{}}, 1);
  EXPECT_EQ(frame_error([&] { decode_coordinator_message(decode_header(f.header), f.body); }),
            "message type 4 goes the other way");
  const Frames back = encode(CoordinatorMessage{Welcome{}}, 1);
  EXPECT_EQ(frame_error([&] { decode_worker_message(decode_header(back.header), back.body); }),
            "unknown message type 256");
}

TEST(Protocol, RefusesABodyThatSpeaksOfAnotherAttemptThanItsHeader) {
  const Frames a = encode(WorkerMessage{some_report()}, 1);
  Report other = some_report();
  other.lease.attempt = 2;
  const Frames b = encode(WorkerMessage{other}, 1);
  EXPECT_EQ(frame_error([&] { decode_worker_message(decode_header(a.header), b.body); }),
            "header and body speak of different attempts");
}

// An answer to such a lease cannot be encoded, so one worker's Hello ended the coordinator.
TEST(Protocol, RefusesALeaseOfSomethingThatIsNoUnit) {
  for (const std::string& unit : {std::string(), std::string("short"), std::string(64, 'x')}) {
    const Hello hello{.boot = "a", .version = "1", .slots = {}, .held = {{.lease = {UnitId{unit}, 1}}}};
    EXPECT_EQ(frame_error([&] { there_and_back(hello); }), "a lease of something that is no unit");
    const Heartbeat beat{.boot = "a", .running = {{UnitId{unit}, 1}}, .progress = {}};
    EXPECT_EQ(frame_error([&] { there_and_back(beat); }), "a lease of something that is no unit");
  }
}

}  // namespace
}  // namespace ranktide
