#pragma once
// The loops of row_loops.h over fp32 and bf16 as one value, so that those of another compilation can be asked
// the same.

#include "worker/trainer/lm/row_loops.h"

namespace ranktide {

struct RowLoopSet {
  void (*inverse_rms)(const RowRange&, const float*, double, float*) = nullptr;
  void (*norm_forward)(const RowRange&, const float*, const float*, const float*, float*) = nullptr;
  void (*norm_backward)(const RowRange&, const float*, const float*, const float*, const float*,
                        float*) = nullptr;
  void (*swiglu_forward)(const RowRange&, const float*, const float*, float*) = nullptr;
  void (*swiglu_forward_of_bf16)(const RowRange&, const Bf16Bits*, const Bf16Bits*, float*) = nullptr;
  void (*swiglu_backward)(const RowRange&, const float*, const float*, float*, float*) = nullptr;
  void (*swiglu_backward_of_bf16)(const RowRange&, const Bf16Bits*, const Bf16Bits*, float*, float*) = nullptr;
  void (*rotate)(const RowRange&, int64_t, const float*, const float*, const float*, float*) = nullptr;
  void (*softmax)(const RowRange&, const CausalBlock&, float*) = nullptr;
  void (*softmax_backward)(const RowRange&, const CausalBlock&, const float*, float*) = nullptr;
  void (*loss)(const RowRange&, int64_t, const int64_t*, double, float*, float*) = nullptr;
};

}  // namespace ranktide

// Compiled for x86 without more, and with AVX2 and fused multiplications: row_loops_once.cpp.
namespace loops_x86_64 {
ranktide::RowLoopSet row_loops();
}
namespace loops_avx2_fma {
ranktide::RowLoopSet row_loops();
}
