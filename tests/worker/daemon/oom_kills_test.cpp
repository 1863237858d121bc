#include "worker/daemon/oom_kills.h"

#include <fstream>
#include <gtest/gtest.h>

#include "tests/temporary_folder.h"

namespace ranktide {
namespace {

// A machine's files as far as they count deaths for memory; 7 on the whole machine.
class OomKills : public testing::Test {
 protected:
  OomKills() { put("proc/vmstat", "nr_free_pages 12\noom_kill 7\nswap_ra 0\n"); }
  void put(const std::string& path, const std::string& text) {
    const auto file = root_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  int64_t count() const { return oom_kills(root_.path()); }

 private:
  TemporaryFolder root_;
};

constexpr const char* kEvents = "low 0\nhigh 0\nmax 4\noom 3\noom_kill 2\noom_group_kill 0\n";

TEST_F(OomKills, AreThoseOfTheOwnGroupOfVersion2) {
  put("proc/self/cgroup", "0::/system.slice/worker.service\n");
  put("sys/fs/cgroup/system.slice/worker.service/memory.events", kEvents);
  EXPECT_EQ(count(), 2);
}

TEST_F(OomKills, AreThoseOfTheOwnGroupOfVersion1) {
  put("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:hugetlb,memory:/jobs/12\n0::/\n");
  put("sys/fs/cgroup/memory/jobs/12/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
  EXPECT_EQ(count(), 5);
}

TEST_F(OomKills, AreFoundInAContainerThatSeesTheHostsPath) {
  put("proc/self/cgroup", "0::/docker/0123\n");
  put("sys/fs/cgroup/memory.events", kEvents);
  EXPECT_EQ(count(), 2);
}

TEST_F(OomKills, AreTheMachinesWhereTheGroupDoesNotCount) {
  EXPECT_EQ(count(), 7);
  put("proc/self/cgroup", "0::/\n");
  EXPECT_EQ(count(), 7);
}

TEST(OomKillsNowhere, AreNone) {
  const TemporaryFolder empty;
  EXPECT_EQ(oom_kills(empty.path()), 0);
}

}  // namespace
}  // namespace ranktide
