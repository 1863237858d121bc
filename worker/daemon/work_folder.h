#pragma once
// The worker's folder: who holds it, and where things stand in it. Held by one daemon at a time, because two
// would send the same spool and train into the same checkpoints. It may be a coordinator's data folder too,
// which has no such names of its own. Thread rule: one thread.

#include <filesystem>
#include <stdexcept>

#include "common/vocabulary/ids.h"

namespace ranktide {

struct WorkFolderError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class WorkFolder {
 public:
  // Makes the folder when it is absent and locks it.
  // Throws: WorkFolderError when another worker holds it, or it cannot be written.
  explicit WorkFolder(std::filesystem::path folder);
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path spool() const { return folder_ / "spool"; }
  std::filesystem::path logs() const { return logs_of(folder_); }
  std::filesystem::path keys() const { return folder_ / "keys"; }
  // Removes what trainers keep (work_folders.h says the same names) for a resume of this unit:
  // checkpoints/<unit> and evals/<unit>. What cannot be removed only takes room.
  void forget(const UnitId& unit) const;
  // Returns: the folder with <unit>/<attempt>.log, for whoever shows logs.
  static std::filesystem::path logs_of(const std::filesystem::path& work_folder) {
    return work_folder / "logs";
  }

 private:
  std::filesystem::path folder_;
  int lock_fd_ = -1;
};

}  // namespace ranktide
