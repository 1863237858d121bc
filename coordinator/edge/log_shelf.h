#pragma once
// What trainers print, attempt by attempt, as <folder>/<unit>/<attempt>.log: workers send it while it is
// written, so that it can be followed from a client and outlives its worker. A copy for people: nothing is
// decided by it, and a crash may lose its newest part. Policy at the limits: a log that is longer than one may
// be is not taken and stays on its worker; where all are, the oldest ones go, a tenth of the limit at a time,
// and a mark <attempt>.gone refuses them for some days, so that they are not sent again. Thread rule: append()
// on the bulk door's thread; the free functions on any.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"
#include "common/vocabulary/wire.h"
#include "common/vocabulary/work.h"

namespace ranktide {

struct LogShelfConfig {
  std::filesystem::path folder;               // <data folder>/logs
  int64_t file_bytes_max = int64_t{9} << 20;  // a worker's own limit is 8 MiB and a line that says so
  int64_t total_bytes_max = int64_t{8} << 30;
  // Returns: whether the attempt was granted to that worker; what is committed says so.
  std::function<bool(const WorkerName& worker, const Lease& lease)> was_granted;
};

class LogShelf {
 public:
  // Makes the folder when absent and measures what is in it. Throws: std::runtime_error when it cannot be.
  explicit LogShelf(LogShelfConfig config);

  // Appends bytes that begin at `offset`, when that is the log's end; else nothing is taken.
  // Returns: the log's length. Throws: ShelfError: not_yours, not_taken over a limit; std::runtime_error when
  // the disk refuses.
  int64_t append(const WorkerName& sender, const Lease& lease, int64_t offset, std::string_view bytes);

 private:
  void require_owner(const WorkerName& sender, const Lease& lease);
  void make_room(int64_t bytes, const std::filesystem::path& keeping);

  LogShelfConfig config_;
  int64_t total_bytes_ = 0;
  std::set<std::pair<Lease, WorkerName>> owners_;  // asked already
};

// A part of a log, for whoever shows it.
struct LogPart {
  int64_t offset = 0;  // of its first byte
  int64_t bytes = 0;   // taken from there; the next part begins behind them
  int64_t size = 0;    // of the log so far
  std::string text;
};
template <class Ar>
void fields(Ar& ar, LogPart& p) {
  ar("offset", p.offset)("bytes", p.bytes)("size", p.size)("text", p.text);
}
constexpr int64_t kLogPartBytesMax = 1 << 20;

// Returns: <data folder>/logs. A worker whose folder is the data folder keeps its logs there itself.
std::filesystem::path logs_of(const std::filesystem::path& data_folder);
std::filesystem::path log_file(const std::filesystem::path& logs_folder, const Lease& lease);
// A negative offset counts from the end. Returns: an empty part where there is no such log or nothing more.
LogPart read_log(const std::filesystem::path& logs_folder, const Lease& lease, int64_t offset);

}  // namespace ranktide
