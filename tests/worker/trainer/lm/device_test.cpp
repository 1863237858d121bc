// The device by name, and what is told of it. What computes on one that is not the CPU is tested in
// tests/worker/trainer/device.
#include "worker/trainer/lm/device.h"

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <vector>

#include "worker/trainer/lm/cuda_driver.h"
#include "worker/trainer/lm/engine.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal_of_device(const std::string& name) {
  try {
    device_named(name);
  } catch (const NoDevice& e) {
    return e.what();
  }
  return "";
}

TEST(Device, TheCpuIsAlwaysThere) {
  EXPECT_EQ(device_named("cpu"), at::Device(at::kCPU));
  EXPECT_EQ(device_class_of(device_named("cpu")), DeviceClass::cpu);
  EXPECT_EQ(kernels_of(at::kCPU), current_engine().isa);
  wait_for(at::kCPU);
  release_unused_memory(at::kCPU);
}

// Two processors of one instruction set may multiply bf16 by other instructions, and get other bits.
TEST(Device, KernelsNameTheInstructionsForBf16ThatTheKernelOfTheSystemLists) {
  std::ifstream file("/proc/cpuinfo");
  std::set<std::string> listed;
  for (std::string word; file >> word;) listed.insert(word);
  std::string expected = at::get_cpu_capability();
  if (listed.contains("avx512_bf16") || listed.contains("bf16")) expected += " bf16";  // as x86, and as ARM
  if (listed.contains("amx_bf16")) expected += " amx";
  EXPECT_EQ(kernels_of(at::kCPU), expected);
}

// Libraries choose code by it, and bits follow.
TEST(Device, TheProcessorIsTheOneThatTheKernelOfTheSystemNames) {
  std::ifstream file("/proc/cpuinfo");
  std::map<std::string, std::string> listed;
  for (std::string line; std::getline(file, line) && !line.empty();)
    if (const size_t colon = line.find(':'); colon != std::string::npos)
      listed[line.substr(0, line.find_last_not_of("\t ", colon - 1) + 1)] =
          line.substr(std::min(colon + 2, line.size()));
  if (!listed.contains("vendor_id"))
    GTEST_SKIP() << "needs a processor that is named by maker, family and model";
  EXPECT_EQ(processor_of(at::kCPU), listed["vendor_id"] + " " + listed["cpu family"] + "/" + listed["model"]);
  EXPECT_EQ(processor_of(at::kCPU), current_engine().processor);
  EXPECT_EQ(processor_of(at::Device(at::kCUDA, 0)), "") << "no bit of a device depends on it";
}

TEST(Device, ACpuBuildAskedForCudaNamesTheRemedy) {
  if (at::detail::getCUDAHooks().isBuilt())
    GTEST_SKIP() << "LibTorch is a CUDA build, and the message is a CPU build's";
  EXPECT_THAT(refusal_of_device("cuda"), AllOf(HasSubstr("is a CPU build"), HasSubstr("RANKTIDE_TORCH"),
                                               HasSubstr("--device cpu"), HasSubstr("--gpus none")));
}

TEST(Device, AnotherNameIsNone) {
  EXPECT_EQ(refusal_of_device("tpu"), "\"tpu\" is no device; there are cpu and cuda");
}

// No more is asked: where the kernel does not let the mark be set back, it stays at what came before.
TEST(Device, ThePeakOfTheCpuIsTheProcesss) {
  reset_memory_peak(at::kCPU);
  const int64_t before = memory_peak_bytes(at::kCPU);
  const std::vector<char> touched(64 << 20, 'x');
  EXPECT_GT(memory_peak_bytes(at::kCPU), int64_t{64} << 20);
  EXPECT_GE(memory_peak_bytes(at::kCPU), before);
}

TEST(CudaDriver, TellsArchitectureAndModelOfTheFirstGpu) {
  const CudaGpu gpu = first_cuda_gpu(RANKTIDE_FAKE_CUDA);
  EXPECT_EQ(gpu.text(), "sm_90 NVIDIA Test 80GB");
}

// Another CUDA brings other products: a checkpoint of one is not the other's.
TEST(CudaDriver, AGpuIsNamedWithTheCudaThatComputesOnIt) {
  CudaGpu gpu = first_cuda_gpu(RANKTIDE_FAKE_CUDA);
  gpu.runtime = 12080;
  EXPECT_EQ(gpu.text(), "sm_90 NVIDIA Test 80GB, CUDA 12.8");
  gpu.runtime = 13000;
  EXPECT_EQ(gpu.text(), "sm_90 NVIDIA Test 80GB, CUDA 13.0");
}

TEST(CudaDriver, SaysWhatIsNotThere) {
  EXPECT_THROW(first_cuda_gpu("libno_such_driver.so.1"), std::runtime_error);
  setenv("FAKE_CUDA", "none", 1);
  try {
    first_cuda_gpu(RANKTIDE_FAKE_CUDA);
    FAIL() << "a GPU that is not there was described";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("cuInit failed with CUDA error 100"));
  }
  unsetenv("FAKE_CUDA");
}

}  // namespace
}  // namespace ranktide
