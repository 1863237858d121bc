#pragma once
// A client with a fresh key that is in no table, for the self-test of the sockets for workers: it knocks, and
// tells what it was answered. Thread rule: the socket's thread. Outlives: the context must outlive it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <zmq.hpp>

namespace ranktide {

struct Stranger {
  Stranger(zmq::context_t& context, const std::string& server_key, const std::string& endpoint);
  ~Stranger();
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  // Returns: whether it was let in; nullopt while that is open.
  std::optional<bool> verdict();

  zmq::socket_t dealer;
  zmq::socket_t monitor;  // readable when a verdict may be there
};

struct SelfTest {
  zmq::context_t& context;
  zmq::socket_t& zap;  // where the handler of the context listens
  const std::string& server_key;
  const std::string& endpoint;
  std::function<uint64_t()> answer_handshakes;  // those that wait. Returns: how many were refused so far
};
// A socket serves only if its own handler is asked and turns a stranger away.
// Throws: RouterError when it does not.
void prove_that_strangers_are_refused(const SelfTest& test);

}  // namespace ranktide
