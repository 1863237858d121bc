#pragma once
// Where things are: the data folder (database, artifacts, checkpoints, cache, reports) and the programs beside
// us.

#include <filesystem>
#include <string>

namespace ranktide::cli {

// Returns: --data-dir, else RANKTIDE_DATA_DIR, else $XDG_DATA_HOME/ranktide, else ~/.local/share/ranktide;
// absolute. Throws: CommandError when none of them can be told.
std::filesystem::path data_folder(const std::string& flag);

// Returns: the trainer beside this program. Throws: CommandError with the remedy when it is not there.
std::filesystem::path trainer_program();

// Returns: this program, which workers start again beside their trainers.
std::filesystem::path own_program();

inline std::filesystem::path cache_folder(const std::filesystem::path& data) {
  return data / "cache";
}
inline std::filesystem::path artifact_folder(const std::filesystem::path& data, const std::string& trial) {
  return data / "artifacts" / trial;
}

// Returns: where the folder's coordinator keeps a file that it was sent (coordinator/edge/blob_store.h).
inline std::filesystem::path kept_file(const std::filesystem::path& data, const std::string& sha256) {
  return data / "blobs" / sha256;
}

}  // namespace ranktide::cli
