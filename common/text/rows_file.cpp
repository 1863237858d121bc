#include "common/text/rows_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

// Layout: magic, summary (JSON, with its length), rows; of each row the three lengths and then the three arrays
// as int32; SHA-256 of all that in hex. Permanent for this magic: change the layout, change the magic.
constexpr std::string_view kMagic = "ranktide rows 1\n";
constexpr size_t kHashBytes = 64;

void put_number(std::string& out, uint64_t n) {
  out.append(reinterpret_cast<const char*>(&n), sizeof n);
}
void put_array(std::string& out, const std::vector<int32_t>& a) {
  out.append(reinterpret_cast<const char*>(a.data()), a.size() * sizeof(int32_t));
}

std::string encoded(const Dataset& dataset) {
  std::string out(kMagic);
  const std::string summary = to_json(dataset.summary).dump();
  put_number(out, summary.size());
  out += summary;
  put_number(out, dataset.rows.size());
  for (const Row& row : dataset.rows) {
    for (const auto* array : {&row.tokens, &row.targets, &row.segment_ends}) put_number(out, array->size());
    for (const auto* array : {&row.tokens, &row.targets, &row.segment_ends}) put_array(out, *array);
  }
  return out + sha256_hex(out);
}

// Takes values from the front of bytes whose hash was right: what is missing then is a bug of the writer.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}
  std::string_view take(uint64_t n) {
    RT_CHECK(n <= bytes_.size());
    const std::string_view front = bytes_.substr(0, n);
    bytes_.remove_prefix(n);
    return front;
  }
  uint64_t number() {
    uint64_t n = 0;
    std::memcpy(&n, take(sizeof n).data(), sizeof n);
    return n;
  }
  std::vector<int32_t> array(uint64_t size) {
    std::vector<int32_t> a(size);
    const std::string_view bytes = take(size * sizeof(int32_t));
    if (!a.empty()) std::memcpy(a.data(), bytes.data(), bytes.size());
    return a;
  }

 private:
  std::string_view bytes_;
};

Dataset decoded(std::string_view bytes) {
  Cursor in(bytes);
  in.take(kMagic.size());
  Dataset dataset;
  dataset.summary = from_json<DataSummary>(parse_json(in.take(in.number())));
  dataset.rows.resize(in.number());
  for (Row& row : dataset.rows) {
    const uint64_t tokens = in.number(), targets = in.number(), segments = in.number();
    row = {in.array(tokens), in.array(targets), in.array(segments)};
  }
  return dataset;
}

[[noreturn]] void fail(const std::filesystem::path& file) {
  throw DataError(file.string() + ": cannot be written (" + std::strerror(errno) +
                  "); the cache of prepared data needs a writable folder with free space");
}

void sync_to_disk(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path);
  const int rc = fsync(fd);
  close(fd);
  if (rc != 0) fail(path);
}

}  // namespace

void write_rows_file(const std::filesystem::path& file, const Dataset& dataset) {
  std::error_code ignored;  // a folder that could not be made shows when the file is opened
  std::filesystem::create_directories(file.parent_path(), ignored);
  const std::filesystem::path temporary = file.string() + "." + std::to_string(getpid()) + ".tmp";
  const std::string bytes = encoded(dataset);
  std::ofstream out(temporary, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) {
    const int error = errno;
    std::filesystem::remove(temporary, ignored);
    errno = error;
    fail(temporary);
  }
  sync_to_disk(temporary);
  if (std::rename(temporary.c_str(), file.c_str()) != 0) fail(file);
}

std::optional<Dataset> read_rows_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream buffer;
  buffer << in.rdbuf();
  const std::string bytes = buffer.str();
  if (bytes.size() < kMagic.size() + kHashBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  const std::string_view content = std::string_view(bytes).substr(0, bytes.size() - kHashBytes);
  if (sha256_hex(content) != std::string_view(bytes).substr(content.size())) return std::nullopt;
  return decoded(content);
}

}  // namespace ranktide
