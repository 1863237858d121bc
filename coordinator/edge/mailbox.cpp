#include "coordinator/edge/mailbox.h"

#include <cerrno>
#include <memory>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

int open_doorbell() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0)
    throw std::system_error(errno, std::generic_category(), "no descriptor for the mailbox's doorbell");
  return fd;
}

Input with_reply_to(UserRequest request, uint64_t reply_to) {
  return std::visit(
      [reply_to](auto& known) -> Input {
        known.reply_to = reply_to;
        return std::move(known);
      },
      request);
}

constexpr const char* kStopping =
    "the coordinator is stopping; ask again, with the same request id, when it is back";

}  // namespace

Mailbox::Mailbox(size_t requests_max) : requests_max_(requests_max), doorbell_(open_doorbell()) {}
Mailbox::~Mailbox() {
  ::close(doorbell_);
}

// Requires: mutex_ is held.
std::optional<std::string> Mailbox::refusal() const {
  if (closed_) return kStopping;
  if (unanswered_.size() >= requests_max_ || waiting_.size() >= 2 * requests_max_)
    return "the coordinator has " + std::to_string(requests_max_) + " requests waiting; ask again in a moment";
  return std::nullopt;
}

void Mailbox::ask(UserRequest request, OnAnswer on_answer) {
  std::optional<std::string> refused;
  {
    const std::lock_guard lock(mutex_);
    refused = refusal();
    if (!refused) {
      const uint64_t reply_to = ++last_reply_to_;
      waiting_.push_back(with_reply_to(std::move(request), reply_to));
      unanswered_.emplace(reply_to, std::move(on_answer));
      ring();
    }
  }
  if (refused) on_answer(Unavailable{*refused});
}

std::future<Answer> Mailbox::ask(UserRequest request) {
  const auto promise = std::make_shared<std::promise<Answer>>();
  std::future<Answer> answer = promise->get_future();
  ask(std::move(request), [promise](const std::variant<Answer, Unavailable>& heard) {
    if (const auto* unavailable = std::get_if<Unavailable>(&heard))
      promise->set_value(Rejected{unavailable->reason});
    else
      promise->set_value(std::get<Answer>(heard));
  });
  return answer;
}

bool Mailbox::tell(Input input) {
  const std::lock_guard lock(mutex_);
  if (refusal()) return false;
  waiting_.push_back(std::move(input));
  ring();
  return true;
}

LivePicture Mailbox::live() const {
  const std::lock_guard lock(mutex_);
  return live_;
}

std::optional<Instant> Mailbox::last_beat() const {
  const std::lock_guard lock(mutex_);
  return beat_;
}

void Mailbox::close() {
  std::map<uint64_t, OnAnswer> unanswered;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiting_.clear();
    unanswered.swap(unanswered_);
    ring();
  }
  for (const auto& [reply_to, on_answer] : unanswered) on_answer(Unavailable{kStopping});
}

bool Mailbox::is_closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::vector<Input> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  uint64_t rings = 0;
  if (::read(doorbell_, &rings, sizeof rings) < 0) RT_CHECK(errno == EAGAIN);
  return std::exchange(waiting_, {});
}

void Mailbox::answer(const Reply& reply) {
  OnAnswer on_answer;
  {
    const std::lock_guard lock(mutex_);
    const auto asked = unanswered_.find(reply.reply_to);
    if (asked == unanswered_.end())
      return;  // refused by close() meanwhile; the same request id tells how it went
    on_answer = std::move(asked->second);
    unanswered_.erase(asked);
  }
  on_answer(reply.answer);
}

void Mailbox::show(LivePicture picture) {
  const std::lock_guard lock(mutex_);
  live_ = std::move(picture);
}

void Mailbox::beat(Instant now) {
  const std::lock_guard lock(mutex_);
  beat_ = now;
}

void Mailbox::ring() {
  const uint64_t one = 1;
  // EAGAIN would mean that the counter is full: then it rings already.
  if (::write(doorbell_, &one, sizeof one) < 0) RT_CHECK(errno == EAGAIN);
}

}  // namespace ranktide
