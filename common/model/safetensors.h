#pragma once
// Weight files: a strict reader of safetensors over mmap, a writer, and the set of files of a model folder.
// Not a tensor library: bytes and shapes only. A reader may be used by several threads; the file must not be
// truncated while it is mapped.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/model/model_error.h"

namespace ranktide {

// Bytes of one tensor in C order. Does not own them.
struct TensorView {
  std::string dtype;           // as in the file: F32, BF16, F16, I64 ...
  std::vector<int64_t> shape;  // empty: a scalar
  std::span<const std::byte> bytes;
};

// Returns: bytes per element of a safetensors dtype; 0 for one that is not known.
int64_t dtype_bytes(const std::string& dtype);

class SafetensorsFile {
 public:
  // Throws: ModelError naming the file and what is wrong with it. The checks are those of the format's own
  // library: header length, JSON without duplicate keys, no holes or overlaps, sizes that fit shapes, nothing
  // left over.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, TensorView>& tensors() const { return tensors_; }  // views live as long as this
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::shared_ptr<const void> mapping_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

// What a file says of a tensor before its bytes.
struct TensorForm {
  std::string dtype;
  std::vector<int64_t> shape;
};

// Returns: the bytes of the tensor of this name, of which the form was promised. They are read before the next
// call.
using TensorBytes = std::function<std::span<const std::byte>(const std::string& name)>;

// Writes tensors one after the other, so that who gives them needs no more than one at a time in memory.
// Otherwise as below. What bytes_of throws passes through and leaves half a file.
void stream_safetensors(const std::filesystem::path& path, const std::map<std::string, TensorForm>& forms,
                        const TensorBytes& bytes_of,
                        const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

// Writes the tensors, widest dtype first and then by name, as the format's own library does. Overwrites; not
// atomic and not synced (checkpoints do that around it). Throws: ModelError when the file cannot be written,
// with the system's reason.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

// All weights of a model folder: model.safetensors, or the shards that model.safetensors.index.json names.
class WeightFiles {
 public:
  // Throws: ModelError when there are none, a shard is missing or damaged, or the index and the shards
  // disagree.
  explicit WeightFiles(const std::filesystem::path& folder);

  // Returns: nullptr when there is no such tensor.
  const TensorView* find(const std::string& name) const;
  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  size_t size() const { return views_.size(); }

 private:
  std::vector<std::filesystem::path> paths_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, TensorView> views_;
};

// Returns: the weight files of a folder in the order of their names, without opening them.
// Throws: ModelError when there are none.
std::vector<std::filesystem::path> weight_paths(const std::filesystem::path& folder);

}  // namespace ranktide
