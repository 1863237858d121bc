#include "coordinator/edge/query_inputs.h"

#include <utility>
#include <variant>

#include "coordinator/core/records.h"
#include "coordinator/edge/query_status.h"

namespace ranktide {
namespace {

bool is_sweep_over(const SweepStatus& sweep) {
  return sweep.state == "finished" || sweep.state == "stopped" || sweep.state == "cancelled";
}

SweepSpec spec_in(const std::vector<Value>& submission) {
  auto record = from_journal(std::get<std::string>(submission[0]), std::get<std::string>(submission[1]));
  return std::move(std::get<SweepSubmitted>(record).spec);
}

}  // namespace

// Two looks at the database: what is submitted in between was asked for a moment before, by the client.
std::set<std::string> contents_in_use(const Reader& reader) {
  std::set<std::string> passed;  // sweeps that are over, then those whose newest revision was seen
  for (const SweepStatus& sweep : all_sweep_status(reader))
    if (is_sweep_over(sweep)) passed.insert(sweep.name);
  std::set<std::string> out;
  reader.each("SELECT kind, body FROM record WHERE kind='SweepSubmitted' ORDER BY seq DESC", {},
              [&](const std::vector<Value>& row) {
                const SweepSpec spec = spec_in(row);
                if (passed.insert(spec.name).second)
                  for (const auto& [path, content] : spec.inputs.contents) out.insert(content.sha256);
                return true;
              });
  return out;
}

}  // namespace ranktide
