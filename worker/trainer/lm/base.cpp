#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "common/vocabulary/sha256.h"
#include "worker/trainer/lm/model.h"
#include "worker/trainer/lm/product.h"
#include "worker/trainer/lm/tensor_bytes.h"
#include "worker/trainer/lm/weights.h"

namespace ranktide {

Base::Base(std::filesystem::path folder, Dtype dtype, ModelShape shape, std::unique_ptr<BaseTensors> tensors)
    : folder_(std::move(folder)), dtype_(dtype), shape_(std::move(shape)), tensors_(std::move(tensors)) {}

Base::~Base() = default;

std::shared_ptr<const Base> Base::load(const std::filesystem::path& folder, Dtype dtype) {
  return load(folder, dtype, at::kCPU);
}

std::shared_ptr<const Base> Base::load(const std::filesystem::path& folder, Dtype dtype,
                                       const c10::Device& device) {
  return load_changed(folder, dtype, device, {});
}

std::shared_ptr<const Base> Base::load_changed(const std::filesystem::path& folder, Dtype dtype,
                                               const c10::Device& device, const WeightChange& change) {
  ModelShape shape = read_shape(folder);
  auto tensors =
      std::make_unique<BaseTensors>(BaseTensors{.network = load_network(folder, shape, dtype, device, change),
                                                .device = device,
                                                .workspace = std::make_unique<Workspace>(device)});
  return std::shared_ptr<const Base>(new Base(folder, dtype, std::move(shape), std::move(tensors)));
}

const c10::Device& Base::device() const {
  return tensors_->device;
}

Bf16 Base::bf16() const {
  const at::Tensor like_weights = at::empty({0}, at::TensorOptions(tensors_->device).dtype(at::kBFloat16));
  return factor_dtype(like_weights) == at::kBFloat16 ? Bf16::as_it_is : Bf16::widened;
}

std::string Base::sha256() const {
  Network network = tensors_->network;  // the tensors are shared, not copied
  Sha256 all;
  for (const ParameterSlot& slot : weight_slots(network, shape_)) {
    const at::Tensor weight = on_host(slot.weight->value);
    const auto bytes = view_of(weight).bytes;
    all.update(slot.name);
    all.update({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return all.hex();
}

}  // namespace ranktide
