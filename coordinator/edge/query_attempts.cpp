#include "coordinator/edge/query_attempts.h"

namespace ranktide {

std::vector<TrialAttempt> attempts_of(const Reader& reader, const std::string& trial) {
  const Selection found = reader.select(
      "SELECT DISTINCT unit, attempt, worker FROM v_attempt WHERE trial = ?1 AND kind = 'stage' ORDER BY "
      "attempt",
      {trial});
  std::vector<TrialAttempt> out;
  for (const auto& row : found.rows)
    out.push_back(
        {.lease = {UnitId{std::get<std::string>(row[0])}, static_cast<Attempt>(std::get<int64_t>(row[1]))},
         .worker = std::get<std::string>(row[2])});
  return out;
}

}  // namespace ranktide
