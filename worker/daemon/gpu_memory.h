#pragma once
// How much memory the worker's GPUs hold, measured now and then on a thread of its own: the management library
// may take seconds to open, or never answer where a GPU is lost, and neither a heartbeat nor the worker's end
// may wait for it. For eyes only. Not which devices there are (nvml.h). Thread rule: one thread; a measurement
// that has begun outlives the object.

#include <future>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/protocol.h"
#include "common/vocabulary/time.h"
#include "worker/daemon/nvml.h"

namespace ranktide {

inline constexpr Duration kGpuMemoryEvery{10'000};
inline constexpr Duration kGpuMemoryForgottenAfter{30'000};

class GpuMemory {
 public:
  // Of the slots' GPUs; where there are none, nothing is ever measured.
  explicit GpuMemory(const std::vector<Slot>& slots, std::string library = kNvmlLibrary);

  // Begins a measurement when one is due. Returns: what one has found since the last call, a device that does
  // not answer left out; nullopt: nothing new. Where it cannot measure, or has not for
  // kGpuMemoryForgottenAfter, the list is empty; why is logged once.
  std::optional<std::vector<DeviceUse>> take(Instant now);

 private:
  std::vector<DeviceUse> nothing(const std::string& why);
  std::vector<DeviceUse> uses_of(const std::vector<Gpu>& gpus) const;

  std::vector<std::string> devices_;
  std::string library_;
  std::future<GpuList> measuring_;
  std::optional<Instant> began_;
  bool is_forgotten_ = false;  // since began_
  bool is_fault_said_ = false;
};

}  // namespace ranktide
