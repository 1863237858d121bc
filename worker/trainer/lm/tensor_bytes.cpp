#include "worker/trainer/lm/tensor_bytes.h"

#include <ATen/ops/empty.h>
#include <cstring>
#include <utility>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

std::string text_of_sizes(const std::vector<int64_t>& sizes) {
  std::string text;
  for (const int64_t n : sizes) text += (text.empty() ? "" : ", ") + std::to_string(n);
  return "[" + text + "]";
}

at::ScalarType scalar_type_of_file(const std::string& name, const std::string& dtype) {
  if (dtype == "F32") return at::kFloat;
  if (dtype == "BF16") return at::kBFloat16;
  if (dtype == "F16") return at::kHalf;
  if (dtype == "F64") return at::kDouble;
  throw ModelError("tensor \"" + name + "\" has dtype " + dtype + "; weights must be F64, F32, F16 or BF16");
}

}  // namespace

at::Tensor on_host(const at::Tensor& tensor) {
  return tensor.cpu();
}

TensorForm form_of(const at::Tensor& tensor) {
  RT_CHECK(tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
  return {.dtype = tensor.scalar_type() == at::kFloat ? "F32" : "BF16", .shape = tensor.sizes().vec()};
}

TensorView view_of(const at::Tensor& tensor) {
  RT_CHECK(tensor.is_cpu());
  RT_CHECK(tensor.is_contiguous());
  TensorForm form = form_of(tensor);
  return {.dtype = std::move(form.dtype),
          .shape = std::move(form.shape),
          .bytes = {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}};
}

at::Tensor read_tensor(const std::string& name, const TensorView& view, const std::vector<int64_t>& sizes,
                       at::ScalarType dtype) {
  const at::ScalarType stored = scalar_type_of_file(name, view.dtype);
  if (view.shape != sizes)
    throw ModelError("tensor \"" + name + "\" has shape " + text_of_sizes(view.shape) +
                     ", the config asks for " + text_of_sizes(sizes));
  at::Tensor tensor = at::empty(sizes, stored);
  RT_CHECK(tensor.nbytes() == view.bytes.size());
  std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor.to(dtype);
}

}  // namespace ranktide
