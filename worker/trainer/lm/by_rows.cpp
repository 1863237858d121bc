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
  return std::all_of(tensors.begin(), tensors.end(),
                     [](const at::Tensor& x) { return computes_by_rows(x.device()) && x.is_contiguous(); });
}

bool computes_by_rows(at::Device device) {
  return are_loops_on() && device.is_cpu();
}

bool compute_by_rows(bool yes) {
  return std::exchange(are_loops_on(), yes);
}

}  // namespace ranktide
