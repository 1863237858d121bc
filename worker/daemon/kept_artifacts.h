#pragma once
// What finished trials left in the work folder, adapters and weights, as <work folder>/artifacts/<trial>/, and
// what the coordinator has of it. That is kept in files beside them, which hold as long as the artifact is the
// one that they were made for: <trial>.sent says that it is durable there, <trial>.left that the coordinator
// would not have it, <trial>.early that it knows nothing yet, or never will, of this worker having finished the
// trial. Policy at the limit: what was sent goes, the longest sent first, though evals that are asked
// for later would have run on it; what was not sent is the only copy and stays. Not the sending
// (artifact_sender.h). What is being fetched for a trial (source_artifacts.h) is <trial>.fetching until it is
// whole, and counts as what is here. Thread rule: free functions; marks are made and artifacts dropped by one
// process, but for what is fetched, which whoever fetches it places with its mark.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

namespace ranktide {

// Returns: artifacts that are not known to be at the coordinator, by name.
std::vector<std::filesystem::path> unsent_artifacts(const std::filesystem::path& work_folder);
// Returns: of these, those that it will take as far as is known: what a drain waits for.
std::vector<std::filesystem::path> awaited_artifacts(const std::filesystem::path& work_folder);
// Returns: of the unsent ones, those that were early.
std::vector<std::filesystem::path> early_artifacts(const std::filesystem::path& work_folder);

enum class ArtifactMark { sent, left, early };
// Replaces what was marked before.
void mark_artifact(const std::filesystem::path& artifact, ArtifactMark mark);

// Gives a draft that is whole the artifact's name, marked as sent. The mark comes first: nobody takes it for
// one that is to be sent. Durable when it returns. Throws: std::runtime_error when the disk refuses.
void place_fetched(const std::filesystem::path& draft, const std::filesystem::path& artifact);

// Where a fetch stands, and the lock that its process holds.
std::filesystem::path draft_of(const std::filesystem::path& artifact);
std::filesystem::path fetch_lock_of(const std::filesystem::path& artifact);

// Removes what nobody has fetched at for an hour, then sent artifacts until those of this folder, and what is
// being fetched, have at most `bytes_max` bytes together; what was fetched within the hour stays all the same.
// Calls `on_gone` with each as soon as it has no name here any more, so that it is known of also where a later
// one, or the rest of it, cannot be removed. Throws: std::filesystem::filesystem_error.
void drop_sent_artifacts(const std::filesystem::path& work_folder, int64_t bytes_max,
                         const std::function<void(const std::filesystem::path&)>& on_gone);

}  // namespace ranktide
