#pragma once
// Where new workers knock: a second ROUTER of the coordinator on a port of its own, behind CURVE with the
// coordinator's key but open to any key of the other side; enrol_desk.h decides what they are told. Only who
// holds a join line knows the coordinator's public key, without which no handshake succeeds. Not the link: what
// is said here never reaches the turn, and a flood here does not slow it. Thread rule: constructor and
// destructor from one thread; it serves on its own, with a ZeroMQ context of its own.

#include <filesystem>
#include <optional>
#include <string>

#include "coordinator/edge/refusal_counts.h"
#include "coordinator/edge/router_error.h"
#include "coordinator/edge/serving_thread.h"

namespace ranktide {

struct EnrolDoorConfig {
  std::filesystem::path keys_folder;           // coordinator.secret, made when absent; invites; workers
  std::string endpoint = "tcp://127.0.0.1:*";  // port *: any free one
};

class EnrolDoor {
 public:
  // Throws: RouterError naming endpoint and remedy; KeyError.
  explicit EnrolDoor(const EnrolDoorConfig& config);
  ~EnrolDoor();
  EnrolDoor(const EnrolDoor&) = delete;
  EnrolDoor& operator=(const EnrolDoor&) = delete;

  // Returns: the address to ask at, with the real port.
  const std::string& endpoint() const { return endpoint_; }
  const ServiceSign& sign() const { return thread_->sign(); }
  const RefusalCounts& refusals() const { return refusals_; }

 private:
  struct Parts;

  std::string endpoint_;
  RefusalCounts refusals_;
  std::optional<ServingThread> thread_;
};

}  // namespace ranktide
