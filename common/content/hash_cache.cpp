#include "common/content/hash_cache.h"

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"

namespace ranktide {
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kFileKey = "file:";
constexpr auto kWorthSaving = std::chrono::milliseconds(200);  // of computing; less waits for the end

std::string stamp_of(const std::vector<fs::path>& files) {
  std::ostringstream out;
  for (const fs::path& file : files) {
    struct stat s {};
    if (stat(file.c_str(), &s) != 0)
      return "";  // never equal to a stored stamp: compute will say what is wrong
    out << file.string() << ":" << s.st_size << ":" << s.st_mtim.tv_sec << "." << s.st_mtim.tv_nsec << ":"
        << s.st_ino << ";";
  }
  return out.str();
}

std::string file_key(const fs::path& file) {
  return std::string(kFileKey) + file.string();
}

// A name is bytes, which need not be text: Latin-1 is not.
bool is_utf8(const std::string& bytes) {
  const bool is_ascii =
      std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  return is_ascii || Json::parse(Json(bytes).dump(-1, ' ', false, Json::error_handler_t::replace)) == bytes;
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

// Held while one process hashes, or writes the file. A folder that cannot be written has no lock and no file.
class Lock {
 public:
  explicit Lock(const fs::path& file) : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ >= 0) (void)::flock(fd_, LOCK_EX);
  }
  ~Lock() {
    if (fd_ >= 0) ::close(fd_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int fd_;
};

}  // namespace

void link_file(const fs::path& file, const fs::path& target) {
  std::error_code not_here;
  fs::create_hard_link(file, target, not_here);
  if (not_here) fs::create_symlink(fs::absolute(file), target);
}

HashCache::HashCache(const fs::path& folder) : file_(folder / "hashes.json") {
  std::error_code ignored;  // a cache that cannot be written is only slower
  fs::create_directories(folder, ignored);
  read_again();
}

HashCache::~HashCache() {
  if (fresh_.empty()) return;
  const Lock lock(file_.string() + ".lock");
  save();
}

std::string HashCache::remembered(const std::string& key, const std::vector<fs::path>& files,
                                  const std::function<std::string()>& compute) {
  const std::string stamp = stamp_of(files);
  if (const Entry* entry = find(key, stamp)) return entry->hash;
  const Lock lock(file_.string() + ".lock");
  read_again();  // somebody may have hashed it while we waited
  if (const Entry* entry = find(key, stamp)) return entry->hash;
  const auto begin = Clock::now();
  const std::string hash = compute();
  if (stamp_of(files) == stamp) remember(key, stamp, hash);  // what changed meanwhile is not remembered
  if (Clock::now() - begin > kWorthSaving) save();
  return hash;
}

std::string HashCache::sha256_of(const fs::path& file) {
  return remembered(file_key(file), {file}, [&] { return sha256_of_file(file); });
}

void HashCache::learn_sha256(const fs::path& file, const std::string& sha256) {
  remember(file_key(file), stamp_of({file}), sha256);
  const Lock lock(file_.string() + ".lock");
  save();  // now: the process that fetched a file may be killed, and hashing it again takes as long as reading
           // it
}

std::optional<std::string> HashCache::known_sha256(const fs::path& file) const {
  const Entry* entry = find(file_key(file), stamp_of({file}));
  return entry ? std::optional(entry->hash) : std::nullopt;
}

bool HashCache::is_as_read() const {
  return stamp_of({file_}) == read_stamp_;
}

std::optional<fs::path> HashCache::known_file(const std::string& sha256) {
  read_again();  // of what other processes found, too
  for (const auto& [key, entry] : entries_) {
    if (entry.hash != sha256 || !key.starts_with(kFileKey)) continue;
    const fs::path file = key.substr(kFileKey.size());
    if (entry.stamp == stamp_of({file})) return file;
  }
  return std::nullopt;
}

std::vector<fs::path> HashCache::folders_with(std::string_view name) {
  read_again();
  std::vector<fs::path> out;
  for (const auto& [key, entry] : entries_) {
    if (!key.starts_with(kFileKey)) continue;
    const fs::path file = key.substr(kFileKey.size());
    if (file.filename() == name) out.push_back(file.parent_path());
  }
  return out;
}

bool HashCache::link_known(const std::string& sha256, const fs::path& target) {
  const auto file = known_file(sha256);
  if (!file) return false;
  link_file(*file, target);
  learn_sha256(target, sha256);
  return true;
}

const HashCache::Entry* HashCache::find(const std::string& key, const std::string& stamp) const {
  const auto found = entries_.find(key);
  const bool is_known = found != entries_.end() && !stamp.empty() && found->second.stamp == stamp;
  return is_known ? &found->second : nullptr;
}

void HashCache::remember(const std::string& key, const std::string& stamp, const std::string& hash) {
  if (stamp.empty()) return;
  entries_[key] = {stamp, hash};
  if (can_be_kept(key, entries_[key])) fresh_[key] = entries_[key];
}

bool HashCache::can_be_kept(const std::string& key, const Entry& entry) {
  return is_utf8(key) && is_utf8(entry.stamp) && is_utf8(entry.hash);
}

void HashCache::read_again() {
  read_stamp_ = stamp_of({file_});  // before: what is written meanwhile is new
  const Json stored = read_entries(file_);
  if (!stored.is_object() || stored.size() > kHashEntriesMax) return;
  for (const auto& [key, entry] : stored.items())
    if (entry.is_object() && !fresh_.contains(key))
      entries_[key] = {entry.value("stamp", ""), entry.value("hash", "")};
}

// Requires: the lock is held.
void HashCache::save() {
  read_again();
  Json out = Json::object();
  for (const auto& [key, entry] : entries_)
    if (can_be_kept(key, entry)) out[key] = {{"stamp", entry.stamp}, {"hash", entry.hash}};
  const fs::path draft = file_.string() + "." + std::to_string(getpid());
  std::ofstream(draft) << out.dump(1);
  std::error_code ignored;
  fs::rename(draft, file_, ignored);
  fresh_.clear();
}

}  // namespace ranktide
