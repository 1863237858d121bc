#include "common/net/worker_keys.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace ranktide {
namespace {

namespace fs = std::filesystem;

constexpr size_t kWorkerNameBytesMax = 64;
constexpr std::string_view kUntil = "until=";

// Returns: the place of a key's line, or the end.
size_t line_of(const std::vector<std::string>& lines, std::string_view public_key) {
  const auto is_its = [&](const std::string& line) {
    return line.size() > public_key.size() && line.starts_with(public_key) && line[public_key.size()] == ' ';
  };
  return static_cast<size_t>(std::find_if(lines.begin(), lines.end(), is_its) - lines.begin());
}

void require_key_and_name(const fs::path& file, std::string_view public_key, const WorkerName& worker) {
  if (!is_key_text(public_key)) fail_on(file, "not a public key: " + std::string(public_key));
  if (const std::string fault = fault_of_worker_name(worker.text); !fault.empty())
    fail_on(file, "\"" + worker.text + "\": " + fault);
}

// Returns: nullopt for what is no mark of a key's time.
std::optional<int64_t> until_of(std::string_view mark) {
  if (!mark.starts_with(kUntil)) return std::nullopt;
  mark.remove_prefix(kUntil.size());
  int64_t out = 0;
  const auto [end, error] = std::from_chars(mark.data(), mark.data() + mark.size(), out);
  const bool is_sound = error == std::errc() && end == mark.data() + mark.size() && out >= 0;
  return is_sound ? std::optional(out) : std::nullopt;
}

std::optional<WorkerKey> key_in(const std::string& line) {
  std::istringstream words(line);
  WorkerKey key;
  words >> key.public_key >> key.worker.text;
  std::string mark;
  words >> mark;
  key.until_ms = until_of(mark);
  if (key.until_ms) words >> (mark = "");
  key.revoked = mark == "revoked";
  std::string rest;
  words >> rest;
  const bool is_sound = is_key_text(key.public_key) && is_worker_name(key.worker.text) &&
                        (mark.empty() || key.revoked) && rest.empty();
  return is_sound ? std::optional(key) : std::nullopt;
}

bool is_of(const std::string& line, const WorkerName& worker) {
  const auto key = key_in(line);
  return key && key->worker == worker;
}

// Requires: the file's lock is held.
void put_key(const fs::path& file, std::string_view public_key, const WorkerName& worker,
             std::optional<int64_t> until_ms) {
  std::vector<std::string> lines = lines_of(file);
  const size_t at = line_of(lines, public_key);
  if (at < lines.size() && lines[at].ends_with(" revoked"))
    fail_on(file, "the key was revoked; make a new one on the worker");
  const std::string until = until_ms ? " " + std::string(kUntil) + std::to_string(*until_ms) : "";
  const std::string line = std::string(public_key) + " " + worker.text + until;
  if (at == lines.size()) lines.emplace_back();
  if (lines[at] == line) return;
  lines[at] = line;
  replace_lines(file, lines);
}

bool is_taken(const std::vector<WorkerKey>& keys, const WorkerName& name) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const WorkerKey& key) { return !key.revoked && key.worker == name; });
}

// A long name gives way to its number: the whole must stay a name.
WorkerName free_name(const std::vector<WorkerKey>& keys, const WorkerName& wanted) {
  WorkerName name = wanted;
  for (int n = 2; is_taken(keys, name); ++n) {
    const std::string suffix = "-" + std::to_string(n);
    name = WorkerName{wanted.text.substr(0, kWorkerNameBytesMax - suffix.size()) + suffix};
  }
  return name;
}

}  // namespace

WorkerKeys::WorkerKeys(fs::path file) : file_(std::move(file)) {
  refresh();
}

bool WorkerKeys::refresh() {
  // The stamp is taken first: a change while we read makes us read once more, not once too few. It stays when
  // the file is not understood, so that this is said once and not at every look.
  const Stamp now = stamp_of(file_);
  if (now == stamp_) return false;
  stamp_ = now;
  table_ = read(file_);
  return true;
}

KeyStanding WorkerKey::standing(int64_t now_ms) const {
  if (revoked) return KeyStanding::revoked;
  return until_ms && *until_ms <= now_ms ? KeyStanding::expired : KeyStanding::active;
}

KeyStanding WorkerKeys::standing(std::string_view public_key, int64_t now_ms) const {
  const auto it = table_.find(public_key);
  return it == table_.end() ? KeyStanding::unknown : it->second.standing(now_ms);
}

