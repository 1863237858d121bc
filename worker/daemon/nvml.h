#pragma once
// The GPUs of this node as NVIDIA's management library lists them, opened at run time: no toolkit is needed to
// build, no driver to run. Not what this process may use of them: gpu_choice.h cuts the list. Thread rule: any,
// but the library is opened and closed within one call.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace ranktide {

struct DeviceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Gpu {                       // or a slice of one (MIG), which CUDA sees as a device of its own
  std::string uuid;                // "GPU-..." or "MIG-..."
  std::string model;               // "NVIDIA H100 80GB HBM3"
  int index = 0;                   // of the physical device, in PCI order
  int minor = 0;                   // of its device file /dev/nvidia<minor>
  int64_t memory_bytes = 0;        // in all
  int64_t memory_free_bytes = 0;   // not taken by others now
  bool is_used_by_others = false;  // processes compute on it now
};

constexpr const char* kNvmlLibrary = "libnvidia-ml.so.1";

struct GpuList {
  std::vector<Gpu> gpus;
  std::vector<std::string> left_out;  // a line for each device that does not answer
};

// Returns: every device that can be asked, slices instead of a device that is cut into such; empty where there
// is no library or no driver. Throws: DeviceError when both are there and do not work together, with the
// remedy.
GpuList look_at_gpus(const std::string& library = kNvmlLibrary);

// The same, and logs what is left out.
std::vector<Gpu> list_gpus(const std::string& library = kNvmlLibrary);

}  // namespace ranktide
