#include "worker/trainer/lm/block_entry.h"

#include <algorithm>

#include "worker/trainer/lm/ops.h"

namespace ranktide {

using at::Tensor;

void entry_forward(const Norm& norm, Branches branches, const Tensor& h, double eps, std::span<const Tensor> y,
                   EntrySaved& saved, Workspace& memory) {
  saved.h = h;
  saved.inverse = memory.kept.take({h.size(0), 1}, h.scalar_type());  // (T, 1)
  inverse_rms(h, eps, saved.inverse, memory.scratch);
  const Frame frame(memory.scratch);
  const Tensor x = memory.scratch.take(h.sizes(), h.scalar_type());  // (T, D)
  rms_norm_forward(norm, h, saved.inverse, x, memory.scratch);
  linears_forward(branches, x, y, saved.linears, memory);
}

bool entry_is_reached(const Norm& norm, Branches branches, Below below) {
  const auto trains = [](const Branch& branch) { return linear_trains(branch.linear); };
  return below == Below::trains || norm.w.trains() || std::any_of(branches.begin(), branches.end(), trains);
}

void entry_backward(const Norm& norm, Branches branches, std::span<const Tensor> dy, const EntrySaved& saved,
                    const Tensor& dh, Below below, Arena& scratch) {
  const Frame frame(scratch);
  const auto like_h = [&] { return scratch.take(saved.h.sizes(), saved.h.scalar_type()); };
  Tensor x, dx;  // (T, D)
  if (needs_input(branches)) rms_norm_forward(norm, saved.h, saved.inverse, x = like_h(), scratch);
  if (below == Below::trains || norm.w.trains()) dx = like_h();
  linears_backward(branches, dy, x, saved.linears, dx, scratch);
  if (dx.defined()) rms_norm_backward(norm, saved.h, saved.inverse, dx, dh, scratch);
}

}  // namespace ranktide
