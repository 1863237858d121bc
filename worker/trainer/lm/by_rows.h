#pragma once
// Where the processor's own loops (row_loops.h) stand in for LibTorch's operations, and the threads that run
// them. Another device computes by LibTorch's operations alone. Engine-internal: this header shows LibTorch.
// The engine thread.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <algorithm>
#include <initializer_list>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/row_loops.h"

namespace ranktide {

// Returns: whether loops compute on these tensors: they lie on the CPU, each in one piece of memory.
bool is_by_rows(std::initializer_list<at::Tensor> tensors);

// Returns: whether they compute on what lies in one piece on this device.
bool computes_by_rows(at::Device device);

// For tests: whether loops compute from now on, or LibTorch's operations as on another device. Returns: what
// was so before.
bool compute_by_rows(bool yes);

// Calls loop(RowRange) for all rows of (..., D), a thread a range. Requires: a row's result hangs on that row
// alone.
template <class Loop>
void for_row_ranges(const at::Tensor& x, int64_t width, const Loop& loop) {
  constexpr int64_t kValuesPerTask = 1 << 14;  // fewer are done before a thread has woken
  const int64_t rows = x.numel() / width;
  at::parallel_for(0, rows, std::max<int64_t>(1, kValuesPerTask / width),
                   [&](int64_t from, int64_t to) { loop(RowRange{.from = from, .to = to, .width = width}); });
}

// Calls visit<In, T>() with the types of a tensor's values and of what is computed from them: fp32, or fp64 in
// tests.
template <class Visit>
void visit_types(const at::Tensor& x, const Visit& visit) {
  switch (x.scalar_type()) {
    case at::kDouble:
      return visit.template operator()<double, double>();
    case at::kBFloat16:
      return visit.template operator()<Bf16Bits, float>();
    default:
      RT_CHECK(x.scalar_type() == at::kFloat);
      return visit.template operator()<float, float>();
  }
}

template <class T>
const T* values_of(const at::Tensor& x) {
  return static_cast<const T*>(x.const_data_ptr());
}
template <class T>
T* changed_values_of(const at::Tensor& x) {
  return static_cast<T*>(x.mutable_data_ptr());
}

}  // namespace ranktide
