#include "cli/artifact_copy.h"

#include <fmt/format.h>
#include <fstream>

#include "cli/exit_codes.h"
#include "common/content/manifest.h"
#include "common/vocabulary/sha256.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

// Returns: bytes of the file that are here; one that is longer than it may be begins anew.
int64_t bytes_here(const fs::path& part, int64_t bytes) {
  std::error_code absent;
  const auto here = fs::file_size(part, absent);
  if (!absent && here <= static_cast<uintmax_t>(bytes)) return static_cast<int64_t>(here);
  fs::remove(part, absent);
  return 0;
}

void fill(const fs::path& part, const ArtifactFile& file, const ArtifactPiece& piece,
          const TransferTold& told) {
  int64_t here = bytes_here(part, file.bytes);
  std::ofstream out(part, std::ios::binary | std::ios::app);
  while (here < file.bytes) {
    const std::string bytes = piece(file.path, here);
    if (bytes.empty())
      throw CommandError(kFailed, file.path + " became shorter while it was fetched; run the command again");
    out << bytes << std::flush;
    if (!out) throw CommandError(kFailed, "cannot write " + part.string() + "; is the disk full?");
    here += static_cast<int64_t>(bytes.size());
    told.moved(file.path, here, file.bytes);
  }
}

void copy_file(const ArtifactFile& file, const ArtifactPiece& piece, const fs::path& place,
               const TransferTold& told) {
  if (fs::exists(place)) {
    if (sha256_of_file(place) == file.sha256) return;
    throw CommandError(kFailed, place.string() + " is another file; remove it, or give another folder with -o");
  }
  fs::create_directories(place.parent_path());
  const fs::path part = place.string() + ".part";
  fill(part, file, piece, told);
  if (sha256_of_file(part) != file.sha256) {
    fs::remove(part);
    throw CommandError(kFailed, file.path + " is not what its hash says; run the command again");
  }
  fs::rename(part, place);
}

// The names come from somebody else's disk.
void require_safe(const Artifact& artifact) {
  for (const ArtifactFile& file : artifact.files)
    if (!is_safe_name(file.path))
      throw CommandError(kFailed,
                         "the coordinator names a file that leads out of its folder; nothing was copied");
}

}  // namespace

void copy_artifact(const Artifact& artifact, const ArtifactPiece& piece, const fs::path& folder,
                   const TransferTold& told) {
  require_safe(artifact);
  for (const ArtifactFile& file : artifact.files) copy_file(file, piece, folder / file.path, told);
}

}  // namespace ranktide::cli
