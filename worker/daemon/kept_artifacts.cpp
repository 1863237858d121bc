#include "worker/daemon/kept_artifacts.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <stdexcept>
#include <string>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>

#include "common/content/manifest.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr std::array kMarks{".sent", ".left", ".early"};  // as ArtifactMark counts
constexpr const char* kFetching = ".fetching";
constexpr auto kDraftKept = std::chrono::hours(1);    // of a fetch that was cut: it is gone on with
constexpr auto kFetchedKept = std::chrono::hours(1);  // whoever fetched it has to come to read it
constexpr const char* kDropped = ".dropped";          // renamed so first: no half artifact has a trial's name

fs::path beside(const fs::path& artifact, const char* ending) {
  return artifact.string() + ending;
}

// A trial that was trained again leaves another artifact under the same name.
std::string stamp_of(const fs::path& artifact) {
  std::error_code gone;  // another process may be dropping it: then no mark is of it
  const auto written = fs::last_write_time(artifact, gone);
  return gone ? "" : std::to_string(written.time_since_epoch().count());
}

fs::path mark_of(const fs::path& artifact, ArtifactMark mark) {
  return beside(artifact, kMarks.at(static_cast<size_t>(mark)));
}

bool has_mark(const fs::path& artifact, ArtifactMark mark) {
  std::ifstream in(mark_of(artifact, mark));
  std::string stamp;
  return in >> stamp && stamp == stamp_of(artifact);
}

void remove_marks(const fs::path& artifact) {
  for (const char* mark : kMarks) fs::remove(beside(artifact, mark));
}

std::vector<fs::path> artifacts_in(const fs::path& work_folder) {
  std::vector<fs::path> out;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(work_folder / "artifacts", absent))
    if (is_sha256_text(entry.path().filename().string()) && entry.is_directory(absent))
      out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

int64_t bytes_of(const fs::path& artifact) {
  int64_t out = 0;
  for (const auto& entry : fs::recursive_directory_iterator(artifact))
    if (entry.is_regular_file()) out += static_cast<int64_t>(entry.file_size());
  return out;
}

struct SentArtifact {
  fs::file_time_type sent;
  fs::path folder;
  int64_t bytes = 0;
};

void drop(const fs::path& artifact, const std::function<void(const fs::path&)>& on_gone) {
  const fs::path going = beside(artifact, kDropped);
  fs::rename(artifact, going);
  on_gone(artifact);
  remove_marks(artifact);
  fs::remove_all(going);
}

// What a process that was killed had begun to drop.
void finish_drops(const fs::path& work_folder) {
  std::vector<fs::path> begun;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(work_folder / "artifacts", absent))
    if (entry.path().extension() == kDropped) begun.push_back(entry.path());
  for (const fs::path& each : begun) fs::remove_all(each);
}

// Keeps a draft from whoever would go on with it while it is looked at and dropped: of what vanishes in
// between, a fetch would place a part under the name of the whole. Where no lock can be made, on a full disk,
// no fetch can make one either.
class DraftLock {
 public:
  explicit DraftLock(const fs::path& lock) : fd_(::open(lock.c_str(), O_RDWR | O_CLOEXEC | O_CREAT, 0600)) {
    is_held_ = fd_ < 0 || ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
  }
  ~DraftLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  DraftLock(const DraftLock&) = delete;
  DraftLock& operator=(const DraftLock&) = delete;

  bool is_held() const { return is_held_; }

 private:
  int fd_;
  bool is_held_ = false;
};

fs::file_time_type last_written(const fs::path& draft) {
  fs::file_time_type out = fs::last_write_time(draft);
  for (const auto& entry : fs::recursive_directory_iterator(draft))
    out = std::max(out, entry.last_write_time());
  return out;
}

