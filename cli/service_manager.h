#pragma once
// What a service tells systemd that started it: that it is ready, alive, stopping. Does nothing when nobody
// listens, so that a program need not ask who started it. Any thread.

#include <string_view>

namespace ranktide::cli {

// Sends one datagram such as "READY=1" to $NOTIFY_SOCKET. A manager that does not take it is no reason to stop.
void tell_service_manager(std::string_view state);

}  // namespace ranktide::cli
