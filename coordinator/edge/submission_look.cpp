#include "coordinator/edge/submission_look.h"

#include "common/sweep/warm_start.h"
#include "coordinator/edge/query.h"
#include "coordinator/edge/query_source.h"
#include "coordinator/edge/store.h"

namespace ranktide {
namespace {

bool was_submitted(const std::filesystem::path& data_folder, const std::string& request_id) {
  if (!std::filesystem::exists(database_file(data_folder))) return false;
  return !Reader(data_folder).select("SELECT 1 FROM revision WHERE request_id=?1", {request_id}).rows.empty();
}

bool is_known(const std::filesystem::path& data_folder, const std::string& sweep) {
  if (!std::filesystem::exists(database_file(data_folder))) return false;
  return !Reader(data_folder).select("SELECT 1 FROM sweep WHERE name=?1", {sweep}).rows.empty();
}

// What a client says of a source stands in ids and names files: it has to be what the journal says.
// Returns: what is wrong with it; empty: nothing.
std::string source_fault(const std::string& from, const SourceInput& source, const Reader& reader) {
  const auto name = source_name_of(from);
  if (!name || !source.trial.text.starts_with(name->id)) return "is not the trial that was sent for it";
  try {
    if (equal(source_with(reader, source.trial.text), source)) return "";
    return "was sent as another trial than it is here; submit again, to this coordinator alone";
  } catch (const QueryError& error) {
    return error.what();
  }
}

std::optional<std::string> source_fault(const SweepSpec& spec, const std::filesystem::path& data_folder) {
  if (spec.inputs.sources.empty()) return std::nullopt;
  const Reader reader(data_folder);
  for (const auto& [from, source] : spec.inputs.sources)
    if (const std::string fault = source_fault(from, source, reader); !fault.empty())
      return std::string(kSourceKey) + ": " + from + " " + fault;
  return std::nullopt;
}

}  // namespace

// One that is asked again was looked at before: the core has its answer.
std::optional<std::string> look_ahead(Submit& submission, const std::filesystem::path& data_folder) {
  if (was_submitted(data_folder, submission.request_id)) return std::nullopt;
  if (auto fault = source_fault(submission.spec, data_folder)) return fault;
  // A new sweep removes nothing, which need not be found out cell by cell.
  if (submission.cancel_removed && !is_known(data_folder, submission.spec.name))
    submission.cancel_removed = false;
  submission.looked = look_at(submission);
  return std::nullopt;
}

}  // namespace ranktide
