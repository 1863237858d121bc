#pragma once
// Follows a sweep through its coordinator: how it stands as a frame for eyes, and whether it has ended. Reads
// only; whoever watches may come and go. One thread.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/http_client.h"
#include "cli/live_view.h"
#include "coordinator/edge/query_status.h"

namespace ranktide::cli {

// Returns: the sweep's status. Throws: CommandError, of code kNotFound when there is no such sweep.
SweepStatus status_of(const HttpClient& client, const std::string& sweep);

// Returns: the status of every sweep, oldest first. Throws: CommandError.
std::vector<SweepStatus> all_status(const HttpClient& client);

// Returns: whether nothing happens until somebody says so: it has ended, or is paused and no trial of it runs.
bool is_at_rest(const SweepStatus& status);

// Returns: how many workers are joined. Throws: CommandError.
int64_t joined_workers(const HttpClient& client);

// Returns: units of the sweep on slots, and those that wait for one: trials, and evals leased by themselves.
int64_t units_at_work(const SweepStatus& status);
int64_t units_in_queue(const SweepStatus& status);

LiveFrame frame_of(const SweepStatus& status, int64_t workers, double elapsed_seconds);

// Shows the sweep until it ends or `until` has come. Returns: its last status.
SweepStatus watch(const HttpClient& client, const std::string& sweep, const GlobalOptions& globals,
                  std::optional<std::chrono::steady_clock::time_point> until);

// Returns: 0, or kTrialsFailed, or kTimedOut when it has not ended.
int exit_code_of(const SweepStatus& status);

}  // namespace ranktide::cli
