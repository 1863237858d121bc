#pragma once
// How other threads ask the turn's thread for something and see how it stands: a bounded queue of requests with
// a doorbell, and the newest picture for eyes. It holds the only mutex of the coordinator. Not a way around the
// turn: an answer is set after the commit that it speaks of. Thread rule: ask(), live() and close() from any
// thread; take(), answer() and show() from the turn's thread.

#include <cstdint>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/core/coordinator.h"
#include "coordinator/edge/live_picture.h"

namespace ranktide {

using Answer = decltype(Reply::answer);  // Submitted | Cancelled | Rejected

struct SubmitRequest {
  std::string request_id;  // the same id and spec get the same answer again
  SweepSpec spec;
};
struct CancelRequest {
  std::string request_id;
  std::string sweep;  // its name
};
using UserRequest = std::variant<SubmitRequest, CancelRequest>;

class Mailbox {
 public:
  // Throws: std::system_error when no descriptor is left for the doorbell.
  explicit Mailbox(size_t requests_max = 1000);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Returns: the answer to come. A full or closed mailbox answers at once with Rejected; nothing is queued
  // then.
  std::future<Answer> ask(UserRequest request);
  LivePicture live() const;
  // Refuses what is queued and what comes later, and rings the doorbell.
  void close();
  // Returns: whether close() was called.
  bool is_closed() const;

  // Returns: the descriptor that is readable while requests wait.
  int doorbell() const { return doorbell_; }
  // Returns: what waited, as inputs of the core with `reply_to` filled in; silences the doorbell.
  std::vector<Input> take();
  // An answer that close() has already given is dropped.
  void answer(const Reply& reply);
  void show(LivePicture picture);

 private:
  void ring();

  const size_t requests_max_;
  const int doorbell_;
  mutable std::mutex mutex_;  // guards everything below
  bool closed_ = false;
  uint64_t last_reply_to_ = 0;
  std::vector<Input> waiting_;
  std::map<uint64_t, std::promise<Answer>> unanswered_;  // waiting or in the core; bounded by requests_max_
  LivePicture live_;
};

}  // namespace ranktide
