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
#include "cli/patient_client.h"
#include "cli/transfer_told.h"
#include "common/sweep/sweep_spec.h"
#include "coordinator/edge/artifact_routes.h"
#include "coordinator/edge/log_shelf.h"
#include "coordinator/edge/query.h"
#include "coordinator/edge/query_attempts.h"
#include "coordinator/edge/query_past.h"
#include "coordinator/edge/query_status.h"
#include "coordinator/edge/report.h"

namespace ranktide::cli {

class Results {
 public:
  explicit Results(const GlobalOptions& globals);

  // From now on a coordinator that was named may be away for some minutes. A folder answers itself meanwhile.
  void outlive_restarts(Patience patience);

  // Returns: the frame printed in `format`. Throws: CommandError, QueryError, SweepNotFound, StoreError.
  std::string query(const QueryRequest& request, const std::string& format) const;
  // Returns: one sweep's status, or all for an empty name. Throws: CommandError when there is none of that
  // name.
  std::vector<SweepStatus> sweeps(const std::string& name) const;
  std::vector<std::string> trials_with_prefix(const std::string& prefix) const;
  TrialHistory history_of(const std::string& trial) const;
  // Returns: what is there of an attempt's log from `offset` on; a negative one counts from the end.
  LogPart log_part(const Lease& lease, int64_t offset) const;
  // Returns: the sweep's page. Throws: CommandError, SweepNotFound.
  std::string report(const ReportRequest& request) const;
  // Returns: what trials of the folder have come to: a page of those after this id, by id; none at the end.
  // Settings are not told by a coordinator of before.
  std::vector<TrialStanding> standings_after(const std::string& trial, Told told) const;
  std::vector<MeasuredTrial> measured() const;
  // Returns: a trial's settings, flat. Throws: CommandError when there is no such trial. Requires: a full id.
  Json settings(const std::string& trial) const;
  // Returns: a sweep as it was submitted last. Throws: CommandError of code kNotFound when there is none.
  SweepSpec spec(const std::string& sweep) const;
  // The same. Returns: nullopt when there is none.
  std::optional<SweepSpec> spec_if_known(const std::string& sweep) const;
  // Returns: what the trial left, once the coordinator has hashed it; `told` hears how far that is. Requires,
  // here and below: `trial` is a full id. Throws: CommandError of code kNotFound for one that left nothing.
  Artifact artifact(const std::string& trial, const TransferTold& told) const;
  // Returns: bytes of one of its files from `offset` on, none beyond the end.
  std::string artifact_piece(const std::string& trial, const std::string& file, int64_t offset) const;

 private:
  // Returns: the body of the coordinator's answer; nullopt when no coordinator serves the folder.
  std::optional<std::string> ask(const std::string& target) const;
  std::optional<std::string> ask_until_made(const std::string& target, const TransferTold& told) const;

  std::optional<HttpClient> named_;
  mutable std::optional<PatientClient> patient_;  // of the same
  std::filesystem::path data_folder_;             // where none was named
};

// Returns: the one trial whose id starts so. Throws: CommandError for none, and for several.
std::string full_trial_id(const Results& results, const std::string& prefix);

// Returns: whether a command that does without results has somebody or something to ask.
bool has_results(const GlobalOptions& globals);

}  // namespace ranktide::cli
