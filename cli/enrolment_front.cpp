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
  if (const auto line = first_join_line(data_folder, addresses)) {
    spdlog::info(
        "the first worker joins within the hour with the line on standard output; `ranktide invite` prints "
        "more");
    std::cout << *line << std::endl;
  }
  return door;
}

}  // namespace ranktide::cli
