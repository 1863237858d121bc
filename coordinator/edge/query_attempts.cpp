#include "coordinator/edge/query_attempts.h"

namespace ranktide {

TrialHistory history_of(const Reader& reader, const std::string& trial) {
  return reader.snapshot([&] {
    TrialHistory out;
    out.is_over =
        reader.select("SELECT 1 FROM v_trial WHERE trial = ?1 AND state IN ('ready', 'running')", {trial})
            .rows.empty();
    const Selection found = reader.select(
        "SELECT DISTINCT unit, attempt, worker, ended_at IS NULL FROM v_attempt "
        "WHERE trial = ?1 AND kind = 'stage' ORDER BY attempt",
        {trial});
    for (const auto& row : found.rows)
      out.attempts.push_back(
          {.lease = {UnitId{std::get<std::string>(row[0])}, static_cast<Attempt>(std::get<int64_t>(row[1]))},
           .worker = std::get<std::string>(row[2]),
           .is_running = std::get<int64_t>(row[3]) != 0});
    return out;
  });
}

}  // namespace ranktide
