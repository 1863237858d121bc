#pragma once
// Answers ZeroMQ's question "may this key connect?" (RFC 27): at the link out of the table of worker keys, at
// the enrolment door always yes, for whoever asks to be enrolled is in no table yet. Not the check of each
// message: a handshake is asked about once, so router.cpp looks every sender's key up again. The User-Id that a
// connection gets is its public key, whatever the peer claims about itself. Thread rule: the asking socket's
// thread.

#include <string>
#include <vector>

#include "common/net/worker_keys.h"

namespace ranktide {

constexpr size_t kZapFramesMax = 16;  // of a request; RFC 27 has fewer
// An unknown key may be enrolled later and is told to try again (300); a revoked one is told to give up (400),
// and so is an expired one, in the only other words that there are (500; link_notice.h).
constexpr const char* kZapDomain = "ranktide";
constexpr const char* kEnrolZapDomain = "ranktide-enrol";

struct ZapAnswer {
  std::vector<std::string> frames;
  std::string refusal;  // who was refused and why, for the log; empty: the key was let in
};

// Returns: the answer to a request's frames. A request that is not ours or is malformed is refused (500).
ZapAnswer answer_zap(const std::vector<std::string>& request, const WorkerKeys& keys);
// Lets any CURVE key in, in the enrolment's domain only.
ZapAnswer answer_enrol_zap(const std::vector<std::string>& request);

}  // namespace ranktide
