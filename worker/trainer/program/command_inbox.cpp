#include "worker/trainer/program/command_inbox.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr size_t kWorksMax = 2;  // the one that runs and one in advance; more is a fault of the worker

}  // namespace

CommandInbox::CommandInbox(int fd)
    : fd_(fd),
      leave_fd_(::eventfd(0, EFD_CLOEXEC)),
      reader_([this](std::stop_token leave) { read_all(leave); }) {
  RT_CHECK(leave_fd_ >= 0);
}

CommandInbox::~CommandInbox() {
  reader_.request_stop();
  const uint64_t one = 1;
  RT_CHECK(::write(leave_fd_, &one, sizeof one) == sizeof one);
  reader_.join();
  ::close(leave_fd_);
}

std::optional<CommandInbox::Order> CommandInbox::next() {
  std::unique_lock lock(mutex_);
  if (front_handed_out_) works_.pop_front();
  front_handed_out_ = false;
  changed_.wait(lock, [this] { return ended_ || !works_.empty(); });
  if (!complaint_.empty()) throw ProtocolError(complaint_);
  if (ended_) return std::nullopt;
  front_handed_out_ = true;
  const Pending& work = works_.front();
  return Order{work.run, work.stop.get_token(), work.unwanted.get_token()};
}

void CommandInbox::read_all(std::stop_token leave) {
  std::string buffer;
  std::array<char, 1 << 16> chunk;
  while (wait_readable(leave)) {
    const ssize_t n = ::read(fd_, chunk.data(), chunk.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return end(std::string("commands cannot be read: ") + std::strerror(errno));
    if (n == 0) return end("");
    buffer.append(chunk.data(), static_cast<size_t>(n));
    try {
      take_commands(buffer);
    } catch (const ProtocolError& e) {
      return end(e.what());
    }
  }
}

bool CommandInbox::wait_readable(const std::stop_token& leave) const {
  std::array<pollfd, 2> fds{{{fd_, POLLIN, 0}, {leave_fd_, POLLIN, 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0) RT_CHECK(errno == EINTR);
  return !leave.stop_requested();
}

void CommandInbox::take_commands(std::string& buffer) {
  while (const auto command = take_command(buffer)) accept(*command);
}

void CommandInbox::accept(const TrainerCommand& command) {
  const std::lock_guard lock(mutex_);
  if (const auto* run = std::get_if<RunWork>(&command)) {
    if (works_.size() == kWorksMax) throw ProtocolError("a third work was sent before the first had ended");
    works_.push_back({*run, std::stop_source{}, std::stop_source{}});
    changed_.notify_one();
    return;
  }
  const auto& stop = std::get<StopWork>(command);
  for (Pending& work : works_) {
    if (work.run.lease != stop.lease) continue;
    if (stop.is_unwanted) work.unwanted.request_stop();
    work.stop.request_stop();
  }
}

void CommandInbox::end(const std::string& complaint) {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  complaint_ = complaint;
  for (Pending& work : works_) work.stop.request_stop();
  changed_.notify_one();
}

}  // namespace ranktide