// Returns: the bytes of those that stay.
int64_t drop_old_drafts(const fs::path& work_folder) {
  std::vector<fs::path> drafts;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(work_folder / "artifacts", absent))
    if (entry.path().extension() == kFetching && entry.is_directory(absent)) drafts.push_back(entry.path());
  int64_t out = 0;
  for (const fs::path& draft : drafts) {
    const DraftLock lock(fetch_lock_of(fs::path(draft).replace_extension()));
    try {
      if (!lock.is_held() || last_written(draft) + kDraftKept > fs::file_time_type::clock::now())
        out += bytes_of(draft);
      else
        fs::remove_all(draft);
    } catch (const fs::filesystem_error&) {  // it got its name while it was looked at
      if (fs::exists(draft)) throw;
    }
  }
  return out;
}

void sync_names_in(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_synced = fd >= 0 && ::fsync(fd) == 0;
  const std::string why = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  if (!is_synced) throw std::runtime_error(folder.string() + ": cannot be synced: " + why);
}

}  // namespace

fs::path draft_of(const fs::path& artifact) {
  return beside(artifact, kFetching);
}

fs::path fetch_lock_of(const fs::path& artifact) {
  return beside(artifact, ".lock");
}

// The mark is of the folder's time, which a rename leaves.
void place_fetched(const fs::path& draft, const fs::path& artifact) {
  for (const auto& entry : fs::recursive_directory_iterator(draft))
    if (entry.is_directory()) sync_names_in(entry.path());
  sync_names_in(draft);
  remove_marks(artifact);
  std::ofstream(mark_of(artifact, ArtifactMark::sent)) << stamp_of(draft) << "\n";
  fs::rename(draft, artifact);
  sync_names_in(artifact.parent_path());
}

std::vector<fs::path> unsent_artifacts(const fs::path& work_folder) {
  std::vector<fs::path> out = artifacts_in(work_folder);
  std::erase_if(out, [](const fs::path& each) { return has_mark(each, ArtifactMark::sent); });
  return out;
}

std::vector<fs::path> awaited_artifacts(const fs::path& work_folder) {
  std::vector<fs::path> out = unsent_artifacts(work_folder);
  std::erase_if(out, [](const fs::path& each) {
    return has_mark(each, ArtifactMark::left) || has_mark(each, ArtifactMark::early);
  });
  return out;
}

std::vector<fs::path> early_artifacts(const fs::path& work_folder) {
  std::vector<fs::path> out = unsent_artifacts(work_folder);
  std::erase_if(out, [](const fs::path& each) { return !has_mark(each, ArtifactMark::early); });
  return out;
}

// A full disk forgets marks, which costs a question each.
void mark_artifact(const fs::path& artifact, ArtifactMark mark) {
  if (has_mark(artifact, mark)) return;
  remove_marks(artifact);
  std::ofstream(mark_of(artifact, mark)) << stamp_of(artifact) << "\n";
}

void drop_sent_artifacts(const fs::path& work_folder, int64_t bytes_max,
                         const std::function<void(const fs::path&)>& on_gone) {
  finish_drops(work_folder);
  int64_t used = drop_old_drafts(work_folder);
  std::vector<SentArtifact> sent;
  for (const fs::path& each : artifacts_in(work_folder)) {
    const int64_t bytes = bytes_of(each);
    used += bytes;
    if (!has_mark(each, ArtifactMark::sent)) continue;
    const auto marked = fs::last_write_time(mark_of(each, ArtifactMark::sent));
    const bool is_just_fetched =
        fs::exists(fetch_lock_of(each)) && marked + kFetchedKept > fs::file_time_type::clock::now();
    if (!is_just_fetched) sent.push_back({marked, each, bytes});
  }
  std::sort(sent.begin(), sent.end(),
            [](const SentArtifact& a, const SentArtifact& b) { return a.sent < b.sent; });
  for (const SentArtifact& each : sent) {
    if (used <= bytes_max) break;
    drop(each.folder, on_gone);
    used -= each.bytes;
  }
}

}  // namespace ranktide
