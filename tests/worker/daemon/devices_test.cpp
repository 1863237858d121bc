#include "worker/daemon/devices.h"

#include <fstream>
#include <gtest/gtest.h>

#include "tests/temporary_folder.h"
#include "worker/daemon/cgroup.h"

namespace ranktide {
namespace {

// A made-up root with this node's own answers replaced.
class Node : public testing::Test {
 protected:
  Node() {
    put("proc/meminfo", "MemTotal:       8388608 kB\nMemFree: 1 kB\n");
    put("proc/self/cgroup", "0::/outer/inner\n");
  }
  void put(const std::string& file, const std::string& text) const {
    const auto path = root_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  TemporaryFolder root_;
};

TEST_F(Node, HasItsPhysicalMemoryWhereNothingLimitsIt) {
  EXPECT_EQ(measure_node(root_.path()).memory_bytes, 8LL << 30);
  EXPECT_GE(measure_node(root_.path()).cores, 1);
}

TEST_F(Node, ObeysTheTightestControlGroupAboveIt) {
  put("sys/fs/cgroup/outer/memory.max", "1073741824\n");
  put("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  put("sys/fs/cgroup/outer/cpu.max", "100000 100000\n");
  put("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  EXPECT_EQ(measure_node(root_.path()).memory_bytes, 1LL << 30);
  EXPECT_EQ(measure_node(root_.path()).cores, 1);
}

TEST_F(Node, GivesAtLeastOneCoreForASmallQuota) {
  put("sys/fs/cgroup/outer/inner/cpu.max", "50000 100000\n");
  EXPECT_EQ(measure_node(root_.path()).cores, 1);
}

TEST_F(Node, ObeysTheLimitsOfVersionOneGroups) {
  put("proc/self/cgroup", "4:memory:/outer/inner\n3:cpu,cpuacct:/outer\n1:name=systemd:/\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/memory/outer/memory.limit_in_bytes", "2147483648\n");
  put("sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_quota_us", "100000\n");
  put("sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(measure_node(root_.path()).memory_bytes, 2LL << 30);
  EXPECT_EQ(measure_node(root_.path()).cores, 1);
}

TEST_F(Node, TakesTheMountedTopForItsOwnGroupInsideAContainer) {
  put("proc/self/cgroup", "0::/a/path/of/the/host\n");
  put("sys/fs/cgroup/memory.max", "536870912\n");
  EXPECT_EQ(measure_node(root_.path()).memory_bytes, 512LL << 20);
}

TEST_F(Node, IgnoresAQuotaThatIsNone) {
  put("proc/self/cgroup", "3:cpu:/outer\n");
  put("sys/fs/cgroup/cpu/outer/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu/outer/cpu.cfs_period_us", "100000\n");
  EXPECT_GE(measure_node(root_.path()).cores, 1);
  EXPECT_FALSE(cgroup_limits(root_.path()).cores);
}

TEST_F(Node, SlotsOfCoresTellWhetherTheirProcessorWidensBf16) {
  put("proc/cpuinfo", "flags\t\t: avx2 avx512f\n");
  EXPECT_EQ(cpu_slots(measure_node(root_.path()), 1, 1).at(0).widens_bf16, false);
  put("proc/cpuinfo", "flags\t\t: avx2\n");
  EXPECT_EQ(cpu_slots(measure_node(root_.path()), 1, 1).at(0).widens_bf16, true);
}

TEST_F(Node, SlotsOfCoresTellTheirProcessorInPrintableAscii) {
  put("proc/cpuinfo", "model name\t: Make\xC2\xAE Of Tides\n");
  EXPECT_EQ(cpu_slots(measure_node(root_.path()), 1, 1).at(0).processor, "Make Of Tides");
}

TEST(CpuSlots, ShareCoresAndMemory) {
  const std::vector<Slot> slots = cpu_slots({.cores = 8, .memory_bytes = 800}, 2, 0);
  ASSERT_EQ(slots.size(), 4U);
  EXPECT_EQ(slots[3].index, 3);
  EXPECT_EQ(slots[3].threads, 2);
  EXPECT_EQ(slots[3].memory_bytes, 200);
}

TEST(CpuSlots, AreAtMostWhatIsWantedAndAtLeastOne) {
  EXPECT_EQ(cpu_slots({.cores = 8, .memory_bytes = 800}, 1, 3).size(), 3U);
  EXPECT_EQ(cpu_slots({.cores = 2, .memory_bytes = 800}, 4, 0).size(), 1U);
}

TEST(Slots, FewerThanWereAskedForAreSaidWithTheReason) {
  const NodeCapacity node{.cores = 2, .memory_bytes = 800};
  EXPECT_EQ(fewer_slots_notice(node, cpu_slots(node, 1, 9), 9),
            "--slots 9: 2 made, of 1 thread(s) each, for 2 core(s) may be used here");
  EXPECT_EQ(fewer_slots_notice(node, gpu_slots(node, {{.uuid = "GPU-a"}}, 0, 4), 4),
            "--slots 4: 1 made, a slot for each GPU that may be used here");
  EXPECT_EQ(fewer_slots_notice(node, cpu_slots(node, 1, 2), 2), "");
  EXPECT_EQ(fewer_slots_notice(node, cpu_slots(node, 1, 0), 0), "");
}

}  // namespace
}  // namespace ranktide
