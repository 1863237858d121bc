#include "worker/trainer/lm/by_rows.h"

#include <utility>

namespace ranktide {
namespace {

bool& are_loops_on() {
  static bool are = true;
  return are;
}

}  // namespace

bool is_by_rows(std::initializer_list<at::Tensor> tensors) {
  return are_loops_on() && std::all_of(tensors.begin(), tensors.end(),
                                       [](const at::Tensor& x) { return x.is_cpu() && x.is_contiguous(); });
}

bool compute_by_rows(bool yes) {
  return std::exchange(are_loops_on(), yes);
}

}  // namespace ranktide
