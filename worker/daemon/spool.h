#pragma once
// What a worker has to say about one attempt, on disk until the coordinator has acked it: an append-only file
// of numbered, checksummed entries. A torn tail (the process or node died while writing) is cut when the file
// is opened. Not the protocol: an entry's bytes are the caller's. Entry on disk, little-endian, permanent:
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

class Spool {
 public:
  // Opens or creates the file and reads what is sound in it.
  // Throws: SpoolError when it cannot be opened, read or cut.
  explicit Spool(std::filesystem::path file);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Returns after the bytes are written (not synced). Requires: seq is one above the last appended one, or the
  // first. Throws: SpoolError; the file then ends where it ended before.
  void append(int64_t seq, std::string_view payload);
  // Returns after everything appended is on the disk.
  void sync();
  // Forgets entries up to and including seq; an empty spool gives its disk space back.
  void drop_up_to(int64_t seq);

  // Entries not dropped yet, by seq.
  const std::map<int64_t, std::string>& entries() const { return entries_; }
  // Disk space in use, dropped entries included until the file is emptied.
  int64_t bytes() const { return bytes_; }
  bool cut_a_torn_tail() const { return cut_; }

 private:
  void recover();
  void cut_to(int64_t bytes);

  std::filesystem::path file_;
  int fd_ = -1;
  int64_t bytes_ = 0;
  int64_t last_seq_ = 0;  // 0: nothing appended yet
  bool cut_ = false;
  bool synced_ = true;
  std::map<int64_t, std::string> entries_;
};

}  // namespace ranktide
