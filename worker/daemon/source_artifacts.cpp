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
constexpr std::chrono::seconds kHashesAskedForEvery{1};

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

bool is_step(const std::string& text) {
  constexpr size_t kDigitsMax = 18;
  return !text.empty() && text.size() <= kDigitsMax &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

// As its trainer keeps them: <stage>/<attempt>/<step>.
bool has_checkpoint(const Work& work, const fs::path& work_folder) {
  std::error_code absent;
  for (const auto& attempt : fs::directory_iterator(work_folder / "checkpoints" / work.stage->id.text, absent))
    for (const auto& step : fs::directory_iterator(attempt.path(), absent)) {
      const std::string name = step.path().filename().string();
      if (is_step(name) && (!work.resume_at_most || std::stoll(name) <= *work.resume_at_most)) return true;
    }
  return false;
}

// A list without hashes is of files that the coordinator is reading now.
std::vector<InputFile> hashed_files(const TrialId& trial, BulkClient& coordinator,
                                    const OnFetched& on_progress) {
  for (;;) {
    std::vector<InputFile> files = coordinator.files_of_artifact(trial.text);
    if (std::none_of(files.begin(), files.end(), [](const InputFile& file) { return file.sha256.empty(); }))
      return files;
    on_progress("fetching what trial " + trial.brief() + " left: the coordinator hashes it");
    std::this_thread::sleep_for(kHashesAskedForEvery);
  }
}

void fetch_files(const TrialId& trial, const fs::path& draft, BulkClient& coordinator,
                 const OnFetched& on_progress) {
  const std::vector<InputFile> files = hashed_files(trial, coordinator, on_progress);
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
  std::erase_if(out, [&](const TrialId& trial) {
    const bool goes_on = !work.require_exact && may_go_on_without(trial, work, work_folder);
    return goes_on || fs::is_directory(artifact_at(work_folder, trial));
  });
  return out;
}

bool may_go_on_without(const TrialId& trial, const Work& work, const fs::path& work_folder) {
  const bool may_start = work.kind == WorkKind::train && work.stage && work.stage->start;
  return may_start && work.stage->start->weights != trial && has_checkpoint(work, work_folder);
}

// What a process that was killed had fetched is gone on with.
bool bring_artifact(const TrialId& trial, const fs::path& work_folder, BulkClient& coordinator,
                    const OnFetched& on_progress) {
  if (!is_sha256_text(trial.text)) throw SourceMissing(trial.text + " is no trial's id");
  const fs::path place = artifact_at(work_folder, trial);
  const fs::path draft = draft_of(place);
  fs::create_directories(place.parent_path());
  const FetchLock lock(fetch_lock_of(place),
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
  place_fetched(draft, place);
  return true;
}

}  // namespace ranktide
