#pragma once
// The worker's folder: who holds it, and where things stand in it. Held by one daemon at a time, because two
// would send the same spool and train into the same checkpoints. It may be a coordinator's data folder too,
// which has no such names of its own. Thread rule: one thread.

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "common/vocabulary/ids.h"

namespace ranktide {

inline constexpr std::chrono::hours kResumesKept{28 * 24};  // what nobody went on from for so long

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
  // Notes that an attempt of this unit begins now, and goes on from what is kept of it, if anything is.
  void use(const UnitId& unit) const;
  // Policy at the limit of what is kept for resumes, which is a time: units of which nothing was written or
  // used for so long are forgotten. Nobody tells a worker where a unit went that it has lost, and how it ended
  // there. Returns: them.
  std::vector<UnitId> unused_for(std::chrono::hours kept) const;
  // Returns: whether it still was one of those and is forgotten now.
  bool forget_unused(const UnitId& unit, std::chrono::hours kept) const;
  // Returns: the folder with <unit>/<attempt>.log, for whoever shows logs.
  static std::filesystem::path logs_of(const std::filesystem::path& work_folder) {
    return work_folder / "logs";
  }

 private:
  bool is_unused_for(const UnitId& unit, std::chrono::hours kept) const;

  std::filesystem::path folder_;
  int lock_fd_ = -1;
};

}  // namespace ranktide
