#pragma once
// The worker's end of the link: one DEALER with CURVE and its monitor. It connects, reconnects, makes a fresh
// socket when the old one is beyond recovery, and logs why it is refused, when the connection comes and goes,
// and once that none comes; not each try. Not delivery: a message that it takes may be lost on the way; the
// spool and the agent's resending are what makes it arrive. Thread rule: everything on the thread that
// constructed it.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "common/net/keys.h"
#include "common/vocabulary/protocol.h"
#include "common/vocabulary/time.h"

namespace ranktide {

struct LinkError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct LinkConfig {
  std::string endpoint;         // of the coordinator
  std::string coordinator_key;  // its public key
  KeyPair keys;                 // this worker's
};

struct LinkUp {};       // a handshake succeeded: say Hello
struct LinkDown {};     // the connection went away; it is sought again
struct LinkRevoked {};  // the coordinator has revoked this key for good; the link goes on trying, in vain
struct LinkExpired {};  // its time is over; the same, until it is authorised again
struct LinkMessage {
  uint64_t epoch = 0;  // of the coordinator that sent it
  CoordinatorMessage message;
};
using LinkEvent = std::variant<LinkUp, LinkDown, LinkRevoked, LinkExpired, LinkMessage>;

class Link {
 public:
  // Starts to connect; the first handshake comes later, as LinkUp.
  // Throws: LinkError for an endpoint or key that is not understood.
  explicit Link(LinkConfig config);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Waits until the link or one of `others` is ready, or until `timeout` has passed, and fills in their
  // `revents`.
  void wait(Duration timeout, std::vector<pollfd>& others);

  // Returns: what has happened since the last call, at most 256 events; malformed messages are logged and
  // dropped.
  std::vector<LinkEvent> take_events();

  // Returns: false when there is no connection or its queue is full.
  bool send(const WorkerMessage& message, uint64_t epoch);

 private:
  struct Sockets;
  std::unique_ptr<Sockets> sockets_;
};

}  // namespace ranktide
