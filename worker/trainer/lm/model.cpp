#include "worker/trainer/lm/model.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"
#include "worker/trainer/lm/lora.h"
#include "worker/trainer/lm/loss.h"
#include "worker/trainer/lm/model_folder.h"
#include "worker/trainer/lm/tensor_bytes.h"
#include "worker/trainer/lm/transformer.h"
#include "worker/trainer/lm/weights.h"

namespace ranktide {

Model::Model(std::shared_ptr<const Base> base, std::unique_ptr<ModelTensors> tensors)
    : base_(std::move(base)), tensors_(std::move(tensors)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Model Model::untouched(std::shared_ptr<const Base> base) {
  auto tensors = std::make_unique<ModelTensors>();
  tensors->network = base->tensors().network;
  return {std::move(base), std::move(tensors)};
}

Model Model::with_lora(std::shared_ptr<const Base> base, const LoraSettings& lora, uint64_t seed) {
  Model model = untouched(std::move(base));
  model.tensors_->seed = seed;
  add_adapters(*model.tensors_, lora, model.shape(), model.base().dtype());
  init_adapters(*model.tensors_, seed);
  return model;
}

Model Model::full(std::shared_ptr<const Base> base, uint64_t seed) {
  const std::filesystem::path folder = base->folder();
  return full_from(std::move(base), seed, folder, {});
}

Model Model::full_from(std::shared_ptr<const Base> base, uint64_t seed,
                       const std::filesystem::path& weights_folder, const WeightChange& change) {
  auto tensors = std::make_unique<ModelTensors>();
  tensors->seed = seed;
  allocate_parameters(*tensors, weight_slots(tensors->network, base->shape()), base->dtype(), base->device());
  load_parameters(*tensors, weights_folder, change);
  refresh_products(*tensors);
  tie(tensors->network, base->shape());
  return {std::move(base), std::move(tensors)};
}

Model Model::with_lora_from(std::shared_ptr<const Base> base, const LoraSettings& lora, uint64_t seed,
                            const std::filesystem::path& adapter_folder) {
  Model model = untouched(std::move(base));
  model.tensors_->seed = seed;
  add_adapters(*model.tensors_, lora, model.shape(), model.base().dtype());
  read_adapter_weights(*model.tensors_, adapter_folder);
  return model;
}

Model Model::with_adapter(std::shared_ptr<const Base> base, const std::filesystem::path& adapter_folder) {
  Model model = untouched(std::move(base));
  add_adapters(*model.tensors_, read_adapter_config(adapter_folder), model.shape(), model.base().dtype());
  read_adapter_weights(*model.tensors_, adapter_folder);
  return model;
}

Model Model::for_trial(std::shared_ptr<const Base> base, const TrialSettings& settings) {
  if (settings.method == Method::full) return full(std::move(base), settings.seed);
  RT_CHECK(settings.lora.has_value());
  return with_lora(std::move(base), *settings.lora, settings.seed);
}

std::vector<float> Model::logits(std::span<const int32_t> tokens) const {
  RT_CHECK(!tokens.empty());
  const std::array<int32_t, 1> ends{static_cast<int32_t>(tokens.size())};
  const Network& network = tensors_->network;
  std::vector<int32_t> rows(tokens.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int32_t>(i);
  Workspace& memory = *base_->tensors().workspace;
  const Frame kept(memory.kept), scratch(memory.scratch);
  const at::Tensor stream = residual_stream(network, shape(), {tokens, ends}, memory);
  const at::Tensor x =
      normed_rows(network, shape(), stream, indices(rows, base_->device()), memory.scratch);  // (T, D)
  const at::Tensor out = on_host(head_logits(network.head, x, memory.scratch)).contiguous();  // (T, V)
  return {out.const_data_ptr<float>(), out.const_data_ptr<float>() + out.numel()};
}

void Model::merge() {
  if (tensors_->lora) merge_adapters(*tensors_);
}

void Model::save(const std::filesystem::path& folder, const std::filesystem::path& base_named) const {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw ModelError(folder.string() + ": cannot be made: " + failed.message());
  if (tensors_->lora)
    write_adapter(*tensors_, base_named.empty() ? base_->folder() : base_named, folder);
  else
    write_model_folder(tensors_->network, *base_, folder);
}

std::string Model::weights_sha256() const {
  Sha256 all;
  for (const Parameter& p : tensors_->parameters) {
    const at::Tensor value = on_host(p.value);
    const auto bytes = view_of(value).bytes;
    all.update(p.name);
    all.update({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return all.hex();
}

}  // namespace ranktide
