#pragma once
// How often the kernel has killed for memory, counted as near to this process as it is counted: in its control
// group, else on the whole machine, where any other program's death counts too. A pure function of the file
// tree.

#include <cstdint>
#include <filesystem>

namespace ranktide {

// Returns: processes killed so far; 0 where nothing is counted. Children are counted in the group of their
// parent. `root` is what the paths /proc and /sys/fs/cgroup begin with.
int64_t oom_kills(const std::filesystem::path& root = "/");

}  // namespace ranktide
