#pragma once
// Brings what other trials left to this worker: what a trial starts from, or an eval reads, lies with the
// worker that trained it, and with the coordinator for who else runs it. Fetched whole or not at all, each
// file with its hash, as <work folder>/artifacts/<trial>/, marked as sent: it goes when room is needed
// (kept_artifacts.h). Of several processes that want one only one fetches it. It waits: for a process of its
// own. Thread rule: free functions.

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/vocabulary/work.h"
#include "worker/daemon/bulk_client.h"

namespace ranktide {

struct SourceMissing : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Returns: those of the work's artifacts that are not here. What it starts from is none of them where it may go
// on without; but under require_exact its trainer may refuse what is not exact, and begin anew.
std::vector<TrialId> missing_artifacts(const Work& work, const std::filesystem::path& work_folder);

// Returns: whether the work only starts from what the trial left, and has a checkpoint of its own here.
bool may_go_on_without(const TrialId& trial, const Work& work, const std::filesystem::path& work_folder);

// `on_progress`: as of InputFinder. Waits while the coordinator hashes it. Returns: whether it is here now;
// false where the coordinator has none. Throws: SourceMissing with the reason when the coordinator cannot be
// asked, or what came is not what it should be; std::runtime_error when the disk refuses.
bool bring_artifact(const TrialId& trial, const std::filesystem::path& work_folder, BulkClient& coordinator,
                    const std::function<void(const std::string& what)>& on_progress);

}  // namespace ranktide
