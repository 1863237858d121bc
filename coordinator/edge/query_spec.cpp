#include "coordinator/edge/query_spec.h"

#include <utility>
#include <variant>

namespace ranktide {

// A sweep's name stands in the journal's text as it is, so that hardly another submission is decoded.
std::optional<SweepSubmitted> newest_submission(const Reader& reader, const std::string& sweep) {
  std::optional<SweepSubmitted> out;
  reader.each("SELECT body FROM record WHERE kind='SweepSubmitted' AND instr(body, ?1) ORDER BY seq DESC",
              {sweep}, [&](const std::vector<Value>& row) {
                auto record = from_journal("SweepSubmitted", std::get<std::string>(row[0]));
                auto& submitted = std::get<SweepSubmitted>(record);
                if (submitted.spec.name == sweep) out = std::move(submitted);
                return !out;
              });
  return out;
}

std::vector<AddedCell> added_cells(const Reader& reader, const SweepSubmitted& submitted) {
  std::vector<AddedCell> out;
  reader.each("SELECT body FROM record WHERE kind='SweepExtended' ORDER BY seq", {},
              [&](const std::vector<Value>& row) {
                const auto record = from_journal("SweepExtended", std::get<std::string>(row[0]));
                const auto& extended = std::get<SweepExtended>(record);
                if (extended.sweep == submitted.sweep && extended.revision == submitted.revision)
                  out.insert(out.end(), extended.cells.begin(), extended.cells.end());
                return true;
              });
  return out;
}

}  // namespace ranktide
