#pragma once
// The disk under a simulated coordinator: a real data folder, written by the real store. It survives the
// process. A crash leaves the files as they stand at that moment, at times with a torn write behind the log's
// last commit, and the next life opens what is left. Not a model of SQLite: SQLite itself, on a file.

#include <filesystem>
#include <memory>

#include "common/vocabulary/random.h"
#include "coordinator/edge/store.h"

namespace ranktide::sim {

class CoordinatorDisk {
 public:
  CoordinatorDisk();
  ~CoordinatorDisk();
  CoordinatorDisk(const CoordinatorDisk&) = delete;
  CoordinatorDisk& operator=(const CoordinatorDisk&) = delete;

  // Begins a life of the process. Requires: the one before crashed.
  Store& open();
  void crash(SplitMix64& chance);
  // Requires: open() and no crash since.
  Store& store() const { return *store_; }

 private:
  std::filesystem::path life_folder() const;

  std::filesystem::path folder_;
  int life_ = 0;
  std::unique_ptr<Store> store_;
};

}  // namespace ranktide::sim
