#pragma once
// What this machine's processor calls itself and which vector instructions it has: what products measured on it
// are filed under. Not its cores or memory (worker/daemon/devices.h). Any thread.

#include <filesystem>
#include <string>

namespace ranktide {

struct Processor {
  std::string name;          // the kernel's model name; "unknown" where it has none
  std::string instructions;  // the widest that products gain from: avx512_bf16, avx512f, avx2 or plain
};

// `cpuinfo` is the kernel's file but in tests. Returns: the first processor's.
Processor this_processor(const std::filesystem::path& cpuinfo = "/proc/cpuinfo");

}  // namespace ranktide
