#pragma once
// A trial's artifact copied into a folder, file by file, in pieces: a copy that was cut goes on where it was,
// and a file has its name only once its hash is the one that was promised. Not where it comes from
// (results.h). One thread.

#include <filesystem>
#include <functional>
#include <string>

#include "cli/transfer_told.h"
#include "coordinator/edge/artifact_routes.h"

namespace ranktide::cli {

// Returns: bytes of the file from `offset` on, none beyond its end.
using ArtifactPiece = std::function<std::string(const std::string& file, int64_t offset)>;

// Files that are there already, with that hash, are left; FILE.part is one that has begun.
// Throws: CommandError for another file of a name, for bytes that are not what was promised (the next call
// begins that file anew) and when the disk refuses; what `piece` throws.
void copy_artifact(const Artifact& artifact, const ArtifactPiece& piece, const std::filesystem::path& folder,
                   const TransferTold& told);

}  // namespace ranktide::cli
