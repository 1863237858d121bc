#include "common/text/rows_cache.h"

#include <chrono>
#include <map>
#include <system_error>

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::hours kStillWritten{24};  // a draft; its writer may have a slow disk

struct KeptRows {
  fs::path file;
  int64_t bytes = 0;
};
using ByLastUse = std::multimap<fs::file_time_type, KeptRows>;

// Returns: the files of that ending, without those that another process removes meanwhile.
ByLastUse files_of(const fs::path& folder, const char* ending) {
  ByLastUse out;
  std::error_code gone;
  for (auto it = fs::directory_iterator(folder, gone); it != fs::directory_iterator(); it.increment(gone)) {
    if (it->path().extension() != ending) continue;
    const auto used = it->last_write_time(gone);
    if (gone) continue;
    const auto bytes = it->file_size(gone);
    if (!gone) out.emplace(used, KeptRows{it->path(), static_cast<int64_t>(bytes)});
  }
  return out;
}

// What cannot be removed, another user's for one, only takes room.
void remove_rows(const fs::path& file) {
  std::error_code ignored;
  fs::remove(file, ignored);
}

bool is_draft_of_rows(const fs::path& file) {
  return file.stem().stem().extension() == ".rows";  // <key>.rows.<process>.tmp
}

}  // namespace

void note_use_of_rows(const fs::path& file) {
  std::error_code not_ours;  // or read only: it is read all the same
  fs::last_write_time(file, fs::file_time_type::clock::now(), not_ours);
}

void limit_rows(const fs::path& just_used, int64_t bytes_max) {
  const fs::path folder = just_used.parent_path();
  const auto still_written = fs::file_time_type::clock::now() - kStillWritten;
  for (const auto& [written, draft] : files_of(folder, ".tmp"))
    if (written < still_written && is_draft_of_rows(draft.file)) remove_rows(draft.file);
  const ByLastUse kept = files_of(folder, ".rows");
  int64_t bytes = 0;
  for (const auto& [used, rows] : kept) bytes += rows.bytes;
  for (const auto& [used, rows] : kept) {
    if (bytes <= bytes_max) return;
    if (rows.file == just_used) continue;
    remove_rows(rows.file);
    bytes -= rows.bytes;
  }
}

}  // namespace ranktide
