#include "worker/daemon/oom_kills.h"

#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace ranktide {
namespace fs = std::filesystem;
namespace {

// The files are lines of a name and a number.
std::optional<int64_t> counter(const fs::path& file) {
  std::ifstream in(file);
  int64_t count = 0;
  for (std::string name; in >> name >> count;)
    if (name == "oom_kill") return count;
  return std::nullopt;
}

struct Group {
  fs::path file;     // below the mounted hierarchy
  fs::path at_root;  // the same of the hierarchy's root: inside a container the path may be the host's
};

// Lines of /proc/self/cgroup: "0::/path" is version 2, "5:cpu,memory:/path" version 1.
std::optional<Group> group_of(const std::string& line) {
  const size_t first = line.find(':');
  const size_t second = line.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos) return std::nullopt;
  const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
  const fs::path path = fs::path(line.substr(second + 1)).relative_path();
  const fs::path mount = "sys/fs/cgroup";
  if (controllers == ",,") return Group{mount / path / "memory.events", mount / "memory.events"};
  if (controllers.find(",memory,") == std::string::npos) return std::nullopt;
  return Group{mount / "memory" / path / "memory.oom_control", mount / "memory/memory.oom_control"};
}

}  // namespace

int64_t oom_kills(const fs::path& root) {
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const auto group = group_of(line);
    if (!group) continue;
    for (const fs::path& file : {group->file, group->at_root})
      if (const auto count = counter(root / file)) return *count;
  }
  return counter(root / "proc/vmstat").value_or(0);
}

}  // namespace ranktide
