#include "coordinator/edge/artifact_routes.h"

#include <algorithm>
#include <fstream>
#include <spdlog/spdlog.h>

#include "common/content/hash_cache.h"
#include "common/content/manifest.h"
#include "common/vocabulary/wire.h"
#include "coordinator/edge/store.h"

namespace ranktide {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kArtifacts = "/api/v1/artifacts/";
constexpr std::chrono::milliseconds kListPatience{200};  // of one of the few threads that answer all questions

// A link could lead out of the folder; none is ever made there.
bool is_plain_file(const fs::path& file) {
  std::error_code absent;
  return fs::is_regular_file(fs::symlink_status(file, absent));
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> out;
  if (!fs::is_directory(folder)) return out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (is_plain_file(entry.path())) out.push_back(entry.path());
  return out;
}

ApiResponse answer_later(const HashingStanding& standing) {
  const StillHashing body{.error = "the files' hashes are being made; ask again in a second",
                          .hashed = standing.hashed_bytes,
                          .bytes = standing.bytes};
  return {.status = 503, .body = printed(to_json(body)), .retry_after_s = 1};
}

ApiResponse answer_list(const fs::path& data_folder, const std::string& trial, ArtifactHasher* hasher) {
  if (hasher) {
    const std::vector<fs::path> files = files_of(artifacts_folder(data_folder, TrialId{trial}));
    if (const auto standing = hasher->hash(files, kListPatience)) return answer_later(*standing);
  }
  const Artifact artifact = read_artifact(data_folder, trial);
  if (artifact.files.empty())
    return failure(404, "nothing is kept here of trial " + trial.substr(0, 12) +
                            "; run.keep says what finished trials leave");
  return {.body = printed(to_json(artifact))};
}

ApiResponse answer_piece(const fs::path& data_folder, const std::string& trial, const std::string& file,
                         int64_t offset) {
  if (!is_safe_name(file)) return failure(400, "not a name below an artifact's folder");
  auto piece = read_artifact_piece(data_folder, trial, file, offset);
  if (!piece) return failure(404, "trial " + trial.substr(0, 12) + " left no such file");
  return {.type = "application/octet-stream", .body = *std::move(piece)};
}

}  // namespace

Artifact read_artifact(const fs::path& data_folder, const std::string& trial) {
  Artifact out{.trial = trial, .files = {}};
  const fs::path folder = artifacts_folder(data_folder, TrialId{trial});
  HashCache hashes(data_folder / "cache");
  for (const fs::path& file : files_of(folder))
    out.files.push_back({.path = file.lexically_relative(folder).generic_string(),
                         .bytes = static_cast<int64_t>(fs::file_size(file)),
                         .sha256 = hashes.sha256_of(file)});
  std::sort(out.files.begin(), out.files.end(), [](auto& a, auto& b) { return a.path < b.path; });
  return out;
}

std::optional<std::string> read_artifact_piece(const fs::path& data_folder, const std::string& trial,
                                               const std::string& file, int64_t offset) {
  const fs::path path = artifacts_folder(data_folder, TrialId{trial}) / file;
  if (!is_plain_file(path)) return std::nullopt;
  const auto bytes = static_cast<int64_t>(fs::file_size(path));
  std::ifstream in(path, std::ios::binary);
  in.seekg(std::clamp<int64_t>(offset, 0, bytes));
  std::string out(kArtifactPieceBytesMax, '\0');
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (in.bad()) throw std::runtime_error(path.string() + ": cannot be read");
  out.resize(static_cast<size_t>(in.gcount()));
  return out;
}

std::string artifact_target(const std::string& trial) {
  return std::string(kArtifacts) + trial;
}

std::string artifact_target(const std::string& trial, const std::string& file, int64_t offset) {
  return artifact_target(trial) + "/" + percent_encode(file) + "?offset=" + std::to_string(offset);
}

bool is_artifact_path(const std::string& path) {
  return path.starts_with(kArtifacts);
}

ApiResponse answer_artifact(const fs::path& data_folder, const Target& target, ArtifactHasher* hasher) {
  const std::string rest = target.path.substr(kArtifacts.size());
  const size_t slash = rest.find('/');
  const std::string trial = rest.substr(0, slash);
  if (!is_sha256_text(trial))
    return failure(400, "a trial's full id stands there; /api/v1/trials?prefix= tells it");
  const int64_t offset = integer_of(target, "offset", 0);
  try {
    if (slash == std::string::npos) return answer_list(data_folder, trial, hasher);
    return answer_piece(data_folder, trial, rest.substr(slash + 1), offset);
  } catch (const std::runtime_error& error) {  // the disk
    spdlog::error("{}", error.what());
    return failure(500, "the coordinator's disk refused it; its log says why");
  }
}

}  // namespace ranktide
