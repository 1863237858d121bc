#pragma once
// A data folder on disk: its lock and its reserve of space. Not its database (store.h). One thread.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "coordinator/edge/store_sql.h"

namespace ranktide {

// Why a folder cannot be served. Its own type because a service's exit code says which.
struct FolderError : StoreError {
  enum class Why { in_use, cannot_write, cannot_lock };
  FolderError(Why why_, const std::string& message) : StoreError(message), why(why_) {}
  Why why;
};

// Makes the folder where it is absent. Throws: FolderError naming the folder and the remedy.
void make_data_folder(const std::filesystem::path& folder);

// Holds the folder for one coordinator. flock: the kernel lets go when the process ends, however it ends.
class FolderLock {
 public:
  // Throws: FolderError when another process holds it, or the folder cannot be written or locked.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;

  // Returns: "process 123", who holds the folder now; nullopt when nobody does, or it cannot be looked at.
  static std::optional<std::string> holder(const std::filesystem::path& folder);
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

// Space that is given back when the disk is full, so that a last turn and its checkpoint still fit.
class Reserve {
 public:
  explicit Reserve(const std::filesystem::path& folder);

  // Takes the reserve up to its size where the disk has ten times that left; a fuller disk keeps what it has.
  void refill() const;
  // Returns: whether there was something to give back.
  bool spend() const;

  static constexpr int64_t kBytesMax = int64_t{16} << 20;  // of a small disk: 5 % of it

 private:
  std::filesystem::path file_;
};

}  // namespace ranktide
