#pragma once
// The device that a model lives on, through what LibTorch knows of any accelerator: no CUDA header is needed,
// and one source serves the CPU and its CUDA build. What a device computes is the engine's business. Shows
// LibTorch. The engine thread.

#include <c10/core/Device.h>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "common/model/microbatch.h"

namespace ranktide {

// The device that was asked for is not to be had. The text says why, and what to do.
struct NoDevice : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Returns: the CPU for "cpu"; for "cuda" the first device that CUDA_VISIBLE_DEVICES shows.
// Throws: NoDevice where this LibTorch is a CPU build, or no device is there; for another name.
at::Device device_named(const std::string& name);

// Returns: which kernels compute on it: on the CPU the instruction set that LibTorch picked, as it names it,
// and those for bf16 that this leaves open, as in "AVX512 bf16 amx"; of a CUDA device its architecture and
// model, and the CUDA that LibTorch was built with. Bits depend on it.
std::string kernels_of(at::Device device);

// Returns: maker, family and model of the processor, as in "AuthenticAMD 25/1", where products are computed on
// it: libraries choose code and blocking by them too, so that bits of one instruction set may differ. Empty:
// not known, as on ARM, or another device computes.
std::string processor_of(at::Device device);

DeviceClass device_class_of(at::Device device);

// Returns: what results say that they were computed by: the kind of device and kernels_of it, as in "cpu
// AVX512".
std::string device_text(at::Device device);

// Returns when all that was asked of the device is done; at once on the CPU.
void wait_for(at::Device device);

// Returns: the most memory held at once since reset_memory_peak: on the CPU by the process, LibTorch with it;
// of a device what its allocator handed out.
int64_t memory_peak_bytes(at::Device device);
// A trainer outlives its trials, so the mark is set back before each. Where the kernel refuses, the mark is the
// process's.
void reset_memory_peak(at::Device device);
// Gives what the device's allocator keeps for later back to the device, after memory has run out.
void release_unused_memory(at::Device device);
// Returns: whether an error of LibTorch with this message says that the host had no memory for a tensor: the
// CPU's allocator has no exception type of its own.
bool is_host_out_of_memory(const std::string& message);

}  // namespace ranktide
