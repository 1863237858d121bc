#include "worker/trainer/program/weight_delta.h"

#include <ATen/core/Tensor.h>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>
#include <zstd.h>

#include "common/model/safetensors.h"
#include "common/model/word_delta.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"
#include "worker/trainer/lm/parameters.h"
#include "worker/trainer/lm/tensor_bytes.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

constexpr int kDeltaFormat = 1;
constexpr const char* kDeltaName = "delta.zst";
constexpr const char* kDeltaManifestName = "delta.json";
// The low bytes are noise, which no level makes smaller, and the high ones are nearly all zero, which every
// level does.
constexpr int kZstdLevel = 3;

// In the order of the frames.
struct DeltaTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::string sha256;  // of the trained values, fp32
  int64_t bytes = 0;   // of its frame
};
template <class Ar>
void fields(Ar& ar, DeltaTensor& t) {
  ar("name", t.name)("shape", t.shape)("sha256", t.sha256)("bytes", t.bytes);
}

struct DeltaManifest {
  int format = kDeltaFormat;
  BaseId base;
  std::vector<DeltaTensor> tensors;
};
template <class Ar>
void fields(Ar& ar, DeltaManifest& m) {
  ar("format", m.format)("base", m.base)("tensors", m.tensors);
}

// `values` in memory. Outlives: the span.
std::span<const uint32_t> words_of(const at::Tensor& values) {
  const at::Tensor words = values.view(at::kInt);
  return {reinterpret_cast<const uint32_t*>(words.const_data_ptr<int32_t>()),
          static_cast<size_t>(words.numel())};
}

std::string sha256_of_words(std::span<const uint32_t> words) {
  return sha256_hex({reinterpret_cast<const char*>(words.data()), words.size_bytes()});
}

[[noreturn]] void cannot_write(const fs::path& path) {
  throw ModelError(path.string() + ": cannot be written: " + std::strerror(errno));
}

[[noreturn]] void is_damaged(const fs::path& path, const std::string& what) {
  throw ModelError(path.string() + ": " + what + "; fetch the delta again, or train the trial again");
}

std::string frame_of(const std::string& name, std::span<const std::byte> bytes) {
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size = ZSTD_compress(frame.data(), frame.size(), bytes.data(), bytes.size(), kZstdLevel);
  if (ZSTD_isError(size))  // it lacks memory: there is room for any outcome
    throw ModelError("\"" + name + "\": its difference cannot be compressed: " + ZSTD_getErrorName(size) +
                     "; leave this node more memory, or write run.keep: weights");
  frame.resize(size);
  return frame;
}

std::vector<std::byte> delta_of(const std::string& name, const at::Tensor& values, const WeightFiles& base) {
  const TensorView* stored = base.find(name);
  RT_CHECK(stored != nullptr);  // the parameters were read from there
  const at::Tensor before = read_tensor(name, *stored, values.sizes().vec(), at::kFloat);
  return word_delta(words_of(values), words_of(before));
}

// Writes one tensor's frame. Returns: what the manifest says of it.
DeltaTensor write_tensor(std::ofstream& out, const Parameter& trained, const WeightFiles& base) {
  const at::Tensor values = on_host(trained.value);
  const std::string frame = frame_of(trained.name, delta_of(trained.name, values, base));
  out.write(frame.data(), std::ssize(frame));
  return {.name = trained.name,
          .shape = values.sizes().vec(),
          .sha256 = sha256_of_words(words_of(values)),
          .bytes = std::ssize(frame)};
}

DeltaManifest read_delta_manifest(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw ModelError(path.string() + ": cannot be read: " + std::strerror(errno));
  std::stringstream text;
  text << in.rdbuf();
  DeltaManifest manifest;
  try {
    manifest = from_json<DeltaManifest>(parse_json(text.str()));
  } catch (const ProtocolError& e) {
    is_damaged(path, e.what());
  }
  if (manifest.format != kDeltaFormat)
    throw ModelError(
        path.string() + ": format " + std::to_string(manifest.format) +
        " is not known here; restore it with the version of ranktide that wrote it, or a later one");
  return manifest;
}

}  // namespace

void write_weight_delta(const Model& model, const BaseId& base, const fs::path& folder) {
  RT_CHECK(!model.tensors().lora);
  const WeightFiles files(model.base().folder());
  DeltaManifest manifest{.base = base, .tensors = {}};
  std::ofstream out(folder / kDeltaName, std::ios::binary | std::ios::trunc);
  for (const Parameter& parameter : model.tensors().parameters) {
    manifest.tensors.push_back(write_tensor(out, parameter, files));
    if (!out) cannot_write(folder / kDeltaName);
  }
  out.close();
  if (!out) cannot_write(folder / kDeltaName);
  std::ofstream text(folder / kDeltaManifestName, std::ios::trunc);
  text << to_json(manifest).dump(2) << "\n";
  text.close();
  if (!text) cannot_write(folder / kDeltaManifestName);
}

bool is_weight_delta(const fs::path& folder) {
  return fs::exists(folder / kDeltaManifestName);
}

WeightDelta::WeightDelta(fs::path folder) : folder_(std::move(folder)) {
  const fs::path file = folder_ / kDeltaName;
  DeltaManifest manifest = read_delta_manifest(folder_ / kDeltaManifestName);
  base_ = std::move(manifest.base);
  int64_t offset = 0;
  for (DeltaTensor& tensor : manifest.tensors) {
    if (tensor.bytes < 0) is_damaged(folder_ / kDeltaManifestName, "a tensor has no size");
    places_[tensor.name] = {.offset = offset, .bytes = tensor.bytes, .sha256 = std::move(tensor.sha256)};
    offset += tensor.bytes;
  }
  std::error_code absent;
  const auto size = static_cast<int64_t>(fs::file_size(file, absent));
  if (absent) throw ModelError(file.string() + ": cannot be read: " + absent.message());
  if (size != offset)
    is_damaged(file, "has " + std::to_string(size) + " bytes instead of " + std::to_string(offset));
}

void WeightDelta::apply(const std::string& name, std::span<uint32_t> values) const {
  const fs::path path = folder_ / kDeltaName;
  const auto found = places_.find(name);
  if (found == places_.end()) is_damaged(path, "does not change \"" + name + "\"");
  const Place& place = found->second;
  std::string frame(static_cast<size_t>(place.bytes), '\0');
  std::ifstream in(path, std::ios::binary);
  in.seekg(place.offset);
  in.read(frame.data(), place.bytes);
  if (!in) throw ModelError(path.string() + ": cannot be read: " + std::strerror(errno));
  std::vector<std::byte> delta(values.size_bytes());
  const size_t size = ZSTD_decompress(delta.data(), delta.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) || size != delta.size()) is_damaged(path, "\"" + name + "\" cannot be unpacked");
  add_word_delta(values, delta);
  if (sha256_of_words(values) != place.sha256)
    is_damaged(path, "with this base \"" + name + "\" is not restored to what was trained");
}

std::shared_ptr<const Base> load_restored(const fs::path& base_folder, const BaseId& base, Dtype dtype,
                                          const c10::Device& device, const fs::path& delta) {
  const WeightDelta changes(delta);
  if (changes.base() != base)
    throw ModelError(base_folder.string() + ": holds base " + base.brief() + ", but " + delta.string() +
                     " is the difference to base " + changes.base().brief() + "; name the folder of that one");
  return Base::load_changed(
      base_folder, dtype, device,
      [&](const std::string& name, std::span<uint32_t> values) { changes.apply(name, values); });
}

}  // namespace ranktide
