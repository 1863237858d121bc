#include "worker/trainer/check/random_model.h"

#include <ATen/ops/empty.h>
#include <cmath>
#include <fstream>
#include <map>

#include "common/model/shape.h"
#include "common/vocabulary/random.h"
#include "worker/trainer/lm/tensor_bytes.h"
#include "worker/trainer/lm/weights.h"

namespace ranktide {
namespace {

// Uniform around `mean`, rounded to what bf16 can say.
at::Tensor drawn_weight(const std::vector<int64_t>& sizes, double mean, double deviation, SplitMix64& chance) {
  const at::Tensor out = at::empty(sizes, at::kFloat);
  float* values = out.mutable_data_ptr<float>();
  const double width = deviation * std::sqrt(12.0);  // of a uniform distribution of this deviation
  for (int64_t i = 0; i < out.numel(); ++i)
    values[i] = static_cast<float>(mean + width * (chance.unit() - 0.5));
  return out.to(at::kBFloat16).to(at::kFloat);
}

// Norms of one and biases of zero would hide mistakes.
Network drawn_network(const ModelShape& shape, uint64_t seed) {
  Network network;
  SplitMix64 chance{seed};
  for (const ParameterSlot& slot : weight_slots(network, shape)) {
    const double in = static_cast<double>(slot.sizes.back());
    slot.weight->value = slot.stays_fp32 ? drawn_weight(slot.sizes, 1, 0.2, chance)
                                         : drawn_weight(slot.sizes, 0, 1 / std::sqrt(in), chance);
  }
  tie(network, shape);
  return network;
}

void write_config(const Json& config, const std::filesystem::path& path) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << config.dump(2) << "\n";
  if (!out.flush()) throw ModelError(path.string() + ": cannot be written");
}

}  // namespace

Network write_random_model(const Json& config, const std::filesystem::path& folder, uint64_t seed) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw ModelError(folder.string() + ": cannot be made: " + failed.message());
  write_config(config, folder / "config.json");
  const ModelShape shape = read_shape(folder);
  Network network = drawn_network(shape, seed);
  std::map<std::string, TensorView> views;
  for (const ParameterSlot& slot : weight_slots(network, shape)) views[slot.name] = view_of(slot.weight->value);
  write_safetensors(folder / "model.safetensors", views);
  return network;
}

}  // namespace ranktide
