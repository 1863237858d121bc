#pragma once
// A language model as a trial sees it: the shared, immutable weights of a base, plus what the trial trains.
// LoRA or full differ only in which parameters train. No LibTorch type appears here but the name of a device.
// Thread rule: one engine thread (engine.h). A Base may be shared by any number of models.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/model/cost.h"
#include "common/model/shape.h"
#include "common/vocabulary/trial.h"

namespace c10 {
struct Device;
}

namespace ranktide {

struct BaseTensors;   // weights.h: for the engine's own files
struct ModelTensors;  // parameters.h: for the engine's own files

// Changes the fp32 values of one stored tensor, as words of 32 bits, where they lie.
using WeightChange = std::function<void(const std::string& name, std::span<uint32_t> values)>;

// The weights of one Hugging Face folder in one dtype, on one device: its models train, evaluate and merge
// there. Never written to after loading.
class Base {
 public:
  // Products use `dtype`; norms are kept in fp32. In bf16, what the folder holds in another dtype is rounded as
  // a model in training is (round_weights in parameters.h).
  // Throws: ModelError when a file is missing, damaged, or does not fit config.json.
  static std::shared_ptr<const Base> load(const std::filesystem::path& folder, Dtype dtype,
                                          const c10::Device& device);
  static std::shared_ptr<const Base> load(const std::filesystem::path& folder, Dtype dtype);  // on the CPU
  // The same after `change` of every stored tensor; what it throws passes through.
  static std::shared_ptr<const Base> load_changed(const std::filesystem::path& folder, Dtype dtype,
                                                  const c10::Device& device, const WeightChange& change);

  ~Base();
  const ModelShape& shape() const { return shape_; }
  const std::filesystem::path& folder() const { return folder_; }
  Dtype dtype() const { return dtype_; }
  const c10::Device& device() const;
  Bf16 bf16() const;  // how that is multiplied there
  const BaseTensors& tensors() const { return *tensors_; }
  // Returns: SHA-256 over all weights in memory; a test asks it before and after a training.
  std::string sha256() const;

 private:
  Base(std::filesystem::path folder, Dtype dtype, ModelShape shape, std::unique_ptr<BaseTensors> tensors);

  std::filesystem::path folder_;
  Dtype dtype_;
  ModelShape shape_;
  std::unique_ptr<BaseTensors> tensors_;
};

class Model {
 public:
  // The base as it is: nothing trains.
  static Model untouched(std::shared_ptr<const Base> base);
  // A fresh adapter: A drawn from the seed, B zero, so the output is the base's.
  static Model with_lora(std::shared_ptr<const Base> base, const LoraSettings& lora, uint64_t seed);
  // Every weight trains, from fp32 masters that are read from the base's folder.
  static Model full(std::shared_ptr<const Base> base, uint64_t seed);
  // Both train on from what another training left, with the seed of their own: the adapter of a PEFT folder,
  // which has the shape that `lora` says, or the weights of a folder, each after `change` where there is one.
  // Throws: ModelError when that does not fit.
  static Model with_lora_from(std::shared_ptr<const Base> base, const LoraSettings& lora, uint64_t seed,
                              const std::filesystem::path& adapter_folder);
  static Model full_from(std::shared_ptr<const Base> base, uint64_t seed,
                         const std::filesystem::path& weights_folder, const WeightChange& change);
  // The adapter of a PEFT folder. Throws: ModelError when it does not fit the base or needs what is not
  // implemented.
  static Model with_adapter(std::shared_ptr<const Base> base, const std::filesystem::path& adapter_folder);
  // What the settings ask for: with_lora or full.
  static Model for_trial(std::shared_ptr<const Base> base, const TrialSettings& settings);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  const Base& base() const { return *base_; }
  const ModelShape& shape() const { return base_->shape(); }

  // Returns: fp32 logits of one sequence, [T, V] in C order. Requires: tokens not empty, each in [0, V).
  std::vector<float> logits(std::span<const int32_t> tokens) const;

  // Adds the adapter into product weights, W + s B A, summed in fp32; afterwards no adapter is applied. Twice
  // is once.
  void merge();

  // Writes what was trained as the field reads it: an adapter folder for PEFT, or a Hugging Face folder with
  // the base's config and tokenizer files. Creates the folder. `base_named`: the folder that an adapter says it
  // lies on; empty: that of the base. Throws: ModelError when something cannot be written.
  void save(const std::filesystem::path& folder, const std::filesystem::path& base_named = {}) const;

  // Returns: SHA-256 over names and bytes of what was trained.
  std::string weights_sha256() const;

  ModelTensors& tensors() { return *tensors_; }
  const ModelTensors& tensors() const { return *tensors_; }

 private:
  Model(std::shared_ptr<const Base> base, std::unique_ptr<ModelTensors> tensors);

  std::shared_ptr<const Base> base_;
  std::unique_ptr<ModelTensors> tensors_;
};

}  // namespace ranktide
