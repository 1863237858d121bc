#pragma once
// Files that clients and workers sent, by content: <folder>/<sha256>, and <sha256>.part while one arrives. A
// file gets its name only when its hash was checked and it is on disk. It knows hashes and no names, and hands
// out nothing that is not complete. Policy at the limit: files that were begun and not touched for a week go
// (also at every start); then complete ones that no unfinished sweep names and that nobody used within the last
// hour, least recently used first, where that makes room enough (blob_eviction.h); else the new file is refused
// with what to do. A complete file's modification time is its last use. Thread rule: any thread; a piece is
// written, and room is made, under one lock; reading takes none.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "common/vocabulary/sha256.h"

namespace ranktide {

struct BlobLimits {
  int64_t total_bytes = int64_t{20} << 30;  // of all files, those that arrive included
  int64_t file_bytes = int64_t{2} << 30;
  double disk_free_min = 0.02;  // of the disk: what would leave less is refused as full
};

enum class BlobFault { malformed, too_large, full, wrong_content };
struct BlobError : std::runtime_error {
  BlobError(BlobFault f, const std::string& message) : std::runtime_error(message), fault(f) {}
  BlobFault fault;
};

class BlobStore {
 public:
  // Returns: hashes that somebody may still need. Asked when the store is full, under its lock, on the thread
  // that adds a file; whatever it throws, that thread gets, and nothing is evicted.
  using Named = std::function<std::set<std::string>()>;

  // Makes the folder when it is absent; without `named` no complete file is evicted.
  // Throws: std::runtime_error when the folder cannot be made or read.
  explicit BlobStore(std::filesystem::path folder, BlobLimits limits = {}, Named named = {});

  struct Standing {
    int64_t here = 0;  // bytes, from the beginning on
    bool is_complete = false;
  };
  // Throws: BlobError{malformed}, as every method, for what is no hash.
  Standing standing(const std::string& sha256);

  // Takes bytes that begin where those here end; others change nothing. The last ones make the file complete.
  // Returns: how it stands then. Throws: BlobError; with wrong_content what had arrived is gone; and
  // std::runtime_error when the disk refuses.
  Standing append(const std::string& sha256, int64_t total, int64_t offset, std::string_view bytes);

  struct Piece {
    std::string bytes;
    int64_t total = 0;
  };
  // Returns: up to bytes_max bytes from `offset` on, none beyond the end; nullopt when the file is not complete
  // here.
  std::optional<Piece> read(const std::string& sha256, int64_t offset, size_t bytes_max) const;

  // Gives a complete file another name beside its own, on the same file system.
  // Returns: false when it is not complete here. Throws: std::filesystem::filesystem_error.
  bool link_to(const std::string& sha256, const std::filesystem::path& target) const;
  // Forgets a complete file; absent is fine.
  void remove(const std::string& sha256);

 private:
  struct Part {  // a file that arrives
    Sha256 hash;
    int64_t here = 0;
  };
  std::filesystem::path whole(const std::string& sha256) const;
  std::filesystem::path part(const std::string& sha256) const;
  Part& part_of(const std::string& sha256);
  Standing standing_locked(const std::string& sha256);
  void require_size(int64_t total) const;
  void require_disk(int64_t bytes) const;
  void make_room(int64_t bytes);
  bool has_room(int64_t bytes) const { return used_bytes_ + bytes <= limits_.total_bytes; }
  void evict(int64_t bytes);
  void forget_old_parts();
  void write(const std::string& sha256, Part& part, std::string_view bytes);
  void finish(const std::string& sha256, Part& part);
  void take_stock();

  std::filesystem::path folder_;
  BlobLimits limits_;
  Named named_;
  std::mutex mutex_;
  std::map<std::string, Part> parts_;
  int64_t used_bytes_ = 0;
};

}  // namespace ranktide
