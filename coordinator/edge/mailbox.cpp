#include "coordinator/edge/mailbox.h"

#include <cerrno>
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

Input to_input(UserRequest request, uint64_t reply_to) {
  if (auto* submit = std::get_if<SubmitRequest>(&request))
    return Submit{
        .reply_to = reply_to, .request_id = std::move(submit->request_id), .spec = std::move(submit->spec)};
  auto& cancel = std::get<CancelRequest>(request);
  return Cancel{
      .reply_to = reply_to, .request_id = std::move(cancel.request_id), .sweep = std::move(cancel.sweep)};
}

constexpr const char* kStopping =
    "the coordinator is stopping; ask again, with the same request id, when it is back";

}  // namespace

Mailbox::Mailbox(size_t requests_max) : requests_max_(requests_max), doorbell_(open_doorbell()) {}
Mailbox::~Mailbox() {
  ::close(doorbell_);
}

std::future<Answer> Mailbox::ask(UserRequest request) {
  std::promise<Answer> promise;
  std::future<Answer> answer = promise.get_future();
  const std::lock_guard lock(mutex_);
  if (closed_) {
    promise.set_value(Rejected{kStopping});
  } else if (unanswered_.size() >= requests_max_) {
    promise.set_value(Rejected{"the coordinator has " + std::to_string(requests_max_) +
                               " requests waiting; ask again in a moment"});
  } else {
    const uint64_t reply_to = ++last_reply_to_;
    waiting_.push_back(to_input(std::move(request), reply_to));
    unanswered_.emplace(reply_to, std::move(promise));
    ring();
  }
  return answer;
}

LivePicture Mailbox::live() const {
  const std::lock_guard lock(mutex_);
  return live_;
}

void Mailbox::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  waiting_.clear();
  for (auto& [reply_to, promise] : unanswered_) promise.set_value(Rejected{kStopping});
  unanswered_.clear();
  ring();
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
  const std::lock_guard lock(mutex_);
  const auto asked = unanswered_.find(reply.reply_to);
  if (asked == unanswered_.end())
    return;  // refused by close() meanwhile; the same request id tells how it went
  asked->second.set_value(reply.answer);
  unanswered_.erase(asked);
}

void Mailbox::show(LivePicture picture) {
  const std::lock_guard lock(mutex_);
  live_ = std::move(picture);
}

void Mailbox::ring() {
  const uint64_t one = 1;
  // EAGAIN would mean that the counter is full: then it rings already.
  if (::write(doorbell_, &one, sizeof one) < 0) RT_CHECK(errno == EAGAIN);
}

}  // namespace ranktide
