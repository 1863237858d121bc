#include "coordinator/edge/query_workers.h"

namespace ranktide {

std::vector<WorkerStatus> all_workers(const Reader& reader) {
  const Selection found = reader.select(
      "SELECT w.worker, w.state, w.version, w.slots, w.joined_at, w.departed_at, "
      "(SELECT count(*) FROM attempt a WHERE a.worker=w.worker AND a.ended IS NULL) "
      "FROM v_worker w ORDER BY w.joined_at DESC, w.worker");
  std::vector<WorkerStatus> out;
  for (const auto& row : found.rows) {
    const auto text = [&row](size_t column) { return std::get<std::string>(row[column]); };
    out.push_back({.name = text(0),
                   .state = text(1),
                   .version = text(2),
                   .slots = from_json<std::vector<Slot>>(parse_json(text(3))),
                   .running = std::get<int64_t>(row[6]),
                   .joined_at = text(4)});
    if (std::holds_alternative<std::string>(row[5])) out.back().departed_at = text(5);
  }
  return out;
}

}  // namespace ranktide
