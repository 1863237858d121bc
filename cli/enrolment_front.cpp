#include "cli/enrolment_front.h"

#include <spdlog/spdlog.h>

namespace ranktide::cli {
namespace fs = std::filesystem;

Enrolment open_enrolment(const fs::path& data_folder, const EnrolmentFront& front) {
  const std::string endpoint =
      front.enrol_endpoint.empty() ? enrol_endpoint_beside(front.link_endpoint) : front.enrol_endpoint;
  auto door =
      std::make_unique<EnrolDoor>(EnrolDoorConfig{.keys_folder = data_folder / "keys", .endpoint = endpoint});
  const JoinAddresses addresses = join_addresses(front.link_endpoint, door->endpoint(), front.host);
  write_join_addresses(data_folder, addresses);
  spdlog::info("workers connect at {}, new ones join at {}", front.link_endpoint, door->endpoint());
  return {std::move(door), addresses};
}

}  // namespace ranktide::cli
