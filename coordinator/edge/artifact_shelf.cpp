#include "coordinator/edge/artifact_shelf.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>
#include <utility>

#include "common/content/hash_cache.h"
#include "common/content/manifest.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr size_t kFilesMax = 1'000;
constexpr std::chrono::milliseconds kHashPatience{100};  // everybody else's questions wait meanwhile

void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_synced = fd >= 0 && ::fsync(fd) == 0;
  const std::string why = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  if (!is_synced) throw std::runtime_error(folder.string() + ": cannot be synced: " + why);
}

void require_sound(const ShelveArtifact& artifact) {
  if (!is_sha256_text(artifact.trial) || artifact.files.empty())
    throw ShelfError(BulkRefusal::not_taken, "not a trial's artifact");
  if (artifact.files.size() > kFilesMax)
    throw ShelfError(BulkRefusal::not_taken, "an artifact of " + std::to_string(artifact.files.size()) +
                                                 " files, where " + std::to_string(kFilesMax) +
                                                 " are taken; copy its folder by hand");
  for (const InputFile& file : artifact.files)
    if (!is_safe_name(file.path) || !is_sha256_text(file.sha256))
      throw ShelfError(BulkRefusal::not_taken, "not a name below an artifact's folder, or no hash");
}

}  // namespace

ArtifactShelf::ArtifactShelf(ArtifactShelfConfig config)
    : config_(std::move(config)), arriving_(config_.arriving, config_.limits), hasher_(config_.hashes) {
  fs::create_directories(config_.folder);
}

void ArtifactShelf::shelve(const WorkerName& sender, const ShelveArtifact& artifact) {
  require_sound(artifact);
  if (!config_.has_finished(sender, artifact.trial))
    throw ShelfError(BulkRefusal::not_yours,
                     "trial " + artifact.trial.substr(0, 12) + " was not finished by " + sender.text);
  const fs::path place = config_.folder / artifact.trial;
  if (!fs::exists(place)) {
    const fs::path draft = config_.folder / (artifact.trial + ".arriving");
    fs::remove_all(draft);
    assemble(artifact, draft);
    fs::rename(draft, place);
    sync_folder(config_.folder);
    remember_hashes(artifact, place);
  }
  for (const InputFile& file : artifact.files) arriving_.remove(file.sha256);
  if (!config_.on_shelved(artifact.trial))
    throw std::runtime_error("artifact of trial " + artifact.trial.substr(0, 12) + " is kept and not told of");
}

std::vector<InputFile> ArtifactShelf::files_of(const std::string& trial) {
  const fs::path place = place_of(trial);
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(place))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  const bool is_hashed = !hasher_.hash(files, kHashPatience);
  std::vector<InputFile> out;
  for (const fs::path& file : files)
    out.push_back({file.lexically_relative(place).generic_string(),
                   is_hashed ? hasher_.known_sha256(file).value_or("") : "",
                   static_cast<int64_t>(fs::file_size(file))});
  return out;
}

BlobStore::Piece ArtifactShelf::read(const std::string& trial, const std::string& path, int64_t offset,
                                     size_t bytes_max) const {
  if (!is_safe_name(path)) throw ShelfError(BulkRefusal::not_taken, "not a name below an artifact's folder");
  const fs::path file = place_of(trial) / path;
  std::ifstream in(file, std::ios::binary);
  if (!in) throw ShelfError(BulkRefusal::absent, path + " of trial " + trial.substr(0, 12) + " is not here");
  BlobStore::Piece out{.bytes = std::string(bytes_max, '\0'),
                       .total = static_cast<int64_t>(fs::file_size(file))};
  in.seekg(std::min(std::max<int64_t>(offset, 0), out.total));
  in.read(out.bytes.data(), static_cast<std::streamsize>(bytes_max));
  if (in.bad()) throw std::runtime_error(file.string() + ": cannot be read");
  out.bytes.resize(static_cast<size_t>(in.gcount()));
  return out;
}

std::vector<std::string> ArtifactShelf::artifacts_in(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder, absent))
    if (is_sha256_text(entry.path().filename().string())) out.push_back(entry.path().filename().string());
  return out;
}

fs::path ArtifactShelf::place_of(const std::string& trial) const {
  if (!is_sha256_text(trial)) throw ShelfError(BulkRefusal::not_taken, "not a trial's id");
  fs::path out = config_.folder / trial;
  if (fs::is_directory(out)) return out;
  config_.on_absent(trial);
  throw ShelfError(BulkRefusal::absent,
                   "the coordinator does not have what trial " + trial.substr(0, 12) + " left");
}

// They were checked as it arrived; whoever asks for the artifact's list must not wait for them again.
void ArtifactShelf::remember_hashes(const ShelveArtifact& artifact, const fs::path& place) const {
  HashCache hashes(config_.hashes);
  for (const InputFile& file : artifact.files) hashes.learn_sha256(place / file.path, file.sha256);
}

void ArtifactShelf::assemble(const ShelveArtifact& artifact, const fs::path& draft) const {
  fs::create_directories(draft);
  for (const InputFile& file : artifact.files) {
    fs::create_directories((draft / file.path).parent_path());
    if (!arriving_.link_to(file.sha256, draft / file.path))
      throw ShelfError(BulkRefusal::absent, file.path + " has not arrived");
    sync_folder((draft / file.path).parent_path());
  }
}

}  // namespace ranktide