std::optional<WorkerName> WorkerKeys::name_of(std::string_view public_key, int64_t now_ms) const {
  const auto it = table_.find(public_key);
  if (it == table_.end() || it->second.standing(now_ms) != KeyStanding::active) return std::nullopt;
  return it->second.worker;
}

std::set<WorkerName> WorkerKeys::revoked_names(int64_t now_ms) const {
  std::set<WorkerName> names;
  for (const auto& [text, key] : table_) names.insert(key.worker);
  for (const auto& [text, key] : table_)
    if (key.standing(now_ms) == KeyStanding::active) names.erase(key.worker);
  return names;
}

std::vector<WorkerKey> WorkerKeys::all() const {
  std::vector<WorkerKey> keys;
  for (const auto& [text, key] : table_) keys.push_back(key);
  return keys;
}

WorkerKeys::Table WorkerKeys::read(const fs::path& file) {
  Table table;
  size_t number = 0;
  for (const std::string& line : lines_of(file)) {
    ++number;
    if (line.empty() || line.starts_with("# ")) continue;
    const auto key = key_in(line);
    if (!key)
      fail_on(file, "line " + std::to_string(number) +
                        ": expected <public key> <worker name> [until=<ms since 1970>] [revoked]");
    table[key->public_key] = *key;
  }
  return table;
}

WorkerKeys::Stamp WorkerKeys::stamp_of(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return {};
  return {.inode = info.st_ino,
          .size = info.st_size,
          .modified_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

void authorise_worker(const fs::path& file, std::string_view public_key, const WorkerName& worker,
                      std::optional<int64_t> until_ms) {
  require_key_and_name(file, public_key, worker);
  const FileLock lock(file);
  put_key(file, public_key, worker, until_ms);
}

WorkerName enrol_worker(const fs::path& file, std::string_view public_key, const WorkerName& wanted) {
  require_key_and_name(file, public_key, wanted);
  const FileLock lock(file);
  const WorkerKeys keys(file);
  if (const auto known = keys.name_of(public_key)) return *known;
  WorkerName name = free_name(keys.all(), wanted);
  for (const WorkerKey& key : keys.all())
    if (key.public_key == public_key) name = key.worker;  // expired; a revoked one is refused below
  put_key(file, public_key, name, std::nullopt);
  return name;
}

void revoke_worker_key(const fs::path& file, std::string_view public_key) {
  const FileLock lock(file);
  std::vector<std::string> lines = lines_of(file);
  const size_t at = line_of(lines, public_key);
  if (at == lines.size()) fail_on(file, "no such key: " + std::string(public_key));
  if (!lines[at].ends_with(" revoked")) lines[at] += " revoked";
  replace_lines(file, lines);
}

int revoke_worker(const fs::path& file, const WorkerName& worker) {
  const FileLock lock(file);
  std::vector<std::string> lines = lines_of(file);
  std::string others;
  int active = 0;
  bool is_known = false;
  for (const WorkerKey& key : WorkerKeys(file).all()) {
    others += " " + key.worker.text;
    is_known = is_known || key.worker == worker;
    if (key.worker != worker || key.revoked) continue;
    lines[line_of(lines, key.public_key)] += " revoked";
    ++active;
  }
  if (!is_known)
    throw UnknownWorker(file.string() + ": no worker named \"" + worker.text +
                        "\"; there are:" + (others.empty() ? " none" : others));
  if (active > 0) replace_lines(file, lines);
  return active;
}

int forget_worker(const fs::path& file, const WorkerName& worker) {
  const FileLock lock(file);
  std::vector<std::string> lines = lines_of(file);
  const auto forgotten = std::erase_if(lines, [&](const std::string& line) { return is_of(line, worker); });
  if (forgotten > 0) replace_lines(file, lines);
  return static_cast<int>(forgotten);
}

void require_forgettable(const fs::path& file, const WorkerName& worker) {
  const FileLock lock(file);
  const std::vector<std::string> lines = lines_of(file);
  if (std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return is_of(line, worker); }))
    replace_lines(file, lines);
}

bool is_worker_name(std::string_view text) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= kWorkerNameBytesMax &&
         text.find_first_not_of(kAllowed) == std::string_view::npos &&
         std::string_view("._-").find(text.front()) == std::string_view::npos;
}

std::string fault_of_worker_name(std::string_view text) {
  if (text == kEveryWorker) return "not a worker name: `worker drain all` means every worker; take another";
  return is_worker_name(text) ? ""
                              : "not a worker name (1 to 64 of A-Z a-z 0-9 . _ -, first a letter or digit)";
}

}  // namespace ranktide
