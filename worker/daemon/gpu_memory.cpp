#include "worker/daemon/gpu_memory.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <spdlog/spdlog.h>
#include <thread>
#include <utility>

namespace ranktide {
namespace {

// On a thread that nobody joins: the library may block for ever. Throws: std::system_error where none can be
// had.
std::future<GpuList> begin_looking(const std::string& library) {
  std::promise<GpuList> found;
  std::future<GpuList> out = found.get_future();
  std::thread([library, found = std::move(found)]() mutable {
    try {
      found.set_value(look_at_gpus(library));
    } catch (...) {
      found.set_exception(std::current_exception());
    }
  }).detach();
  return out;
}

}  // namespace

GpuMemory::GpuMemory(const std::vector<Slot>& slots, std::string library) : library_(std::move(library)) {
  for (const Slot& slot : slots)
    if (slot.device != "cpu") devices_.push_back(slot.device);
}

std::optional<std::vector<DeviceUse>> GpuMemory::take(Instant now) {
  if (devices_.empty()) return std::nullopt;
  try {
    if (!measuring_.valid()) {
      if (began_ && now < *began_ + kGpuMemoryEvery) return std::nullopt;
      began_ = now;
      is_forgotten_ = false;
      measuring_ = begin_looking(library_);
    }
    if (measuring_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
      return uses_of(measuring_.get().gpus);
  } catch (const std::exception& error) {
    return nothing(error.what());
  }
  if (now < *began_ + kGpuMemoryForgottenAfter || std::exchange(is_forgotten_, true)) return std::nullopt;
  return nothing("the NVIDIA driver does not answer");
}

std::vector<DeviceUse> GpuMemory::nothing(const std::string& why) {
  if (!std::exchange(is_fault_said_, true)) spdlog::warn("GPU memory is not measured: {}", why);
  return {};
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
