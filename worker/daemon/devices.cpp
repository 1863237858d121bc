#include "worker/daemon/devices.h"

#include <algorithm>
#include <fstream>
#include <sched.h>
#include <string>

#include "common/model/processor.h"
#include "common/vocabulary/check.h"
#include "worker/daemon/cgroup.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

int cores_by_affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

int64_t physical_memory(const fs::path& root) {
  std::ifstream in(root / "proc/meminfo");
  std::string label;
  int64_t kib = 0;
  in >> label >> kib;  // the first line is MemTotal
  return kib * 1024;
}

// Coordinators take printable ASCII only.
std::string plain(std::string name) {
  std::erase_if(name, [](char c) { return c < ' ' || c > '~'; });
  return name;
}

}  // namespace

NodeCapacity measure_node(const fs::path& root) {
  const CgroupLimits limits = cgroup_limits(root);
  const Processor processor = this_processor(root / "proc/cpuinfo");
  NodeCapacity node{.cores = cores_by_affinity(),
                    .memory_bytes = physical_memory(root),
                    .processor = plain(processor.name),
                    .widens_bf16 = widens_bf16(processor)};
  node.cores = std::min(node.cores, limits.cores.value_or(node.cores));
  node.memory_bytes = std::min(node.memory_bytes, limits.memory_bytes.value_or(node.memory_bytes));
  return node;
}

std::vector<Slot> cpu_slots(const NodeCapacity& node, int threads_per_slot, int slots_max) {
  RT_CHECK(threads_per_slot >= 1);
  int count = std::max(1, node.cores / threads_per_slot);
  if (slots_max > 0) count = std::min(count, slots_max);
  std::vector<Slot> slots;
  for (int i = 0; i < count; ++i)
    slots.push_back({.index = i,
                     .device = "cpu",
                     .threads = threads_per_slot,
                     .memory_bytes = node.memory_bytes / count,
                     .processor = node.processor,
                     .widens_bf16 = node.widens_bf16});
  return slots;
}

std::vector<Slot> gpu_slots(const NodeCapacity& node, const std::vector<Gpu>& gpus, int threads_per_slot,
                            int slots_max) {
  const int count = static_cast<int>(gpus.size());
  const int used = slots_max > 0 ? std::min(count, slots_max) : count;
  const int threads = threads_per_slot > 0 ? threads_per_slot : std::max(1, node.cores / std::max(1, used));
  std::vector<Slot> slots;
  for (int i = 0; i < used; ++i) {
    const Gpu& gpu = gpus[static_cast<size_t>(i)];
    const int64_t left = gpu.is_used_by_others ? gpu.memory_free_bytes : gpu.memory_bytes;
    slots.push_back({.index = i,
                     .device = gpu.uuid,
                     .threads = threads,
                     .memory_bytes = std::max<int64_t>(1, left - kCudaOwnBytes),  // 0 would be no limit
                     .model = gpu.model});
    if (gpu.is_used_by_others) slots.back().labels.emplace_back(kSharedLabel);
  }
  return slots;
}

std::string fewer_slots_notice(const NodeCapacity& node, const std::vector<Slot>& made, int wanted) {
  if (wanted <= static_cast<int>(made.size())) return "";
  const std::string asked = "--slots " + std::to_string(wanted) + ": " + std::to_string(made.size());
  const bool is_of_cores = made.empty() || made.front().device == "cpu";
  if (!is_of_cores) return asked + " made, a slot for each GPU that may be used here";
  const int threads = made.empty() ? 1 : made.front().threads;
  return asked + " made, of " + std::to_string(threads) + " thread(s) each, for " + std::to_string(node.cores) +
         " core(s) may be used here";
}

}  // namespace ranktide
