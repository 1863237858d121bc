#pragma once
// What a service tells systemd that started it: that it is ready, alive, stopping. Does nothing when nobody
// listens, so that a program need not ask who started it. Any thread.

#include <string_view>

#include "common/vocabulary/time.h"

namespace ranktide::cli {

// Sends one datagram such as "READY=1" to $NOTIFY_SOCKET. A manager that does not take it is no reason to stop.
void tell_service_manager(std::string_view state);

// Says WATCHDOG=1 at most once a second. Call it after every turn of the loop that does the work: what hangs in
// a turn must be missed by the watchdog, so no timer does this.
class WatchdogKick {
 public:
  void operator()();

 private:
  Instant due_;
};

}  // namespace ranktide::cli
