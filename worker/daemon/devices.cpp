#include "worker/daemon/devices.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sched.h>
#include <sstream>
#include <string>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// Returns: this process's folder in the unified control-group tree, and every folder above it: the tightest one
// counts.
std::vector<fs::path> control_groups(const fs::path& root) {
  std::ifstream in(root / "proc/self/cgroup");
  const fs::path top = root / "sys/fs/cgroup";
  std::vector<fs::path> groups{top};
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("0::/")) continue;
    fs::path here = top;
    for (const fs::path& part : fs::path(line.substr(4))) groups.push_back(here /= part);
  }
  return groups;
}

// cpu.max holds "max 100000" or "<quota us> <period us>".
std::optional<int> cores_of(const fs::path& group) {
  std::istringstream in(first_line(group / "cpu.max"));
  int64_t quota = 0;
  int64_t period = 0;
  if (!(in >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<int>(std::max<int64_t>(1, quota / period));
}

// memory.max holds "max" or bytes.
std::optional<int64_t> memory_of(const fs::path& group) {
  std::istringstream in(first_line(group / "memory.max"));
  int64_t bytes = 0;
  if (!(in >> bytes) || bytes <= 0) return std::nullopt;
  return bytes;
}

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

}  // namespace

NodeCapacity measure_node(const fs::path& root) {
  NodeCapacity node{.cores = cores_by_affinity(), .memory_bytes = physical_memory(root)};
  for (const fs::path& group : control_groups(root)) {
    node.cores = std::min(node.cores, cores_of(group).value_or(node.cores));
    node.memory_bytes = std::min(node.memory_bytes, memory_of(group).value_or(node.memory_bytes));
  }
  return node;
}

std::vector<Slot> cpu_slots(const NodeCapacity& node, int threads_per_slot, int slots_max) {
  RT_CHECK(threads_per_slot >= 1);
  int count = std::max(1, node.cores / threads_per_slot);
  if (slots_max > 0) count = std::min(count, slots_max);
  std::vector<Slot> slots;
  for (int i = 0; i < count; ++i)
    slots.push_back(
        {.index = i, .device = "cpu", .threads = threads_per_slot, .memory_bytes = node.memory_bytes / count});
  return slots;
}

}  // namespace ranktide
