#pragma once
// The coordinator's end of the link: one ROUTER socket behind CURVE, and the ZAP handler that guards it.
// It turns frames into (worker, message) and back. It does not decide, store or wait for acks; a message that
// cannot be sent now is dropped and said so, because what matters is said again on the worker's next heartbeat.
// Thread rule: one thread, for a ZeroMQ socket belongs to one; it may be handed over once, after construction.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/net/keys.h"
#include "common/vocabulary/time.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/edge/router_error.h"

namespace ranktide {

struct RouterConfig {
  std::string endpoint = "tcp://127.0.0.1:*";  // port *: any free one
  KeyPair keys;
  std::filesystem::path worker_keys;  // table of enrolled keys (common/net/worker_keys.h); may not exist yet
};

struct RouterCounters {
  uint64_t received = 0;            // well-formed messages of active keys
  uint64_t malformed = 0;           // dropped: frame count, header or body
  uint64_t unauthorised = 0;        // dropped: the sender's key is no longer active
  uint64_t handshakes_refused = 0;  // by the ZAP handler
  uint64_t sent = 0;
  uint64_t unsent = 0;  // peer gone or its queue full
  friend bool operator==(const RouterCounters&, const RouterCounters&) = default;
};

class Router {
 public:
  // Binds, and proves with a random key that strangers are refused. Throws: RouterError naming endpoint and
  // remedy, also when that proof fails; KeyError for a worker table that is not understood.
  explicit Router(RouterConfig config);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Returns: the address workers connect to, with the real port.
  const std::string& endpoint() const;

  // Waits until a message or `doorbell` (a file descriptor) is readable, or until `timeout` has passed;
  // handshakes are answered meanwhile and may end the wait early. Waits at most a second, for the table of keys
  // is looked at that often.
  void wait(Duration timeout, int doorbell);

  // Returns: the next message of an active key; nullopt when none is there. Whatever is malformed or comes from
  // a key that is not active is counted, logged and dropped on the way.
  std::optional<FromWorker> receive();

  // Reads the table of keys if it has changed, which wait() does every second: nothing more is taken of a key
  // that was ended.
  void look_at_keys();
  // Takes the worker's keys out of their table. Throws: KeyError when the disk refuses.
  void forget_keys(const WorkerName& worker);
  // Returns: workers whose last active key was revoked, expired or taken out of the table since the last call;
  // at the first call all whose keys are revoked or expired. Nobody speaks for them any more, and connections
  // of revoked and expired keys were told so.
  std::vector<WorkerName> take_revoked();

  // Sends to the newest connection of that worker; Replaced to all of them, for it is another one's. Returns:
  // false when there is none, or its queue is full.
  bool send(const ToWorker& message, uint64_t epoch);

  const RouterCounters& counters() const;

 private:
  struct Sockets;
  std::unique_ptr<Sockets> sockets_;
};

}  // namespace ranktide
