#pragma once
// What the kernel's control groups leave of the machine to this process, versions 1 and 2. The tightest group
// on the way up counts. A pure function of the file tree; any thread.

#include <cstdint>
#include <filesystem>
#include <optional>

namespace ranktide {

struct CgroupLimits {  // absent: no limit
  std::optional<int> cores;
  std::optional<int64_t> memory_bytes;
};

// `root` is what the paths /proc and /sys/fs/cgroup begin with. Where only a part of a core is left, it is one.
CgroupLimits cgroup_limits(const std::filesystem::path& root);

}  // namespace ranktide
