#include "worker/trainer/lm/cuda_driver.h"

#include <array>
#include <dlfcn.h>
#include <stdexcept>

namespace ranktide {
namespace {

// Of cuda.h; the values are part of the driver's interface.
constexpr int kCapabilityMajor = 75, kCapabilityMinor = 76;

// Never closed: the driver stays with the process.
class CudaDriver {
 public:
  explicit CudaDriver(const std::string& library)
      : library_(library), handle_(::dlopen(library.c_str(), RTLD_NOW)) {
    if (handle_ == nullptr)
      throw std::runtime_error(library + ": the CUDA driver cannot be opened: " + ::dlerror());
  }

  // Returns when the driver's function said that it has done it.
  template <class... Arguments>
  void call(const char* name, Arguments... arguments) const {
    auto* function = reinterpret_cast<int (*)(Arguments...)>(::dlsym(handle_, name));
    if (function == nullptr) throw std::runtime_error(library_ + ": has no " + name);
    if (const int error = function(arguments...); error != 0)
      throw std::runtime_error(library_ + ": " + name + " failed with CUDA error " + std::to_string(error));
  }

 private:
  std::string library_;
  void* handle_;
};

}  // namespace

std::string CudaGpu::text() const {
  const std::string gpu = "sm_" + std::to_string(major) + std::to_string(minor) + " " + model;
  if (runtime == 0) return gpu;
  return gpu + ", CUDA " + std::to_string(runtime / 1000) + "." + std::to_string(runtime % 1000 / 10);
}

CudaGpu first_cuda_gpu(const std::string& library) {
  const CudaDriver driver(library);
  driver.call("cuInit", 0U);
  int device = 0;
  driver.call("cuDeviceGet", &device, 0);
  std::array<char, 256> name{};
  driver.call("cuDeviceGetName", name.data(), static_cast<int>(name.size() - 1), device);
  CudaGpu gpu{.model = name.data()};
  driver.call("cuDeviceGetAttribute", &gpu.major, kCapabilityMajor, device);
  driver.call("cuDeviceGetAttribute", &gpu.minor, kCapabilityMinor, device);
  return gpu;
}

}  // namespace ranktide
