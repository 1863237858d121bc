#pragma once
// What `run.keep: delta` leaves of full finetuning: how every trained weight differs from the base's, bit for
// bit, so that base and delta together are the weights again. A folder of delta.zst, one zstd frame per tensor
// that holds its word_delta.h, and delta.json, which names base, tensors, and the SHA-256 of what each is
// restored to. The engine thread.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "common/vocabulary/ids.h"
#include "worker/trainer/lm/model.h"

namespace ranktide {

// Writes both files, a tensor at a time. Throws: ModelError when one cannot be written.
// Requires: the model is fully trained, from the base of this id; the folder exists.
void write_weight_delta(const Model& model, const BaseId& base, const std::filesystem::path& folder);

// Returns: whether the folder holds a delta.
bool is_weight_delta(const std::filesystem::path& folder);

// The weights of a base as a delta changes them.
class WeightDelta {
 public:
  // Throws: ModelError when the folder holds none, or one that was not written whole.
  explicit WeightDelta(std::filesystem::path folder);

  const BaseId& base() const { return base_; }
  // Turns the base's values of a tensor into the trained ones, as model.h's WeightChange. Throws: ModelError
  // when there is no such tensor in the delta, it is damaged, or what comes out is not what was trained.
  void apply(const std::string& name, std::span<uint32_t> values) const;

 private:
  struct Place {
    int64_t offset = 0;
    int64_t bytes = 0;
    std::string sha256;  // of the trained values
  };

  std::filesystem::path folder_;
  BaseId base_;
  std::map<std::string, Place> places_;
};

// Returns: the trained weights, of the base's folder and the delta that the folder `delta` holds.
// Throws: ModelError when the delta is of another base than `base`, which is what the base's folder holds; as
// Base and WeightDelta.
std::shared_ptr<const Base> load_restored(const std::filesystem::path& base_folder, const BaseId& base,
                                          Dtype dtype, const c10::Device& device,
                                          const std::filesystem::path& delta);

}  // namespace ranktide
