#pragma once
// What NVIDIA's driver calls the first GPU that this process may use. LibTorch tells neither its model nor its
// architecture without CUDA's own headers; the driver's library does through a C interface that is stable, so
// it is opened while running, and nothing is needed to build. No LibTorch. Any thread.

#include <string>

namespace ranktide {

struct CudaGpu {
  std::string model;  // NVIDIA H100 80GB HBM3
  int major = 0;      // of the compute capability
  int minor = 0;
  int runtime = 0;  // as CUDA counts versions: 12080 is 12.8; 0: not known. The driver does not tell it

  std::string text() const;  // sm_90 NVIDIA H100 80GB HBM3, CUDA 12.8
};

// Throws: std::runtime_error when the library is not there, or does not answer.
CudaGpu first_cuda_gpu(const std::string& library = "libcuda.so.1");

}  // namespace ranktide
