#include "worker/daemon/spool_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <optional>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr size_t kHeadBytes = 4 + 4 + 8;
constexpr size_t kPayloadBytesMax = 16 << 20;  // a longer one in a file is damage, not an entry

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
    table[i] = crc;
  }
  return table;
}();

// CRC-32C (Castagnoli), as in iSCSI.
uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~0U;
  for (const char c : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

void put(std::string& out, uint64_t value, int bytes) {
  for (int shift = 0; shift < 8 * bytes; shift += 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

uint64_t get(std::string_view in, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i > 0; --i) value = value << 8 | static_cast<unsigned char>(in[at + i - 1]);
  return value;
}

[[noreturn]] void fail(const std::filesystem::path& file, const char* what) {
  throw SpoolError(file.string() + ": " + what + ": " + std::strerror(errno) +
                   "; the worker's folder needs a writable disk with free space");
}

// Returns: as many bytes as the file has, read from its beginning.
std::string read_whole(int fd, const std::filesystem::path& file) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) fail(file, "cannot be read");
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n = ::pread(fd, bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(file, "cannot be read");
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

bool write_at(int fd, std::string_view bytes, int64_t at) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
    at += n;
  }
  return true;
}

std::string entry_bytes(int64_t seq, std::string_view payload) {
  std::string covered;
  put(covered, static_cast<uint64_t>(seq), 8);
  covered += payload;
  std::string entry;
  put(entry, payload.size(), 4);
  put(entry, crc32c(covered), 4);
  return entry + covered;
}

struct Entry {
  int64_t seq = 0;
  std::string_view payload;
};

// Returns: the entry at the front of `bytes`; nullopt when what is there is not whole or not sound.
std::optional<Entry> entry_at_front(std::string_view bytes) {
  if (bytes.size() < kHeadBytes) return std::nullopt;
  const size_t payload_bytes = get(bytes, 0, 4);
  if (payload_bytes > kPayloadBytesMax || bytes.size() - kHeadBytes < payload_bytes) return std::nullopt;
  if (crc32c(bytes.substr(8, 8 + payload_bytes)) != get(bytes, 4, 4)) return std::nullopt;
  return Entry{static_cast<int64_t>(get(bytes, 8, 8)), bytes.substr(kHeadBytes, payload_bytes)};
}

}  // namespace

SpoolFile::SpoolFile(std::filesystem::path file, std::map<int64_t, std::string>& loaded)
    : file_(std::move(file)) {
  fd_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) fail(file_, "cannot be opened");
  try {
    load(loaded);
  } catch (const SpoolError&) {
    ::close(fd_);
    throw;
  }
}

SpoolFile::~SpoolFile() {
  ::close(fd_);
}

void SpoolFile::load(std::map<int64_t, std::string>& loaded) {
  const std::string bytes = read_whole(fd_, file_);
  size_t at = 0;
  while (const auto entry = entry_at_front(std::string_view(bytes).substr(at))) {
    if (last_seq_ != 0 && entry->seq != last_seq_ + 1) break;
    at += kHeadBytes + entry->payload.size();
    last_seq_ = entry->seq;
    ends_[last_seq_] = static_cast<int64_t>(at);
    loaded[last_seq_] = entry->payload;
  }
  if (at < bytes.size()) spdlog::warn("{}: cut {} bytes of a torn tail", file_.string(), bytes.size() - at);
  cut_to(static_cast<int64_t>(at));
}

void SpoolFile::cut_to(int64_t bytes) {
  if (::ftruncate(fd_, bytes) != 0) fail(file_, "cannot be cut");
  bytes_ = bytes;
}

void SpoolFile::append(int64_t seq, std::string_view payload) {
  RT_CHECK(seq > 0);
  RT_CHECK(last_seq_ == 0 || seq == last_seq_ + 1);
  RT_CHECK(payload.size() <= kPayloadBytesMax);
  const std::string entry = entry_bytes(seq, payload);
  if (!write_at(fd_, entry, bytes_)) {
    const int why = errno;
    cut_to(bytes_);
    errno = why;
    fail(file_, "cannot be written");
  }
  bytes_ += static_cast<int64_t>(entry.size());
  ends_[seq] = bytes_;
  last_seq_ = seq;
  is_synced_ = false;
}

void SpoolFile::sync() {
  if (is_synced_) return;
  if (::fdatasync(fd_) != 0) fail(file_, "cannot be synced");
  is_synced_ = true;
}

void SpoolFile::drop(int64_t up_to) {
  const auto kept = ends_.upper_bound(up_to);
  if (kept == ends_.begin()) return;
  dropped_end_ = std::prev(kept)->second;
  ends_.erase(ends_.begin(), kept);
  if (ends_.empty()) {
    cut_to(0);
    dropped_end_ = 0;
  } else if (dropped_end_ > kSlackBytes) {
    rewrite_from(dropped_end_);
  }
}

void SpoolFile::rewrite_from(int64_t begin) {
  const std::string kept = read_whole(fd_, file_).substr(static_cast<size_t>(begin));
  const std::filesystem::path fresh = file_.string() + ".new";
  const int fd = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) fail(fresh, "cannot be opened");
  if (!write_at(fd, kept, 0) || ::fdatasync(fd) != 0 || ::rename(fresh.c_str(), file_.c_str()) != 0) {
    ::close(fd);
    fail(fresh, "cannot be written");
  }
  ::close(std::exchange(fd_, fd));
  bytes_ -= begin;
  dropped_end_ = 0;
  for (auto& [seq, end] : ends_) end -= begin;
}

void SpoolFile::remove() {
  ::unlink(file_.c_str());
}

}  // namespace ranktide
