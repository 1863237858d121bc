#pragma once
// A thread that serves sockets of its own until it is told to stop. Signals are the main thread's. Thread rule:
// constructor and destructor from one thread.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace ranktide {

// Whether a service still serves, for whoever asks from another thread; it may outlive the service.
struct ServiceSign {
  std::string when_down;  // a sentence for people
  std::shared_ptr<const std::atomic<bool>> is_up;
};

class ServingThread {
 public:
  // serve: returns once stop_fd, to be polled beside its sockets, is readable. What it throws ends its service
  // and nothing else: it is logged after `what_ends`, a sentence for whoever runs the coordinator.
  // Throws: std::system_error when there is no descriptor left.
  ServingThread(std::string what_ends, std::function<void(int stop_fd)> serve);
  ~ServingThread();  // stops and waits
  ServingThread(const ServingThread&) = delete;
  ServingThread& operator=(const ServingThread&) = delete;

  const ServiceSign& sign() const { return sign_; }

 private:
  ServiceSign sign_;
  int stop_fd_ = -1;
  std::thread thread_;
};

}  // namespace ranktide
