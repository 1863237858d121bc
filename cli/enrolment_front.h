#pragma once
// How a coordinator lets new workers in: opens the enrolment door and keeps its address for `ranktide invite`.
// One thread.

#include <filesystem>
#include <memory>
#include <string>

#include "coordinator/edge/enrol_door.h"
#include "coordinator/edge/join_lines.h"

namespace ranktide::cli {

struct EnrolmentFront {
  std::string link_endpoint;  // where enrolled workers connect, with the real port
  std::string
      enrol_endpoint;  // where to listen for new ones; empty: the port after the link's, port * for port *
  std::string host;    // how workers reach this machine; empty: as the link's endpoint says
};

struct Enrolment {
  std::unique_ptr<EnrolDoor> door;  // open until it is destroyed
  JoinAddresses addresses;          // that join lines name
};

// Throws: RouterError, KeyError.
Enrolment open_enrolment(const std::filesystem::path& data_folder, const EnrolmentFront& front);

}  // namespace ranktide::cli
