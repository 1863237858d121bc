#pragma once
// What this machine's processor calls itself and which vector instructions it has: what products measured on it
// are filed under. Not its cores or memory (worker/daemon/devices.h). Any thread.

#include <filesystem>
#include <string>

namespace ranktide {

inline constexpr const char* kUnknownProcessor = "unknown";

struct Processor {
  std::string name;          // the kernel's model name; kUnknownProcessor where it has none
  std::string instructions;  // the widest that products gain from: avx512_bf16, avx512f, avx2 or plain
};

// `cpuinfo` is the kernel's file but in tests. Returns: the first processor's.
Processor this_processor(const std::filesystem::path& cpuinfo = "/proc/cpuinfo");

// Returns: whether a trainer on it turns bf16 into fp32 to multiply it (worker/trainer/lm/product.h): LibTorch
// has kernels for bf16 from AVX512 on. Of other makes' instructions nothing is told here; they count as none.
bool widens_bf16(const Processor& processor);

}  // namespace ranktide
