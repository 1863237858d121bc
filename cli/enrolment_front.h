#pragma once
// How a coordinator lets new workers in: opens the enrolment door, keeps its address for `ranktide invite`, and
// prints the first join line. One thread.

#include <filesystem>
#include <memory>
#include <string>

#include "coordinator/edge/enrol_door.h"

namespace ranktide::cli {

struct EnrolmentFront {
  std::string link_endpoint;  // where enrolled workers connect, with the real port
  std::string
      enrol_endpoint;  // where to listen for new ones; empty: the port after the link's, port * for port *
  std::string host;    // how workers reach this machine; empty: as the link's endpoint says
};

// Returns: the door, open until it is destroyed. Throws: RouterError, KeyError.
std::unique_ptr<EnrolDoor> open_enrolment(const std::filesystem::path& data_folder,
                                          const EnrolmentFront& front);

}  // namespace ranktide::cli
