#include "common/model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/vocabulary/check.h"
#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian and is mapped as it is");

constexpr uint64_t kHeaderBytesMax = 100'000'000;  // the format's own limit
constexpr size_t kPrefixBytes = 8;

struct Mapping {
  const std::byte* data = nullptr;
  size_t size = 0;
  Mapping(const std::byte* d, size_t n) : data(d), size(n) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(const_cast<std::byte*>(data), size); }
};

[[noreturn]] void damaged(const std::filesystem::path& path, const std::string& what) {
  throw ModelError(path.string() + ": not a valid safetensors file: " + what + "; fetch or write it again");
}

[[noreturn]] void failed(const std::filesystem::path& path, const std::string& doing) {
  throw ModelError(path.string() + ": cannot be " + doing + ": " + std::strerror(errno));
}

std::shared_ptr<const Mapping> map_file(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) failed(path, "opened");
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    damaged(path, "not a regular file");
  }
  const auto size = static_cast<size_t>(info.st_size);
  if (size < kPrefixBytes) {
    close(fd);
    damaged(path, "shorter than its 8-byte prefix");
  }
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (data == MAP_FAILED) failed(path, "mapped");
  return std::make_shared<const Mapping>(static_cast<const std::byte*>(data), size);
}

// Returns: bytes of a tensor of this shape; nullopt when that does not fit 63 bits.
std::optional<int64_t> bytes_of_shape(const std::vector<int64_t>& shape, int64_t element_bytes) {
  int64_t n = element_bytes;
  for (const int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(n, extent, &n)) return std::nullopt;
  return n;
}

// One entry of the header, before its place in the buffer is checked against its neighbours.
struct Entry {
  std::string name;
  TensorView view;
  int64_t begin = 0;
  int64_t end = 0;
};

Entry read_entry(const std::filesystem::path& path, const std::string& name, const Json& json) {
  if (!json.is_object() || json.size() != 3)
    damaged(path, "tensor \"" + name + "\" is not {dtype, shape, data_offsets}");
  Entry entry{.name = name, .view = {}};
  std::vector<int64_t> offsets;
  try {
    read_json(json.at("dtype"), entry.view.dtype, "dtype");
    read_json(json.at("shape"), entry.view.shape, "shape");
    read_json(json.at("data_offsets"), offsets, "data_offsets");
  } catch (const std::exception& e) {
    damaged(path, "tensor \"" + name + "\": " + e.what());
  }
  const int64_t element = dtype_bytes(entry.view.dtype);
  if (element == 0) damaged(path, "tensor \"" + name + "\" has the unknown dtype \"" + entry.view.dtype + "\"");
  if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0])
    damaged(path, "tensor \"" + name + "\" has impossible data_offsets");
  entry.begin = offsets[0];
  entry.end = offsets[1];
  if (bytes_of_shape(entry.view.shape, element) != entry.end - entry.begin)
    damaged(path, "tensor \"" + name + "\": its shape does not fit its bytes");
  return entry;
}

std::map<std::string, std::string> read_metadata(const std::filesystem::path& path, const Json& json) {
  std::map<std::string, std::string> metadata;
  try {
    read_json(json, metadata, "__metadata__");
  } catch (const ProtocolError& e) {
    damaged(path, e.what());
  }
  return metadata;
}

Json read_header(const std::filesystem::path& path, const Mapping& file) {
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data, kPrefixBytes);
  if (header_bytes > kHeaderBytesMax) damaged(path, "its header claims more than 100 MB");
  if (header_bytes > file.size - kPrefixBytes) damaged(path, "it ends inside its header (truncated?)");
  const std::string_view text(reinterpret_cast<const char*>(file.data) + kPrefixBytes, header_bytes);
  if (!text.starts_with('{')) damaged(path, "its header does not start with {");
  try {
    return parse_json(text);
  } catch (const ProtocolError& e) {
    damaged(path, std::string("header: ") + e.what());
  }
}

// The buffer must be covered exactly once: bytes that no tensor owns could hide content.
void check_layout(const std::filesystem::path& path, std::vector<Entry>& entries, int64_t buffer_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != covered) damaged(path, "a hole or overlap before tensor \"" + entry.name + "\"");
    covered = entry.end;
  }
  if (covered > buffer_bytes) damaged(path, "it ends before its tensors do (truncated?)");
  if (covered < buffer_bytes) damaged(path, "bytes are left over after the last tensor");
}

}  // namespace

int64_t dtype_bytes(const std::string& dtype) {
  static const std::map<std::string, int64_t> kBytes{
      {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I64", 8},  {"I32", 4},
      {"I16", 2}, {"I8", 1},  {"U64", 8}, {"U32", 4},  {"U16", 2},     {"U8", 1},      {"BOOL", 1}, {"C64", 8}};
  const auto found = kBytes.find(dtype);
  return found == kBytes.end() ? 0 : found->second;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) {
  const auto file = map_file(path);
  const Json header = read_header(path, *file);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file->data, kPrefixBytes);
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name == "__metadata__")
      metadata_ = read_metadata(path, json);
    else
      entries.push_back(read_entry(path, name, json));
  }
  const std::byte* buffer = file->data + kPrefixBytes + header_bytes;
  check_layout(path, entries, static_cast<int64_t>(file->size - kPrefixBytes - header_bytes));
  for (Entry& entry : entries) {
    entry.view.bytes = {buffer + entry.begin, static_cast<size_t>(entry.end - entry.begin)};
    tensors_.emplace(std::move(entry.name), std::move(entry.view));
  }
  mapping_ = file;
}

namespace {

using Forms = std::map<std::string, TensorForm>;

// Widest first, so that every tensor is aligned to its own element; the map already sorted by name.
std::vector<Forms::const_pointer> order_of(const Forms& forms) {
  std::vector<Forms::const_pointer> order;
  for (const auto& entry : forms) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return dtype_bytes(a->second.dtype) > dtype_bytes(b->second.dtype);
  });
  return order;
}

int64_t bytes_of_form(const TensorForm& form) {
  RT_CHECK(dtype_bytes(form.dtype) > 0);
  const auto bytes = bytes_of_shape(form.shape, dtype_bytes(form.dtype));
  RT_CHECK(bytes.has_value());
  return *bytes;
}

std::string header_of(const std::vector<Forms::const_pointer>& order,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const auto* entry : order) {
    const auto& [name, form] = *entry;
    const int64_t bytes = bytes_of_form(form);
    header[name] = {{"dtype", form.dtype}, {"shape", form.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.is_null() ? "{}" : header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

void stream_safetensors(const std::filesystem::path& path, const Forms& forms, const TensorBytes& bytes_of,
                        const std::map<std::string, std::string>& metadata) {
  const auto order = order_of(forms);
  const std::string header = header_of(order, metadata);
  const auto header_bytes = static_cast<uint64_t>(header.size());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!out) failed(path, "written");
  out.write(reinterpret_cast<const char*>(&header_bytes), kPrefixBytes)
      .write(header.data(), std::ssize(header));
  for (const auto* entry : order) {
    const auto bytes = bytes_of(entry->first);
    RT_CHECK(std::ssize(bytes) == bytes_of_form(entry->second));
    out.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
    if (!out) failed(path, "written");
  }
  out.close();
  if (!out) failed(path, "written");
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  Forms forms;
  for (const auto& [name, view] : tensors) forms[name] = {.dtype = view.dtype, .shape = view.shape};
  stream_safetensors(
      path, forms, [&](const std::string& name) { return tensors.at(name).bytes; }, metadata);
}

}  // namespace ranktide
