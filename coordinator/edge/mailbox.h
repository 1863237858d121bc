#pragma once
// How other threads ask the turn's thread for something and see how it stands: a bounded queue of requests with
// a doorbell, and the newest picture for eyes. It holds the only mutex between them. Not a way around the turn:
// an answer is given after the commit that it speaks of. Thread rule: ask(), tell(), live(), last_beat() and
// close() from any thread; take(), answer(), show() and beat() from the turn's thread.

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/core/coordinator.h"
#include "coordinator/edge/live_picture.h"

namespace ranktide {

using Answer = decltype(Reply::answer);  // Submitted | Controlled | Rejected
// Nobody decided: the coordinator is stopping or has too much to do. The same request id, asked again, tells.
struct Unavailable {
  std::string reason;
};

// Inputs of the core that are answered; the mailbox fills in `reply_to`.
using UserRequest =
    std::variant<Submit, ControlSweep, ControlTrials, ChangePolicy, DrainWorker, RevokeWorker, ForgetWorker>;

class Mailbox {
 public:
  using OnAnswer = std::function<void(const std::variant<Answer, Unavailable>&)>;

  // Throws: std::system_error when no descriptor is left for the doorbell.
  explicit Mailbox(size_t requests_max = 1000);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Calls on_answer exactly once: on the turn's thread after the commit, on close()'s, or, when the mailbox is
  // full or closed, at once on this one; nothing is queued then. Requires: on_answer neither waits nor throws.
  void ask(UserRequest request, OnAnswer on_answer);
  // The same for who can wait; Unavailable is Rejected to them.
  std::future<Answer> ask(UserRequest request);
  // Hands over what has no answer. Returns: false when the mailbox is full or closed and it was dropped.
  bool tell(Input input);
  LivePicture live() const;
  // Returns: when the turn last came round; nullopt before the first.
  std::optional<Instant> last_beat() const;
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
  void beat(Instant now);

 private:
  std::optional<std::string> refusal() const;
  void ring();

  const size_t requests_max_;
  const int doorbell_;
  mutable std::mutex mutex_;  // guards everything below
  bool closed_ = false;
  uint64_t last_reply_to_ = 0;
  std::vector<Input> waiting_;               // bounded by twice requests_max_
  std::map<uint64_t, OnAnswer> unanswered_;  // waiting or in the core; bounded by requests_max_
  LivePicture live_;
  std::optional<Instant> beat_;
};

}  // namespace ranktide
