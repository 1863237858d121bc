#pragma once
// The child's end of the command pipe. A thread of its own reads it, so that a stop is heard while the engine
// thread computes. The end of the pipe means "told to stop": the running work is asked to stop and no other
// follows. Thread rule: next() from one thread (the engine's).

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "common/vocabulary/trainer_protocol.h"

namespace ranktide {

class CommandInbox {
 public:
  explicit CommandInbox(int fd);
  ~CommandInbox();
  CommandInbox(const CommandInbox&) = delete;
  CommandInbox& operator=(const CommandInbox&) = delete;

  struct Order {
    RunWork run;
    std::stop_token stop;      // asked when StopWork names this lease, or the pipe ends
    std::stop_token unwanted;  // asked when that says so of it
  };
  // Waits for a work; asking for the next says that the one before has ended.
  // Returns: nullopt once the pipe has ended. Throws: ProtocolError when something not understood came.
  std::optional<Order> next();

 private:
  struct Pending {
    RunWork run;
    std::stop_source stop;
    std::stop_source unwanted;
  };
  void read_all(std::stop_token leave);
  bool wait_readable(const std::stop_token& leave) const;
  void take_commands(std::string& buffer);
  void accept(const TrainerCommand& command);
  void end(const std::string& complaint);

  int fd_;
  int leave_fd_;  // an eventfd that wakes the reader when the inbox is destroyed

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Pending> works_;  // front: handed out by next(); the worker sends one at a time, so two at most
  bool front_handed_out_ = false;
  bool ended_ = false;
  std::string complaint_;  // why the pipe was given up; empty: it just ended

  std::jthread reader_;  // last: it uses all of the above
};

}  // namespace ranktide
