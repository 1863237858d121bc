#include "worker/daemon/kept_artifacts.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <system_error>

#include "common/content/manifest.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr std::array kMarks{".sent", ".left", ".early"};  // as ArtifactMark counts
constexpr const char* kDropped = ".dropped";  // renamed so first: no half artifact has a trial's name

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

}  // namespace

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
  int64_t used = 0;
  std::vector<SentArtifact> sent;
  for (const fs::path& each : artifacts_in(work_folder)) {
    const int64_t bytes = bytes_of(each);
    used += bytes;
    if (has_mark(each, ArtifactMark::sent))
      sent.push_back({fs::last_write_time(mark_of(each, ArtifactMark::sent)), each, bytes});
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
