#include "worker/trainer/lm/device.h"

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <fstream>
#include <torch/version.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "worker/trainer/lm/cuda_driver.h"

namespace ranktide {
namespace {

constexpr const char* kOrCpu =
    "; or compute on the CPU: --device cpu, and --gpus none where a worker is started";

at::Device first_cuda_device() {
  if (!at::detail::getCUDAHooks().isBuilt())
    throw NoDevice("cuda: this LibTorch (" TORCH_VERSION
                   ") is a CPU build; build ranktide with its CUDA build (RANKTIDE_TORCH of ./bootstrap, or "
                   "-DLIBTORCH_ROOT)" +
                   std::string(kOrCpu));
  if (!at::hasCUDA())
    throw NoDevice(
        "cuda: LibTorch's CUDA build finds no device that this process may use; see what nvidia-smi says, "
        "whether the driver is new enough for it, and what CUDA_VISIBLE_DEVICES shows" +
        std::string(kOrCpu));
  return {at::kCUDA, 0};
}

// The high-water mark of this process's resident memory.
int64_t resident_peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (int64_t kib = 0; word == "VmHWM:" && status >> kib) return kib * 1024;
  return 0;
}

// The libraries that compute come with CUDA's runtime; only a CUDA build can be asked for its version.
CudaGpu first_gpu_and_runtime() {
  CudaGpu gpu = first_cuda_gpu();
  const at::CUDAHooksInterface& hooks = at::detail::getCUDAHooks();
  if (hooks.isBuilt()) gpu.runtime = static_cast<int>(hooks.versionCUDART());
  return gpu;
}

c10::DeviceAllocator& allocator_of(at::Device device) {
  return *c10::getDeviceAllocator(device.type());
}

// LibTorch's name, and the instructions with which oneDNN multiplies bf16, which the name leaves open: sums of
// the one and of the other round apart. On ARM bf16 is widened without them (product.cpp).
std::string kernels_of_processor() {
  std::string out = at::get_cpu_capability();
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16")) out += " bf16";
  if (__builtin_cpu_supports("amx-bf16")) out += " amx";
#elif defined(__aarch64__) && defined(__linux__)
  if ((getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0) out += " bf16";
#endif
  return out;
}

#if defined(__x86_64__)
// As the processor's manual counts them, and the kernel does.
std::string family_and_model(unsigned signature) {
  const auto bits = [signature](int from, unsigned mask) { return (signature >> from) & mask; };
  const unsigned family = bits(8, 15) == 15 ? 15 + bits(20, 255) : bits(8, 15);
  const unsigned model = family == 6 || family >= 15 ? bits(16, 15) << 4 | bits(4, 15) : bits(4, 15);
  return std::to_string(family) + "/" + std::to_string(model);
}

std::string processor() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx)) return "";
  std::string maker;
  for (const unsigned part : {ebx, edx, ecx}) maker.append(reinterpret_cast<const char*>(&part), sizeof(part));
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return "";
  return maker + " " + family_and_model(eax);
}
#else
std::string processor() {
  return "";
}
#endif

}  // namespace

at::Device device_named(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (name == "cuda") return first_cuda_device();
  throw NoDevice("\"" + name + "\" is no device; there are cpu and cuda");
}

std::string kernels_of(at::Device device) {
  if (device.is_cpu()) return kernels_of_processor();
  if (device.is_cuda()) return first_gpu_and_runtime().text();
  return device.str();
}

std::string processor_of(at::Device device) {
  return device.is_cpu() ? processor() : "";
}

DeviceClass device_class_of(at::Device device) {
  return device.is_cpu() ? DeviceClass::cpu : DeviceClass::gpu;
}

std::string device_text(at::Device device) {
  return c10::DeviceTypeName(device.type(), /*lower_case=*/true) + " " + kernels_of(device);
}

void wait_for(at::Device device) {
  if (!device.is_cpu()) c10::impl::getDeviceGuardImpl(device.type())->synchronizeDevice(device.index());
}

int64_t memory_peak_bytes(at::Device device) {
  if (device.is_cpu()) return resident_peak_bytes();
  return allocator_of(device).getDeviceStats(device.index()).allocated_bytes[0].peak;  // [0]: of all pools
}

void reset_memory_peak(at::Device device) {
  if (device.is_cpu())
    std::ofstream("/proc/self/clear_refs") << "5";
  else
    allocator_of(device).resetPeakStats(device.index());
}

void release_unused_memory(at::Device device) {
  if (!device.is_cpu()) allocator_of(device).emptyCache();
}

bool is_host_out_of_memory(const std::string& message) {
  return message.find("DefaultCPUAllocator") != std::string::npos ||
         message.find("can't allocate memory") != std::string::npos;
}

}  // namespace ranktide
