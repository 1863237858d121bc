// The loops for the one instruction set that the compiler is told of, in a namespace of its name, RANKTIDE_ISA.
#include "tests/worker/trainer/lm/row_loop_set.h"

namespace RANKTIDE_ISA {
using ranktide::Bf16Bits;
using ranktide::CausalBlock;
using ranktide::RowRange;
}  // namespace RANKTIDE_ISA

#define RANKTIDE_FOR_EACH_ISA
#define ranktide RANKTIDE_ISA
#include "worker/trainer/lm/row_loops.cpp"
#undef ranktide

ranktide::RowLoopSet RANKTIDE_ISA::row_loops() {
  return {.inverse_rms = inverse_rms_rows,
          .norm_forward = rms_norm_forward_rows,
          .norm_backward = rms_norm_backward_rows,
          .swiglu_forward = swiglu_forward_rows,
          .swiglu_forward_of_bf16 = swiglu_forward_rows,
          .swiglu_backward = swiglu_backward_rows,
          .swiglu_backward_of_bf16 = swiglu_backward_rows,
          .rotate = rotate_rows,
          .softmax = causal_softmax_rows,
          .softmax_backward = causal_softmax_backward_rows,
          .loss = loss_rows};
}
