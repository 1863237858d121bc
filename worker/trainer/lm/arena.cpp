#include "worker/trainer/lm/arena.h"

#include <ATen/ops/empty.h>
#include <algorithm>
#include <c10/util/Exception.h>
#include <numeric>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr int64_t kBorder = 64;                     // kernels pick their code by alignment, and bits may follow
constexpr int64_t kBlockBytes = int64_t{64} << 20;  // pages that nothing touched cost nothing
constexpr int64_t kMoreBytes = int64_t{4} << 20;    // than the first block: it was large enough, or planned

int64_t up_to_border(int64_t bytes) {
  return (bytes + kBorder - 1) / kBorder * kBorder;
}

}  // namespace

at::Tensor Arena::take(at::IntArrayRef sizes, at::ScalarType dtype) {
  const int64_t wanted = c10::multiply_integers(sizes) * static_cast<int64_t>(c10::elementSize(dtype));
  const int64_t bytes = up_to_border(wanted);
  if (at_.used == 0 && blocks_.size() > 1) merge_blocks();
  while (at_.block < blocks_.size() && at_.offset + bytes > blocks_[at_.block].numel())
    at_ = {.block = at_.block + 1, .offset = 0, .used = at_.used};
  if (at_.block == blocks_.size()) add_block(std::max(bytes, blocks_.empty() ? kBlockBytes : kMoreBytes));
  const at::Tensor raw = blocks_[at_.block].narrow(0, at_.offset, wanted);
  at_.offset += bytes;
  at_.used += bytes;
  most_used_ = std::max(most_used_, at_.used);
  return raw.view(dtype).view(sizes);
}

at::Tensor Arena::converted(const at::Tensor& x, at::ScalarType dtype) {
  return x.scalar_type() == dtype ? x : take(x.sizes(), dtype).copy_(x);
}

void Arena::reserve(int64_t bytes) {
  RT_CHECK(blocks_.empty());
  try {
    add_block(up_to_border(bytes));
  } catch (const c10::Error&) {  // no such room; rows are seldom as long as they may be, so less may do
  }
}

int64_t Arena::held_bytes() const {
  return std::accumulate(blocks_.begin(), blocks_.end(), int64_t{0},
                         [](int64_t sum, const at::Tensor& block) { return sum + block.numel(); });
}

void Arena::release() {
  RT_CHECK(at_.used == 0);
  blocks_.clear();
  at_ = {};
  most_used_ = 0;
}

// No rests at the ends of blocks. Called while nothing is in use.
void Arena::merge_blocks() {
  const int64_t needed = most_used_;
  release();
  add_block(needed);
}

void Arena::add_block(int64_t bytes) {
  blocks_.push_back(at::empty({bytes}, at::TensorOptions(device_).dtype(at::kByte)));
}

}  // namespace ranktide
