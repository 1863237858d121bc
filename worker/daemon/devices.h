#pragma once
// What this node can give: cores and memory as the kernel and its control groups allow, and GPUs, cut into
// slots. Not placement: which work goes to which slot is the coordinator's. Thread rule: free functions, any
// thread.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/protocol.h"
#include "worker/daemon/nvml.h"

namespace ranktide {

struct NodeCapacity {
  int cores = 1;                      // usable: affinity, cut by the quota of control groups
  int64_t memory_bytes = 0;           // usable: physical, cut by the limit of control groups
  std::string processor{};            // as the kernel names it, in printable ASCII; for its slots of cores
  std::optional<bool> widens_bf16{};  // of its processor, for its slots of cores
};

// `root` is where /proc and /sys/fs/cgroup are looked for; "/" but in tests.
NodeCapacity measure_node(const std::filesystem::path& root = "/");

// Returns: CPU slots of `threads_per_slot` threads each, at least one, at most `slots_max` (0: as many as fit).
// Memory is shared out evenly. Requires: threads_per_slot >= 1.
std::vector<Slot> cpu_slots(const NodeCapacity& node, int threads_per_slot, int slots_max);

// Returns: what to say where `wanted` slots were asked for and fewer were made; empty: as many, or none in
// particular (0).
std::string fewer_slots_notice(const NodeCapacity& node, const std::vector<Slot>& made, int wanted);

// What a trainer takes of a GPU besides what is predicted of a trial: CUDA's context with the kernels of
// LibTorch and its libraries (0.5 to 0.8 GB a process), cuBLAS' workspaces, and what the caching allocator
// rounds up.
constexpr int64_t kCudaOwnBytes = int64_t{3} << 29;  // 1.5 GiB

// Of a slot whose GPU other processes computed on when it was looked at.
constexpr const char* kSharedLabel = "shared";

// Returns: one slot per GPU, at most `slots_max` (0: all). Threads: as asked for, or (0) the node's cores
// shared out, at least one each. Memory: what others leave of the device, less kCudaOwnBytes, at least
// one byte: none would be no limit.
std::vector<Slot> gpu_slots(const NodeCapacity& node, const std::vector<Gpu>& gpus, int threads_per_slot,
                            int slots_max);

}  // namespace ranktide
