#pragma once
// Content hashes of files, and texts computed from files, remembered on disk, so that a gigabyte of weights is
// read once and not at every start. An entry counts only while size, modification time and inode of every file
// that it was made from are the same. Processes may share one: each adds to what is there, and of two that need
// the same hash the second waits for the first. Losing or tearing the file costs time, never correctness. At
// kHashEntriesMax it begins anew. What JSON cannot hold, a name that is no UTF-8, is remembered by this process
// only. One thread.

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ranktide {

inline constexpr size_t kHashEntriesMax = 50'000;

// Gives a file another name: a hard link, or a symbolic one where the file system allows no other.
// Throws: std::filesystem::filesystem_error, also when the name is taken.
void link_file(const std::filesystem::path& file, const std::filesystem::path& target);

class HashCache {
 public:
  // Keeps <folder>/hashes.json.
  explicit HashCache(const std::filesystem::path& folder);
  ~HashCache();
  HashCache(const HashCache&) = delete;
  HashCache& operator=(const HashCache&) = delete;

  // Returns: what `compute` gave for `key` when the files looked as they do now; else computes and remembers.
  std::string remembered(const std::string& key, const std::vector<std::filesystem::path>& files,
                         const std::function<std::string()>& compute);
  // Returns: the SHA-256 of one file. Throws: std::runtime_error when it cannot be read.
  std::string sha256_of(const std::filesystem::path& file);
  // Takes a hash that somebody just made, so that sha256_of() need not read the file.
  void learn_sha256(const std::filesystem::path& file, const std::string& sha256);
  // Returns: the SHA-256 of a file that was hashed before and looks as it did then; it is not read.
  std::optional<std::string> known_sha256(const std::filesystem::path& file) const;
  // Returns: whether its file looks as it did when it was read, so that there is nothing new in it. For who
  // keeps one for long, and makes another where not.
  bool is_as_read() const;
  // Returns: a file that was hashed before, looks as it did then and has this SHA-256.
  std::optional<std::filesystem::path> known_file(const std::string& sha256);
  // Returns: the folders with a file of this name that was hashed before, by path. It may have changed since.
  std::vector<std::filesystem::path> folders_with(std::string_view name);
  // Gives a file that was hashed before, and looks as it did then, this name too.
  // Returns: false when none is known to hold these bytes. Throws: as link_file().
  bool link_known(const std::string& sha256, const std::filesystem::path& target);

 private:
  struct Entry {
    std::string stamp;
    std::string hash;
  };
  const Entry* find(const std::string& key, const std::string& stamp) const;
  void remember(const std::string& key, const std::string& stamp, const std::string& hash);
  static bool can_be_kept(const std::string& key, const Entry& entry);
  void read_again();
  void save();

  std::filesystem::path file_;
  std::string read_stamp_;  // of it
  std::map<std::string, Entry> entries_;
  std::map<std::string, Entry> fresh_;  // of entries_, not saved yet
};

}  // namespace ranktide
