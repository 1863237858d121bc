#pragma once
// The engine's matrix products. Factors have the dtype of their tensors, the terms of a product are summed in
// fp32, and factors in bf16 that are multiplied as they are give a product rounded to bf16 once, also where it
// goes into fp32. A sum in bf16 is rounded again when a product is added to it. Where the processor has no
// instructions for bf16 (x86 before AVX512, ARM before its extension of that name), factors in bf16 are widened
// and fp32's kernels multiply them: the same terms, added up in another order and not rounded, and many times
// faster than what LibTorch falls back to there. On processors for which the engine has loops of its own
// (panel_product.h), products of fp32 with 6 rows and 8 columns or more are theirs, and no bit of them depends
// on threads or on how many rows there are. All others are LibTorch's, as are those with a first factor that
// lies by columns unless a side of the product is of 64 or less: the gradients of weights. Engine-internal: it
// shows LibTorch. The engine thread.

#include <ATen/core/Tensor.h>

#include "worker/trainer/lm/arena.h"

namespace ranktide {

// Returns: the dtype in which products with this tensor are made: its own, or fp32 where it is widened.
at::ScalarType factor_dtype(const at::Tensor& tensor);

// For tests: whether factors in bf16 are multiplied as they are from now on, whatever the processor has;
// LibTorch's plain kernels are slow but right. Returns: what was so before.
bool multiply_bf16_as_it_is(bool yes);

// For tests and benchmarks: whether the engine's loops compute products of fp32 from now on, where this
// processor has them, or LibTorch. Returns: what was so before.
bool multiply_by_panels(bool yes);

// Returns: x as products multiply it: itself, or widened in scratch. Products do this by themselves; a factor
// of several of them is turned into one first.
at::Tensor factor(const at::Tensor& x, Arena& scratch);

// out = scale a b,   (M, K) (K, N) -> (M, N), or a batch of these. The factors agree in factor_dtype; out may
// have another, and sum too. Neither shares memory with a factor.
void product_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, Arena& scratch,
                  double scale = 1);
// sum += scale a b
void add_product(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, Arena& scratch,
                 double scale = 1);

}  // namespace ranktide
