#include "worker/trainer/program/command_inbox.h"

#include <array>
#include <chrono>
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

Lease lease(const std::string& unit, Attempt attempt = 1) {
  return {UnitId{unit}, attempt};
}

class Pipe {
 public:
  Pipe() { RT_CHECK(::pipe(ends_.data()) == 0); }
  ~Pipe() {
    end();
    ::close(ends_[0]);
  }
  int reader() const { return ends_[0]; }
  void say(const std::string& bytes) const {
    RT_CHECK(::write(ends_[1], bytes.data(), bytes.size()) == std::ssize(bytes));
  }
  void run(const Lease& l) const { say(encode(TrainerCommand{RunWork{l, {}}})); }
  void stop(const Lease& l) const { say(encode(TrainerCommand{StopWork{l}})); }
  void drop(const Lease& l) const { say(encode(TrainerCommand{StopWork{.lease = l, .is_unwanted = true}})); }
  void end() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{};
};

bool is_asked_soon(const std::stop_token& stop) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!stop.stop_requested() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  return stop.stop_requested();
}

TEST(CommandInbox, HandsOutWorksInTheirOrder) {
  Pipe pipe;
  CommandInbox inbox(pipe.reader());
  pipe.run(lease("a"));
  pipe.run(lease("b"));
  EXPECT_EQ(inbox.next()->run.lease, lease("a"));
  EXPECT_EQ(inbox.next()->run.lease, lease("b"));
}

TEST(CommandInbox, StopsTheWorkThatItsLeaseNames) {
  Pipe pipe;
  CommandInbox inbox(pipe.reader());
  pipe.run(lease("a", 2));
  const auto order = inbox.next();
  pipe.stop(lease("a", 1));  // an older attempt: not this one
  pipe.stop(lease("b"));
  EXPECT_FALSE(order->stop.stop_requested());
  pipe.stop(lease("a", 2));
  EXPECT_TRUE(is_asked_soon(order->stop));
}

TEST(CommandInbox, AStoppedWorkIsUnwantedOnlyWhenThatIsSaid) {
  Pipe pipe;
  CommandInbox inbox(pipe.reader());
  pipe.run(lease("a"));
  const auto order = inbox.next();
  pipe.stop(lease("a"));
  EXPECT_TRUE(is_asked_soon(order->stop));
  EXPECT_FALSE(order->unwanted.stop_requested());
  pipe.drop(lease("a"));
  EXPECT_TRUE(is_asked_soon(order->unwanted));
}

TEST(CommandInbox, TheEndOfThePipeStopsTheRunningWorkAndNoOtherFollows) {
  Pipe pipe;
  CommandInbox inbox(pipe.reader());
  pipe.run(lease("a"));
  const auto order = inbox.next();
  pipe.run(lease("b"));
  pipe.end();
  EXPECT_TRUE(is_asked_soon(order->stop));
  EXPECT_FALSE(inbox.next());
}

TEST(CommandInbox, NonsenseIsAnErrorAndStopsTheRunningWork) {
  Pipe pipe;
  CommandInbox inbox(pipe.reader());
  pipe.run(lease("a"));
  const auto order = inbox.next();
  pipe.say(std::string("\x02\0\0\0zz", 6));
  EXPECT_TRUE(is_asked_soon(order->stop));
  EXPECT_THROW(inbox.next(), ProtocolError);
}

TEST(CommandInbox, AThirdWorkBeforeTheFirstEndedIsAnError) {
  Pipe pipe;
  CommandInbox inbox(pipe.reader());
  pipe.run(lease("a"));
  const auto order = inbox.next();
  pipe.run(lease("b"));
  pipe.run(lease("c"));
  EXPECT_TRUE(is_asked_soon(order->stop));
  EXPECT_THROW(inbox.next(), ProtocolError);
}

TEST(CommandInbox, CanBeLeftWhileThePipeStaysOpen) {
  Pipe pipe;
  { CommandInbox inbox(pipe.reader()); }
  SUCCEED();
}

}  // namespace
}  // namespace ranktide
