#pragma once
// The engine's matrix products. Factors have the dtype of their tensors, sums are fp32, a result is rounded
// once. Where the processor has no instructions for bf16 (x86 before AVX512), factors in bf16 are widened and
// fp32's kernels multiply them: the same terms, added up in another order, and many times faster than what
// LibTorch falls back to there. Engine-internal: it shows LibTorch. The engine thread.

#include <ATen/core/Tensor.h>

namespace ranktide {

// Returns: whether products of this tensor are made by fp32's kernels.
bool is_widened(const at::Tensor& tensor);

// Returns: a b, (M, K) (K, N) -> (M, N), in the dtype of a.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);
// out = a b. Requires: out has its shape and dtype.
void product_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b);
// sum += scale a b.
void add_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, double scale = 1);
// Returns: x w' + bias, (T, In) (Out, In) -> (T, Out); bias may be undefined.
at::Tensor affine(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias);

}  // namespace ranktide
