#pragma once
// Follows a sweep through its coordinator: how it stands as a frame for eyes, and whether it has ended. Reads
// only; whoever watches may come and go. One thread.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/live_view.h"
#include "cli/patient_client.h"
#include "coordinator/edge/query_status.h"

namespace ranktide::cli {

// Returns: the status of the sweep of that name, or of every one for an empty name, oldest first; nullopt when
// the client's own limit came first. Throws: CommandError, of code kNotFound when there is no such sweep.
std::optional<std::vector<SweepStatus>> ask_status(PatientClient& client, const std::string& sweep);

// Returns: whether nothing happens until somebody says so: it has ended, or is paused and no trial of it runs.
bool is_at_rest(const SweepStatus& status);

// Returns: how many workers are joined; nullopt as above.
std::optional<int64_t> ask_workers(PatientClient& client);

// Returns: units of the sweep on slots, and those that wait for one: trials, and evals leased by themselves.
int64_t units_at_work(const SweepStatus& status);
int64_t units_in_queue(const SweepStatus& status);

LiveFrame frame_of(const SweepStatus& status, int64_t workers, double elapsed_seconds);

// Shows the sweep until it ends or `until` has come, through restarts of its coordinator. Returns: its last
// status; nullopt when none came in time. Throws: CommandError.
std::optional<SweepStatus> watch(PatientClient client, const std::string& sweep, const GlobalOptions& globals,
                                 std::optional<std::chrono::steady_clock::time_point> until);

// Returns: how many evals have failed and why, in a line.
std::string failed_evals_text(const FailedEvals& failed);

// Returns: 0, or kTrialsFailed, or kTimedOut when it has not ended.
int exit_code_of(const std::optional<SweepStatus>& last);

}  // namespace ranktide::cli
