#pragma once
// An append-only file of numbered, checksummed entries: what one attempt has to say until it is acked. A torn
// tail (the process or node died while writing) is cut when the file is loaded. Not the protocol: an entry's
// bytes are the agent's. On disk, little-endian, permanent:
//   u32 payload bytes | u32 CRC-32C of seq and payload | i64 seq | payload
// Thread rule: one thread; one object per file.

#include <cstdint>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ranktide {

struct SpoolError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The entries themselves stay with the agent; here are only their places.
class SpoolFile {
 public:
  // Creates the file, or loads it: sound entries go into `loaded`, what follows them is cut.
  // Throws: SpoolError when it cannot be opened, read or cut.
  SpoolFile(std::filesystem::path file, std::map<int64_t, std::string>& loaded);
  ~SpoolFile();
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;

  // Returns after the bytes are written (not synced). Requires: seq is one above the last, or the first of the
  // file. Throws: SpoolError; the file then ends where it ended before.
  void append(int64_t seq, std::string_view payload);
  // Returns after everything appended is on the disk.
  void sync();
  // Forgets entries up to seq. Space comes back when nothing is left, or when more than kSlackBytes are
  // forgotten.
  void drop(int64_t up_to);
  void remove();
  int64_t bytes() const { return bytes_; }

  static constexpr int64_t kSlackBytes = 4 << 20;

 private:
  void load(std::map<int64_t, std::string>& loaded);
  void cut_to(int64_t bytes);
  void rewrite_from(int64_t begin);

  std::filesystem::path file_;
  int fd_ = -1;
  int64_t bytes_ = 0;
  int64_t last_seq_ = 0;             // 0: nothing appended yet
  std::map<int64_t, int64_t> ends_;  // seq -> where its entry ends, for entries not dropped
  int64_t dropped_end_ = 0;          // where the newest dropped entry ends
  bool is_synced_ = true;
};

}  // namespace ranktide
