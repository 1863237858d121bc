#include "worker/daemon/cgroup.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace ranktide {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kUnlimited = int64_t{1} << 60;  // version 1 writes its largest page count for no limit

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::optional<int64_t> number_in(const fs::path& file) {
  std::istringstream in(first_line(file));
  int64_t number = 0;
  if (!(in >> number) || number <= 0 || number >= kUnlimited) return std::nullopt;
  return number;
}

template <class T>
void tighten(std::optional<T>& limit, std::optional<T> other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

std::optional<int> cores_of(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<int>(std::max<int64_t>(1, quota / period));
}

// Version 2: cpu.max holds "max 100000" or "<quota us> <period us>", memory.max "max" or bytes.
CgroupLimits limits_of_v2(const fs::path& group) {
  std::istringstream in(first_line(group / "cpu.max"));
  int64_t quota = 0;
  int64_t period = 0;
  CgroupLimits out{.cores = std::nullopt, .memory_bytes = number_in(group / "memory.max")};
  if (in >> quota >> period) out.cores = cores_of(quota, period);
  return out;
}

// Version 1: a hierarchy per controller; a quota of -1 is none.
CgroupLimits limits_of_v1(const fs::path& group) {
  return {.cores = cores_of(number_in(group / "cpu.cfs_quota_us").value_or(0),
                            number_in(group / "cpu.cfs_period_us").value_or(0)),
          .memory_bytes = number_in(group / "memory.limit_in_bytes")};
}

// Returns: the hierarchy's top and every folder from there to the group. Inside a container the path may be the
// host's and lead nowhere; then the top, which is the container's own group, is what counts.
std::vector<fs::path> way_down(const fs::path& top, const std::string& group) {
  std::vector<fs::path> folders{top};
  fs::path here = top;
  for (const fs::path& part : fs::path(group).relative_path()) folders.push_back(here /= part);
  return folders;
}

// Lines of /proc/self/cgroup: "0::/path" is version 2, "5:cpu,cpuacct:/path" version 1.
struct Membership {
  std::string controllers;
  std::string group;
};

std::optional<Membership> membership(const std::string& line) {
  const size_t first = line.find(':');
  const size_t second = line.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos) return std::nullopt;
  return Membership{line.substr(first + 1, second - first - 1), line.substr(second + 1)};
}

}  // namespace

CgroupLimits cgroup_limits(const fs::path& root) {
  const fs::path mount = root / "sys/fs/cgroup";
  CgroupLimits out;
  const auto apply = [&out](const CgroupLimits& limits) {
    tighten(out.cores, limits.cores);
    tighten(out.memory_bytes, limits.memory_bytes);
  };
  apply(limits_of_v2(mount));
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const auto found = membership(line);
    if (!found) continue;
    if (found->controllers.empty())
      for (const fs::path& group : way_down(mount, found->group)) apply(limits_of_v2(group));
    else
      for (const fs::path& group : way_down(mount / found->controllers, found->group))
        apply(limits_of_v1(group));
  }
  return out;
}

}  // namespace ranktide
