#include "coordinator/edge/query_spec.h"

#include <utility>
#include <variant>

namespace ranktide {

// The request id stands in the journal's text as it is, so that of all submissions hardly another is decoded.
std::optional<SweepSubmitted> newest_submission(const Reader& reader, const std::string& sweep) {
  std::optional<SweepSubmitted> out;
  reader.each(
      "SELECT j.body, r.request_id FROM sweep w JOIN revision r ON r.sweep=w.id AND r.n=w.revision "
      "JOIN record j ON j.kind='SweepSubmitted' AND instr(j.body, r.request_id) WHERE w.name=?1",
      {sweep}, [&](const std::vector<Value>& row) {
        auto record = from_journal("SweepSubmitted", std::get<std::string>(row[0]));
        auto& submitted = std::get<SweepSubmitted>(record);
        if (submitted.request_id == std::get<std::string>(row[1])) out = std::move(submitted);
        return !out;
      });
  return out;
}

}  // namespace ranktide
