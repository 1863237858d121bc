#pragma once
// Between LibTorch's tensors and the bytes of files. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>

#include "common/model/safetensors.h"

namespace ranktide {

// Returns: the tensor's memory as a file sees it. Requires: contiguous, on CPU; the tensor outlives the view.
TensorView view_of(const at::Tensor& tensor);

// Returns: an own copy in `dtype`. `name` is for the message.
// Throws: ModelError when the file's dtype is not a float type that is known, or its shape is not `sizes`.
at::Tensor read_tensor(const std::string& name, const TensorView& view, const std::vector<int64_t>& sizes,
                       at::ScalarType dtype);

}  // namespace ranktide
