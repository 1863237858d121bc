#pragma once
// Content hashes of files remembered between commands, so that a gigabyte of weights is read once and not at
// every start. An entry counts only while size, modification time and inode of every file it was made from are
// the same. Losing or tearing the file costs time, never correctness. One thread; concurrent commands overwrite
// each other whole.

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ranktide::cli {

class HashCache {
 public:
  explicit HashCache(const std::filesystem::path& folder);

  // Returns: what `compute` gave for `key` when the files looked as they do now; else computes, remembers and
  // saves.
  std::string remembered(const std::string& key, const std::vector<std::filesystem::path>& files,
                         const std::function<std::string()>& compute);

 private:
  struct Entry {
    std::string stamp;
    std::string hash;
  };
  void save() const;

  std::filesystem::path file_;
  std::map<std::string, Entry> entries_;
};

}  // namespace ranktide::cli
