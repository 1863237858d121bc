#pragma once
// Where a command's answers come from: the coordinator that was named, or the one that serves the data folder,
// over HTTP, or, when none does, the database itself, read-only. All end in the same functions, so the answers
// are the same.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/http_client.h"
#include "coordinator/edge/log_shelf.h"
#include "coordinator/edge/query.h"
#include "coordinator/edge/query_attempts.h"
#include "coordinator/edge/query_status.h"

namespace ranktide::cli {

class Results {
 public:
  explicit Results(const GlobalOptions& globals);

  // Returns: the frame printed in `format`. Throws: CommandError, QueryError, SweepNotFound, StoreError.
  std::string query(const QueryRequest& request, const std::string& format) const;
  // Returns: one sweep's status, or all for an empty name. Throws: CommandError when there is none of that
  // name.
  std::vector<SweepStatus> sweeps(const std::string& name) const;
  std::vector<std::string> trials_with_prefix(const std::string& prefix) const;
  TrialHistory history_of(const std::string& trial) const;
  // Returns: what is there of an attempt's log from `offset` on; a negative one counts from the end.
  LogPart log_part(const Lease& lease, int64_t offset) const;

 private:
  // Returns: the body of the coordinator's answer; nullopt when no coordinator serves the folder.
  std::optional<std::string> ask(const std::string& target) const;

  std::optional<HttpClient> named_;
  std::filesystem::path data_folder_;  // where none was named
};

}  // namespace ranktide::cli
