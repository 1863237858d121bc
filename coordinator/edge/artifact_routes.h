#pragma once
// What trials left (adapters, weights), over HTTP: its files with their hashes, and each in pieces, so that a
// cut copy goes on where it was. What is kept, and where, is artifact_shelf.h's. Any thread.
//   GET /api/v1/artifacts/TRIAL                  {"trial", "files": [{"path", "bytes", "sha256"}]}, by path
//   GET /api/v1/artifacts/TRIAL/FILE?offset=     up to a MiB from there on, none beyond the end
// Errors: 400 no trial's id or no name below its folder, 404 nothing is kept there, 503 with {"hashed",
// "bytes"} while the list's hashes are not all made.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/edge/api.h"
#include "coordinator/edge/artifact_hasher.h"

namespace ranktide {

struct ArtifactFile {
  std::string path;  // below the artifact's folder, '/' between its parts
  int64_t bytes = 0;
  std::string sha256;
};
template <class Ar>
void fields(Ar& ar, ArtifactFile& f) {
  ar("path", f.path)("bytes", f.bytes)("sha256", f.sha256);
}

struct Artifact {
  std::string trial;
  std::vector<ArtifactFile> files;  // none: nothing is kept of it
};
template <class Ar>
void fields(Ar& ar, Artifact& a) {
  ar("trial", a.trial)("files", a.files);
}

inline constexpr size_t kArtifactPieceBytesMax = 1 << 20;

// The body of 503 where a list's hashes are being made.
struct StillHashing {
  std::string error;
  int64_t hashed = 0;  // bytes
  int64_t bytes = 0;
};
template <class Ar>
void fields(Ar& ar, StillHashing& s) {
  ar("error", s.error)("hashed", s.hashed)("bytes", s.bytes);
}

// Requires: `trial` is a full id. Hashes are remembered in <data folder>/cache.
// Throws: std::runtime_error when the disk refuses.
Artifact read_artifact(const std::filesystem::path& data_folder, const std::string& trial);
// Returns: bytes from `offset` on, none beyond the end; nullopt when there is no such file.
// Requires: `trial` is a full id, is_safe_name(file).
std::optional<std::string> read_artifact_piece(const std::filesystem::path& data_folder,
                                               const std::string& trial, const std::string& file,
                                               int64_t offset);

// Returns: the targets that ask for these.
std::string artifact_target(const std::string& trial);
std::string artifact_target(const std::string& trial, const std::string& file, int64_t offset);

bool is_artifact_path(const std::string& path);
// Requires: is_artifact_path(target.path). hasher: makes the hashes of a list that nobody has made; nullptr:
// they are made here, however long that takes. Throws: QueryError for an offset that is no number.
ApiResponse answer_artifact(const std::filesystem::path& data_folder, const Target& target,
                            ArtifactHasher* hasher = nullptr);

}  // namespace ranktide
