#include "worker/daemon/gpu_memory.h"

#include <algorithm>
#include <chrono>
#include <spdlog/spdlog.h>
#include <utility>

namespace ranktide {

GpuMemory::GpuMemory(const std::vector<Slot>& slots, std::string library) : library_(std::move(library)) {
  for (const Slot& slot : slots)
    if (slot.device != "cpu") devices_.push_back(slot.device);
}

std::optional<std::vector<DeviceUse>> GpuMemory::take(Instant now) {
  if (devices_.empty()) return std::nullopt;
  if (!measuring_.valid()) {
    if (began_ && now < *began_ + kGpuMemoryEvery) return std::nullopt;
    began_ = now;
    measuring_ = std::async(std::launch::async, [library = library_] { return list_gpus(library); });
  }
  if (measuring_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
  try {
    return uses_of(measuring_.get());
  } catch (const DeviceError& error) {
    if (!std::exchange(is_fault_said_, true)) spdlog::warn("GPU memory is not measured: {}", error.what());
    return std::vector<DeviceUse>{};
  }
}

std::vector<DeviceUse> GpuMemory::uses_of(const std::vector<Gpu>& gpus) const {
  std::vector<DeviceUse> out;
  for (const Gpu& gpu : gpus)
    if (std::find(devices_.begin(), devices_.end(), gpu.uuid) != devices_.end())
      out.push_back({.device = gpu.uuid,
                     .memory_used_bytes = gpu.memory_bytes - gpu.memory_free_bytes,
                     .memory_bytes = gpu.memory_bytes});
  return out;
}

}  // namespace ranktide
