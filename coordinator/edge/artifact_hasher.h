#pragma once
// Hashes files that nobody has hashed yet, on a thread of its own, so that whoever asks for an artifact's list
// waits for a while and not for hours. One file at a time, in pieces; what is hashed is remembered in a
// HashCache. Not for small files one by one. Thread rule: every method from any thread; the destructor waits
// for one piece at most.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/content/hash_cache.h"

namespace ranktide {

inline constexpr size_t kHashedFilesMax = 10'000;  // that wait; who asks for more asks again when there is room

struct HashingStanding {
  int64_t hashed_bytes = 0;
  int64_t bytes = 0;  // of all the files asked for
};

class ArtifactHasher {
 public:
  // cache: folder of the HashCache. before_piece: called before each piece is read, for tests that want a slow
  // disk.
  explicit ArtifactHasher(std::filesystem::path cache, std::function<void()> before_piece = {});
  ~ArtifactHasher();
  ArtifactHasher(const ArtifactHasher&) = delete;
  ArtifactHasher& operator=(const ArtifactHasher&) = delete;

  // Returns: nullopt once the cache knows the hash of every file; where that takes longer than `patience`, how
  // far it is. It goes on meanwhile. Throws: std::runtime_error for a file that cannot be read; it is read
  // again when it is asked for again.
  std::optional<HashingStanding> hash(const std::vector<std::filesystem::path>& files,
                                      std::chrono::milliseconds patience);
  // Returns: nullopt for a file that hash() has not ended with.
  std::optional<std::string> known_sha256(const std::filesystem::path& file);

 private:
  const HashCache& hashes();
  std::vector<std::filesystem::path> unknown_of(const std::vector<std::filesystem::path>& files);
  void queue(const std::vector<std::filesystem::path>& files);
  bool is_under_way(const std::vector<std::filesystem::path>& files) const;
  void throw_faults(const std::vector<std::filesystem::path>& files);
  HashingStanding standing_of(const std::vector<std::filesystem::path>& files,
                              const std::vector<std::filesystem::path>& unknown) const;
  void work();
  void work_on(const std::filesystem::path& file);
  std::optional<std::string> read_and_hash(const std::filesystem::path& file);

  const std::filesystem::path cache_;
  const std::function<void()> before_piece_;
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  bool is_ending_ = false;
  std::optional<HashCache> read_;              // what others ask for again and again, at most kHashEntriesMax
  std::deque<std::filesystem::path> waiting_;  // at most kHashedFilesMax
  std::filesystem::path current_;              // empty: none
  int64_t current_bytes_ = 0;                  // of it, hashed
  std::map<std::filesystem::path, std::string> faults_;  // of files that were asked for and not told
  std::thread thread_;                                   // begins with the first file
};

}  // namespace ranktide
