#pragma once
// A client with a fresh key that is in no table, for the router's self-test: it knocks, and tells what it was
// answered. Thread rule: the router's thread. Outlives: the context must outlive it.

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

}  // namespace ranktide
