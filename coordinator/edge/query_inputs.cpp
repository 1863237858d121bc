#include "coordinator/edge/query_inputs.h"

#include <map>
#include <utility>
#include <variant>

#include "coordinator/core/records.h"
#include "coordinator/edge/query_status.h"

namespace ranktide {
namespace {

bool is_sweep_over(const SweepStatus& sweep) {
  return sweep.state == "finished" || sweep.state == "stopped" || sweep.state == "cancelled";
}

// Returns: by the sweep's name, of its newest revision.
std::map<std::string, Inputs> newest_inputs(const Reader& reader) {
  std::map<std::string, Inputs> out;
  for (const auto& row :
       reader.select("SELECT kind, body FROM record WHERE kind='SweepSubmitted' ORDER BY seq").rows) {
    auto record = from_journal(std::get<std::string>(row[0]), std::get<std::string>(row[1]));
    SweepSpec& spec = std::get<SweepSubmitted>(record).spec;
    out[spec.name] = std::move(spec.inputs);
  }
  return out;
}

}  // namespace

// Two looks at the database: what is submitted in between was asked for a moment before, by the client.
std::set<std::string> contents_in_use(const Reader& reader) {
  std::set<std::string> over;
  for (const SweepStatus& sweep : all_sweep_status(reader))
    if (is_sweep_over(sweep)) over.insert(sweep.name);
  std::set<std::string> out;
  for (const auto& [name, inputs] : newest_inputs(reader))
    if (!over.contains(name))
      for (const auto& [path, content] : inputs.contents) out.insert(content.sha256);
  return out;
}

}  // namespace ranktide
