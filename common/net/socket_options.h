#pragma once
// What every ranktide socket is set to, on both sides. Takes the raw ZeroMQ handle, so that this header names
// no third-party type. Not CURVE keys, ZAP or anything that only one side has: router.cpp and link.cpp set
// those.

#include <cstddef>

namespace ranktide {

// A frame limit counts encrypted bytes, and CURVE adds a few: a body of the protocol's limit must still pass.
constexpr size_t kCurveOverheadBytes = 256;

// Throws: std::runtime_error naming the option that this libzmq refuses. Requires: not yet bound or connected.
void set_common_options(void* socket);

// Throws as above. `what` names the option in the message.
void set_option(void* socket, int option, int value, const char* what);
void set_option(void* socket, int option, const char* value, const char* what);

}  // namespace ranktide
