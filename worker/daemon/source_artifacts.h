#pragma once
// Brings what other trials left to this worker: what a trial starts from, or an eval reads, lies with the
// worker that trained it, and where that one has gone, with the coordinator. Fetched whole or not at all, as
// <work folder>/artifacts/<trial>/, marked as sent: it goes when room is needed (kept_artifacts.h). Of several
// processes that want one only one fetches it. It waits: for a process of its own. Thread rule: free functions.

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

// Returns: those of the work's artifacts that are not here.
std::vector<TrialId> missing_artifacts(const Work& work, const std::filesystem::path& work_folder);

// `on_progress`: as of InputFinder. Returns: whether it is here now; false where the coordinator has none:
// whether the work needs it yet is its trainer's to say, since one that goes on from its own checkpoint may
// not. Throws: SourceMissing with the reason when the coordinator cannot be asked; std::runtime_error when the
// disk refuses.
bool bring_artifact(const TrialId& trial, const std::filesystem::path& work_folder, BulkClient& coordinator,
                    const std::function<void(const std::string& what)>& on_progress);

}  // namespace ranktide
