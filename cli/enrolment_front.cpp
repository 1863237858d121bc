#include "cli/enrolment_front.h"

#include <iostream>
#include <spdlog/spdlog.h>

#include "coordinator/edge/join_lines.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

std::unique_ptr<EnrolDoor> open_enrolment(const fs::path& data_folder, const EnrolmentFront& front) {
  const std::string endpoint =
      front.enrol_endpoint.empty() ? enrol_endpoint_beside(front.link_endpoint) : front.enrol_endpoint;
  auto door =
      std::make_unique<EnrolDoor>(EnrolDoorConfig{.keys_folder = data_folder / "keys", .endpoint = endpoint});
  const JoinAddresses addresses = join_addresses(front.link_endpoint, door->endpoint(), front.host);
  write_join_addresses(data_folder, addresses);
  spdlog::info("workers connect at {}, new ones join at {}", front.link_endpoint, door->endpoint());
  const auto line = first_join_line(data_folder, addresses);
  spdlog::info("`ranktide invite` prints a line for new workers{}",
               line ? "; the first one, good for an hour, is on standard output" : "");
  if (line) std::cout << *line << std::endl;
  return door;
}

}  // namespace ranktide::cli
