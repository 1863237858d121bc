#pragma once
// What both listening sockets of the coordinator have in common: CURVE under its key, a ZAP domain that must
// have its handler, and a bind that says what to do when it fails. It names zmq types and so is for the socket
// files of this folder only. Thread rule: the socket's thread.

#include <string>
#include <zmq.hpp>

#include "coordinator/edge/router_error.h"

namespace ranktide {

// Requires: not bound yet, and the handler of the socket's context is (zap.h): without one CURVE would let
// every key in.
void secure_server(zmq::socket_t& socket, const std::string& secret_key, const char* zap_domain);

// Waits a moment for a former coordinator's port. Returns: the address with the real port.
// Throws: RouterError naming endpoint, reason and remedy.
std::string bind_server(zmq::socket_t& socket, const std::string& endpoint);

}  // namespace ranktide
