#include "coordinator/edge/serving_thread.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "common/vocabulary/check.h"

namespace ranktide {

ServingThread::ServingThread(std::string what_ends, std::function<void(int)> serve)
    : stop_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (stop_fd_ < 0)
    throw std::system_error(errno, std::generic_category(), "no descriptor to stop a serving thread by");
  const auto is_up = std::make_shared<std::atomic<bool>>(true);
  sign_ = {.when_down = what_ends, .is_up = is_up};
  thread_ =
      std::thread([stop_fd = stop_fd_, what_ends = std::move(what_ends), serve = std::move(serve), is_up] {
        sigset_t every;
        sigfillset(&every);
        pthread_sigmask(SIG_BLOCK, &every, nullptr);
        try {
          serve(stop_fd);
        } catch (const std::exception& error) {
          spdlog::critical("{}: {}", what_ends, error.what());
        }
        *is_up = false;
      });
}

ServingThread::~ServingThread() {
  const uint64_t one = 1;
  RT_CHECK(::write(stop_fd_, &one, sizeof one) == sizeof one);
  thread_.join();
  ::close(stop_fd_);
}

}  // namespace ranktide
