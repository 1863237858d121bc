#pragma once
// A small accelerator in host memory, registered under LibTorch's key for devices of others (PrivateUse1). Like
// a GPU it has memory of its own, which nobody but its kernels may touch: between kernels its pages are closed,
// so that a stray read by the host ends the process. And like a GPU it refuses an operation whose tensors lie
// on two devices. What its kernels compute is what the CPU's compute, on the same bytes: what comes out is
// compared bit by bit. Not a model of speed, of streams, or of the order in which a GPU adds up. One thread.

#include <c10/core/Device.h>
#include <cstdint>
#include <string>

namespace ranktide::fake {

inline const at::Device kDevice{at::kPrivateUse1, 0};

// Returns: operations that ran on it so far in this process.
int64_t kernels_run();

// Returns: how often a host had to wait for it so far: for what it reads of it, and for what it moves to it
// unless it says that it does not wait for that.
int64_t waits();

// Allocations beyond so many bytes in use at once fail as a GPU's do, while this lives.
class SmallMemory {
 public:
  explicit SmallMemory(int64_t bytes);
  ~SmallMemory();
  SmallMemory(const SmallMemory&) = delete;
  SmallMemory& operator=(const SmallMemory&) = delete;
};

}  // namespace ranktide::fake
