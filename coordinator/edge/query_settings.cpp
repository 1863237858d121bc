#include "coordinator/edge/query_settings.h"

namespace ranktide {

std::optional<Json> trial_settings(const Reader& reader, const std::string& trial) {
  const Selection found = reader.select("SELECT settings FROM trial WHERE id=?1", {trial});
  if (found.rows.empty()) return std::nullopt;
  return parse_json(std::get<std::string>(found.rows.front().front()));
}

}  // namespace ranktide
