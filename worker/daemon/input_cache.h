#pragma once
// Copies of inputs that this worker keeps: <folder>/<manifest id>/files/<name of the root>... beside its locks.
// An input is used while somebody holds a Use of it; the kernel lets go of it when that process ends. Policy at
// the limit: whatever nobody uses goes, least recently used first; when that is not enough, nothing is fetched.
// Not where inputs are looked for (input_finder.h). Thread rule: one thread; several processes may share a
// folder.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "common/content/manifest.h"

namespace ranktide {

struct InputCacheFull : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class InputCache {
 public:
  // Made when absent. Throws: std::filesystem::filesystem_error when it cannot be.
  InputCache(std::filesystem::path folder, int64_t bytes_max);

  // While it lives the input is not evicted.
  class Use {
   public:
    Use(Use&& other) noexcept;
    Use& operator=(Use&& other) noexcept;
    ~Use();

   private:
    friend class InputCache;
    explicit Use(int fd) : fd_(fd) {}
    int fd_;
  };
  // Makes a place for the input and marks it as used now.
  Use use(const Manifest& input);
  // Like Use, and of several processes that want to fill one place only one has it. `waiting` is called a few
  // times a second meanwhile.
  Use fill(const Manifest& input, const std::function<void()>& waiting);

  const std::filesystem::path& folder() const { return folder_; }
  // Returns: where the root of the input lies when it is whole. Requires: a Use of it, as below.
  std::filesystem::path root_of(const Manifest& input) const;
  // Returns: a file for the bytes of this hash while they arrive; on the same file system as the root.
  std::filesystem::path part_of(const Manifest& input, const std::string& sha256) const;

  // Makes room for that many more bytes of an input in use.
  // Throws: InputCacheFull with what to do; what was evicted until then is gone.
  void make_room(int64_t bytes);

 private:
  std::filesystem::path entry(const Manifest& input) const { return folder_ / input.id(); }
  // Returns: nullopt where there is no such file, or no folder for it. Throws: as the constructor.
  static std::optional<Use> open_lock(const std::filesystem::path& path, int flags);
  int64_t bytes_kept() const;
  bool evict_oldest();
  bool remove_evicted();

  std::filesystem::path folder_;
  int64_t bytes_max_;
};

}  // namespace ranktide
