#pragma once
// Between LibTorch's tensors and the bytes of files. Engine-internal: this header shows LibTorch.

#include <ATen/core/Tensor.h>

#include "common/model/safetensors.h"

namespace ranktide {

// Returns: the tensor where the processor can read it: itself on the CPU, a copy of one that lies on a device.
at::Tensor on_host(const at::Tensor& tensor);

// Returns: the tensor's memory as a file sees it. Requires: contiguous, on_host; the tensor outlives the view.
TensorView view_of(const at::Tensor& tensor);

// Returns: what a file says of the tensor.
TensorForm form_of(const at::Tensor& tensor);

// Returns: an own copy in `dtype`, on the CPU. `name` is for the message.
// Throws: ModelError when the file's dtype is not a float type that is known, or its shape is not `sizes`.
at::Tensor read_tensor(const std::string& name, const TensorView& view, const std::vector<int64_t>& sizes,
                       at::ScalarType dtype);

}  // namespace ranktide
