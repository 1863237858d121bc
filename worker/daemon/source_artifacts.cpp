#include "worker/daemon/source_artifacts.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

#include "common/content/manifest.h"
#include "worker/daemon/kept_artifacts.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::milliseconds kLockLookedAtEvery{200};

using OnFetched = std::function<void(const std::string& what)>;

fs::path artifact_at(const fs::path& work_folder, const TrialId& trial) {
  return work_folder / "artifacts" / trial.text;
}

// Held while it lives; the kernel lets go of it when the process ends.
class FetchLock {
 public:
  FetchLock(const fs::path& path, const std::function<void()>& waiting)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0) throw std::runtime_error(path.string() + ": cannot be opened: " + std::strerror(errno));
    while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      waiting();
      std::this_thread::sleep_for(kLockLookedAtEvery);
    }
  }
  ~FetchLock() { ::close(fd_); }
  FetchLock(const FetchLock&) = delete;
  FetchLock& operator=(const FetchLock&) = delete;

 private:
  int fd_;
};

void fetch_files(const TrialId& trial, const fs::path& draft, BulkClient& coordinator,
                 const OnFetched& on_progress) {
  const std::vector<InputFile> files = coordinator.files_of_artifact(trial.text);
  int64_t total = 0, before = 0;
  for (const InputFile& file : files) total += file.bytes;
  for (const InputFile& file : files) {
    if (!is_safe_name(file.path))
      throw SourceMissing("trial " + trial.brief() + ": " + file.path + " is no name");
    fs::create_directories((draft / file.path).parent_path());
    coordinator.fetch_of_artifact(trial.text, file, draft / file.path, [&](int64_t here) {
      const int64_t percent = (before + here) * 100 / std::max<int64_t>(total, 1);
      on_progress("fetching what trial " + trial.brief() + " left " + std::to_string(percent) + "%");
    });
    before += file.bytes;
  }
}

}  // namespace

std::vector<TrialId> missing_artifacts(const Work& work, const fs::path& work_folder) {
  if (!work.stage) return {};
  std::vector<TrialId> out = artifacts_needed(work.kind, *work.stage);
  std::erase_if(out, [&](const TrialId& trial) { return fs::is_directory(artifact_at(work_folder, trial)); });
  return out;
}

// What a process that was killed had fetched is gone on with.
bool bring_artifact(const TrialId& trial, const fs::path& work_folder, BulkClient& coordinator,
                    const OnFetched& on_progress) {
  if (!is_sha256_text(trial.text)) throw SourceMissing(trial.text + " is no trial's id");
  const fs::path place = artifact_at(work_folder, trial);
  const fs::path draft = place.string() + ".fetching";
  fs::create_directories(place.parent_path());
  const FetchLock lock(place.string() + ".lock",
                       [&] { on_progress("fetching what trial " + trial.brief() + " left"); });
  if (fs::is_directory(place)) return true;
  try {
    fetch_files(trial, draft, coordinator, on_progress);
  } catch (const BulkAbsent&) {
    return false;
  } catch (const BulkError& error) {
    throw SourceMissing("what trial " + trial.brief() +
                        " left cannot be fetched from the coordinator: " + error.what());
  }
  fs::rename(draft, place);
  mark_artifact(place, ArtifactMark::sent);
  return true;
}

}  // namespace ranktide
