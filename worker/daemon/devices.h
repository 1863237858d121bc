#pragma once
// What this node can give: cores and memory as the kernel and its control groups allow, cut into slots.
// Not placement: which work goes to which slot is the coordinator's. Thread rule: free functions, any thread.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "common/vocabulary/protocol.h"

namespace ranktide {

struct NodeCapacity {
  int cores = 1;             // usable: affinity, cut by a control group's cpu.max
  int64_t memory_bytes = 0;  // usable: physical, cut by a control group's memory.max
};

// `root` is where /proc and /sys/fs/cgroup are looked for; "/" but in tests.
NodeCapacity measure_node(const std::filesystem::path& root = "/");

// Returns: CPU slots of `threads_per_slot` threads each, at least one, at most `slots_max` (0: as many as fit).
// Memory is shared out evenly. Requires: threads_per_slot >= 1.
std::vector<Slot> cpu_slots(const NodeCapacity& node, int threads_per_slot, int slots_max);

}  // namespace ranktide
