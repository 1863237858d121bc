#pragma once
// The worker's first conversation: it shows a token at the coordinator's enrolment port and is told the name
// that its key is known under from then on. Not the link, which speaks once the key is known. Thread rule: one
// call on one thread, with a ZeroMQ context of its own; it waits.

#include <stdexcept>
#include <string>

#include "common/net/enrol_protocol.h"
#include "common/net/keys.h"
#include "common/vocabulary/ids.h"
#include "common/vocabulary/time.h"

namespace ranktide {

enum class EnrolmentEnd {
  unreachable,        // nobody listens there, or nothing gets through
  other_coordinator,  // somebody listens who does not hold the expected server key
  refused,            // the coordinator says why
};

struct EnrolmentError : std::runtime_error {
  EnrolmentError(EnrolmentEnd how, const std::string& text) : std::runtime_error(text), end(how) {}
  EnrolmentEnd end;
};

struct EnrolmentRequest {
  std::string endpoint;         // tcp://host:port of the enrolment door
  std::string coordinator_key;  // public
  KeyPair keys;                 // this worker's
  Enrol words;
};

// Asks until there is an answer, for at most `patience`; a coordinator that has too much to do is asked again.
// Asking again with the same key and token, after a crash for one, uses the invite up only once.
// Returns: the name. Throws: EnrolmentError.
WorkerName enrol(const EnrolmentRequest& request, Duration patience);

}  // namespace ranktide
