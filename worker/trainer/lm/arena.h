#pragma once
// Memory of a pass that the next pass uses again: tensors are cut off one after the other and given back in
// reverse, so steps of one shape ask the system for nothing and fault in no fresh page. Not a general
// allocator: what was taken is gone when its frame ends. Engine-internal: this header shows LibTorch. The
// engine thread.

#include <ATen/core/Tensor.h>
#include <vector>

namespace ranktide {

class Arena {
 public:
  explicit Arena(at::Device device = at::kCPU) : device_(device) {}

  // Returns: an uninitialised tensor at a border of 64 bytes, whose memory is taken again after the innermost
  // open frame has ended.
  at::Tensor take(at::IntArrayRef sizes, at::ScalarType dtype);
  // Returns: x itself where it has this dtype, else a copy that was taken.
  at::Tensor converted(const at::Tensor& x, at::ScalarType dtype);
  // Takes so many bytes from the system at once, for passes that are known to need about as many. Where they do
  // not suffice, or are not to be had, what is needed is taken as it is needed. Requires: nothing was taken
  // since release().
  void reserve(int64_t bytes);
  // Returns: bytes held, in use or not.
  int64_t held_bytes() const;
  // Returns: the most bytes in use at once since the memory was taken.
  int64_t most_used_bytes() const { return most_used_; }
  // Gives all memory back to the system. Requires: no frame is open.
  void release();

 private:
  friend class Frame;
  struct Mark {
    size_t block = 0;
    int64_t offset = 0;  // into the block
    int64_t used = 0;    // bytes up to here, over all blocks
  };
  void merge_blocks();
  void add_block(int64_t bytes);

  at::Device device_;
  std::vector<at::Tensor> blocks_;  // bytes
  Mark at_;
  int64_t most_used_ = 0;  // since the blocks were made
};

// What is taken from the arena while a frame lives is given back when it ends. Frames nest.
class Frame {
 public:
  explicit Frame(Arena& arena) : arena_(arena), mark_(arena.at_) {}
  ~Frame() { arena_.at_ = mark_; }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

// Returns: the dtype in which what is computed in `dtype` is summed up: fp32, or fp64 where tests ask for it.
inline at::ScalarType sum_dtype(at::ScalarType dtype) {
  return dtype == at::kDouble ? at::kDouble : at::kFloat;
}

// The memory of the passes over one base, on its device. All its models share it, for one thread computes one
// pass at a time.
struct Workspace {
  explicit Workspace(at::Device device = at::kCPU) : kept(device), scratch(device) {}

  Arena kept;     // from the forward pass to the backward pass
  Arena scratch;  // within an operation
};

}  // namespace ranktide
