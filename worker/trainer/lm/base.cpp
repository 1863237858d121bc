#include <ATen/core/Tensor.h>

#include "common/vocabulary/sha256.h"
#include "worker/trainer/lm/model.h"
#include "worker/trainer/lm/tensor_bytes.h"
#include "worker/trainer/lm/weights.h"

namespace ranktide {

Base::Base(std::filesystem::path folder, Dtype dtype, ModelShape shape, std::unique_ptr<BaseTensors> tensors)
    : folder_(std::move(folder)), dtype_(dtype), shape_(std::move(shape)), tensors_(std::move(tensors)) {}

Base::~Base() = default;

std::shared_ptr<const Base> Base::load(const std::filesystem::path& folder, Dtype dtype) {
  ModelShape shape = read_shape(folder);
  auto tensors = std::make_unique<BaseTensors>(load_network(folder, shape, dtype));
  return std::shared_ptr<const Base>(new Base(folder, dtype, std::move(shape), std::move(tensors)));
}

std::string Base::sha256() const {
  Network network = tensors_->network;  // the tensors are shared, not copied
  Sha256 all;
  for (const ParameterSlot& slot : weight_slots(network, shape_)) {
    const auto bytes = view_of(slot.weight->value).bytes;
    all.update(slot.name);
    all.update({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return all.hex();
}

}  // namespace ranktide
