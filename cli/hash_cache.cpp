#include "cli/hash_cache.h"

#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

std::string stamp_of(const std::vector<fs::path>& files) {
  std::string out;
  for (const fs::path& file : files) {
    struct stat s {};
    if (stat(file.c_str(), &s) != 0)
      return "";  // never equal to a stored stamp: compute will say what is wrong
    out +=
        fmt::format("{}:{}:{}.{}:{};", file.string(), s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_ino);
  }
  return out;
}

Json read_entries(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  try {
    return parse_json(text.str());
  } catch (const ProtocolError&) {
    return Json::object();  // absent or torn: everything is hashed again
  }
}

}  // namespace

HashCache::HashCache(const fs::path& folder) : file_(folder / "hashes.json") {
  const Json stored = read_entries(file_);
  for (const auto& [key, entry] : stored.items())
    if (entry.is_object()) entries_[key] = {entry.value("stamp", ""), entry.value("hash", "")};
}

std::string HashCache::remembered(const std::string& key, const std::vector<fs::path>& files,
                                  const std::function<std::string()>& compute) {
  const std::string stamp = stamp_of(files);
  const auto found = entries_.find(key);
  if (found != entries_.end() && !stamp.empty() && found->second.stamp == stamp) return found->second.hash;
  const std::string hash = compute();
  if (!stamp.empty() && stamp_of(files) == stamp) {  // a file that changed meanwhile is not remembered
    entries_[key] = {stamp, hash};
    save();
  }
  return hash;
}

void HashCache::save() const {
  Json out = Json::object();
  for (const auto& [key, entry] : entries_) out[key] = {{"stamp", entry.stamp}, {"hash", entry.hash}};
  std::error_code ignored;  // a cache that cannot be written is only slower
  fs::create_directories(file_.parent_path(), ignored);
  const fs::path draft = file_.string() + "." + std::to_string(getpid());
  std::ofstream(draft) << out.dump(1);
  fs::rename(draft, file_, ignored);
}

}  // namespace ranktide::cli
