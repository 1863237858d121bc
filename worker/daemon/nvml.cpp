#include "worker/daemon/nvml.h"

#include <array>
#include <dlfcn.h>
#include <memory>
#include <optional>
#include <spdlog/spdlog.h>
#include <type_traits>
#include <utility>

namespace ranktide {
namespace {

// The few values of nvml.h that are used; permanent there.
constexpr int kSuccess = 0;
constexpr int kInsufficientSize = 7;
constexpr int kDriverNotLoaded = 9;
constexpr unsigned kMigEnabled = 1;
constexpr unsigned kTextBytes = 96;

using Device = void*;
struct Memory {
  unsigned long long total, free, used;
};

struct CloseLibrary {
  void operator()(void* library) const { ::dlclose(library); }
};
using Library = std::unique_ptr<void, CloseLibrary>;

// The library's functions. Those that old drivers lack may be null.
struct Nvml {
  explicit Nvml(void* library);

  std::string reason(int code) const { return error_string(code); }

  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  const char* (*error_string)(int) = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*handle)(unsigned, Device*) = nullptr;
  int (*uuid)(Device, char*, unsigned) = nullptr;
  int (*name)(Device, char*, unsigned) = nullptr;
  int (*memory)(Device, Memory*) = nullptr;
  int (*minor)(Device, unsigned*) = nullptr;
  int (*processes)(Device, unsigned*, void*) = nullptr;     // may be null
  int (*mig_mode)(Device, unsigned*, unsigned*) = nullptr;  // may be null
  int (*mig_count)(Device, unsigned*) = nullptr;            // may be null
  int (*mig_handle)(Device, unsigned, Device*) = nullptr;   // may be null
};

template <class Function>
void look_up(void* library, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, symbol));
}

template <class Function>
void require(void* library, const char* symbol, Function& function) {
  look_up(library, symbol, function);
  if (function == nullptr)
    throw DeviceError(std::string("the NVIDIA management library has no ") + symbol +
                      "; install a driver of 2019 or later, or use no GPU with --gpus none");
}

Nvml::Nvml(void* library) {
  require(library, "nvmlInit_v2", init);
  require(library, "nvmlShutdown", shutdown);
  require(library, "nvmlErrorString", error_string);
  require(library, "nvmlDeviceGetCount_v2", count);
  require(library, "nvmlDeviceGetHandleByIndex_v2", handle);
  require(library, "nvmlDeviceGetUUID", uuid);
  require(library, "nvmlDeviceGetName", name);
  require(library, "nvmlDeviceGetMemoryInfo", memory);
  require(library, "nvmlDeviceGetMinorNumber", minor);
  // Only their number is asked for, which the versions of this function give alike.
  for (const char* symbol : {"nvmlDeviceGetComputeRunningProcesses_v3",
                             "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses"})
    if (processes == nullptr) look_up(library, symbol, processes);
  look_up(library, "nvmlDeviceGetMigMode", mig_mode);
  look_up(library, "nvmlDeviceGetMaxMigDeviceCount", mig_count);
  look_up(library, "nvmlDeviceGetMigDeviceHandleByIndex", mig_handle);
}

bool is_used(const Nvml& nvml, Device device) {
  unsigned count = 0;
  if (nvml.processes == nullptr) return false;
  const int code = nvml.processes(device, &count, nullptr);
  return code == kInsufficientSize || (code == kSuccess && count > 0);
}

// Returns: nullopt for a device that does not answer: lost, or not ours to ask.
std::optional<Gpu> describe(const Nvml& nvml, Device device, const Gpu& physical) {
  std::array<char, kTextBytes> uuid{};
  std::array<char, kTextBytes> name{};
  Memory memory{};
  const bool answers = nvml.uuid(device, uuid.data(), kTextBytes) == kSuccess &&
                       nvml.name(device, name.data(), kTextBytes) == kSuccess &&
                       nvml.memory(device, &memory) == kSuccess;
  if (!answers) return std::nullopt;
  Gpu gpu = physical;
  gpu.uuid = uuid.data();
  gpu.model = name.data();
  gpu.memory_bytes = static_cast<int64_t>(memory.total);
  gpu.memory_free_bytes = static_cast<int64_t>(memory.free);
  gpu.is_used_by_others = is_used(nvml, device);
  return gpu;
}

bool is_cut_into_slices(const Nvml& nvml, Device device) {
  unsigned current = 0;
  unsigned pending = 0;
  const bool can_be = nvml.mig_mode != nullptr && nvml.mig_count != nullptr && nvml.mig_handle != nullptr;
  return can_be && nvml.mig_mode(device, &current, &pending) == kSuccess && current == kMigEnabled;
}

// The places of slices may have gaps.
void add_slices(const Nvml& nvml, Device device, const Gpu& physical, std::vector<Gpu>& out) {
  unsigned places = 0;
  if (nvml.mig_count(device, &places) != kSuccess) return;
  for (unsigned place = 0; place < places; ++place) {
    Device slice = nullptr;
    if (nvml.mig_handle(device, place, &slice) != kSuccess) continue;
    if (const auto gpu = describe(nvml, slice, physical)) out.push_back(*gpu);
  }
}

void add_device(const Nvml& nvml, unsigned index, GpuList& out) {
  Device device = nullptr;
  unsigned minor = index;
  const int code = nvml.handle(index, &device);
  if (code != kSuccess) {
    out.left_out.push_back("GPU " + std::to_string(index) + " is left out: " + nvml.reason(code));
    return;
  }
  (void)nvml.minor(device, &minor);  // where it is not told, the numbers are equal
  const Gpu physical{.index = static_cast<int>(index), .minor = static_cast<int>(minor)};
  if (is_cut_into_slices(nvml, device)) return add_slices(nvml, device, physical, out.gpus);
  if (const auto gpu = describe(nvml, device, physical))
    out.gpus.push_back(*gpu);
  else
    out.left_out.push_back("GPU " + std::to_string(index) + " is left out: it does not answer");
}

}  // namespace

GpuList look_at_gpus(const std::string& library) {
  const Library opened(::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!opened) return {};
  const Nvml nvml(opened.get());
  const int code = nvml.init();
  if (code == kDriverNotLoaded) return {};
  if (code != kSuccess)
    throw DeviceError("the NVIDIA driver does not answer: " + nvml.reason(code) +
                      "; see what nvidia-smi says, or use no GPU with --gpus none");
  GpuList out;
  unsigned count = 0;
  if (nvml.count(&count) == kSuccess)
    for (unsigned index = 0; index < count; ++index) add_device(nvml, index, out);
  nvml.shutdown();
  return out;
}

std::vector<Gpu> list_gpus(const std::string& library) {
  GpuList list = look_at_gpus(library);
  for (const std::string& line : list.left_out) spdlog::warn("{}", line);
  return std::move(list.gpus);
}

}  // namespace ranktide
