// GPUs found through a fake management library, and what of them a worker may use.

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <utility>

#include "tests/temporary_folder.h"
#include "worker/daemon/devices.h"
#include "worker/daemon/gpu_choice.h"
#include "worker/daemon/gpu_memory.h"
#include "worker/daemon/nvml.h"
#include "worker/daemon/trainer_slot.h"
#include "worker/daemon/trainer_start.h"

namespace ranktide {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<Gpu> gpus_of(const char* node) {
  ::setenv("FAKE_NVML", node, 1);
  return list_gpus(RANKTIDE_FAKE_NVML);
}

std::vector<std::string> uuids(const std::vector<Gpu>& gpus) {
  std::vector<std::string> out;
  for (const Gpu& gpu : gpus) out.push_back(gpu.uuid);
  return out;
}

const std::string kFirst = "GPU-aaaa0000-0000";
const std::string kSecond = "GPU-aaaa1111-1111";

TEST(GpuMemory, TellsWhatTheWorkersOwnDevicesHoldOnceEachTime) {
  ::setenv("FAKE_NVML", "two", 1);
  GpuMemory memory({{.index = 0, .device = "cpu"}, {.index = 1, .device = kSecond}}, RANKTIDE_FAKE_NVML);
  const auto measured = [&](Instant now) {
    for (int i = 0; i < 600; ++i) {
      if (auto uses = memory.take(now)) return *std::move(uses);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return std::vector<DeviceUse>{};
  };
  const std::vector<DeviceUse> uses = measured({1'000});
  ASSERT_EQ(uses.size(), 1u) << "the other one is another worker's";
  EXPECT_EQ(uses[0].device, kSecond);
  EXPECT_EQ(uses[0].memory_used_bytes, int64_t{30} << 30);
  EXPECT_EQ(uses[0].memory_bytes, int64_t{80} << 30);
  EXPECT_EQ(memory.take({10'000}), std::nullopt) << "too early";
  EXPECT_EQ(measured({11'000}).size(), 1u);
}

TEST(GpuMemory, OfAWorkerWithoutGpusOrWithAMismatchedDriverThereIsNone) {
  ::setenv("FAKE_NVML", "mismatched", 1);
  GpuMemory cores({{.index = 0, .device = "cpu"}}, RANKTIDE_FAKE_NVML);
  EXPECT_EQ(cores.take({0}), std::nullopt);
  GpuMemory broken({{.index = 0, .device = kFirst}}, RANKTIDE_FAKE_NVML);
  std::optional<std::vector<DeviceUse>> uses;
  for (int i = 0; i < 600 && !uses; ++i) {
    uses = broken.take({0});
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(uses);
  EXPECT_THAT(*uses, IsEmpty());
}

TEST(GpuMemory, OfADriverThatNeverAnswersIsForgottenAndNobodyWaitsForIt) {
  ::setenv("FAKE_NVML", "hangs", 1);
  GpuMemory memory({{.index = 0, .device = kFirst}}, RANKTIDE_FAKE_NVML);
  EXPECT_EQ(memory.take({0}), std::nullopt);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // it has read the environment by then
  EXPECT_EQ(memory.take({29'000}), std::nullopt);
  const auto uses = memory.take({30'000});
  ASSERT_TRUE(uses);
  EXPECT_THAT(*uses, IsEmpty()) << "what it said before is no longer so";
  EXPECT_EQ(memory.take({60'000}), std::nullopt) << "said once; and no other measurement is begun";
}

// Returns: what is logged while `work` runs.
template <class Run>
std::string logged_by(const Run& work) {
  testing::internal::CaptureStdout();
  work();
  return testing::internal::GetCapturedStdout();
}

TEST(GpuMemory, SaysNothingOfADeviceThatDoesNotAnswerWhichTheStartHasNamed) {
  for (const char* node : {"lost", "silent"}) {
    const std::string at_start =
        logged_by([&] { EXPECT_THAT(uuids(gpus_of(node)), ElementsAre(kSecond)) << node; });
    EXPECT_THAT(at_start, HasSubstr("GPU 0 is left out: ")) << node;
    GpuMemory memory({{.index = 0, .device = kFirst}, {.index = 1, .device = kSecond}}, RANKTIDE_FAKE_NVML);
    std::optional<std::vector<DeviceUse>> uses;
    EXPECT_EQ(logged_by([&] {
                for (int i = 0; i < 600 && !uses; ++i) {
                  uses = memory.take({0});
                  std::this_thread::sleep_for(std::chrono::milliseconds(10));
                }
              }),
              "");
    ASSERT_TRUE(uses);
    ASSERT_EQ(uses->size(), 1U);
    EXPECT_EQ(uses->front().device, kSecond);
  }
}

TEST(Nvml, ListsDevicesWithMemoryModelAndStrangers) {
  const std::vector<Gpu> gpus = gpus_of("two");
  ASSERT_THAT(uuids(gpus), ElementsAre(kFirst, kSecond));
  EXPECT_EQ(gpus[0].model, "NVIDIA Test 80GB");
  EXPECT_EQ(gpus[0].memory_bytes, 80LL << 30);
  EXPECT_FALSE(gpus[0].is_used_by_others);
  EXPECT_TRUE(gpus[1].is_used_by_others);
  EXPECT_EQ(gpus[1].memory_free_bytes, 50LL << 30);
}

TEST(Nvml, ListsTheSlicesOfADeviceThatIsCut) {
  EXPECT_THAT(uuids(gpus_of("sliced")), ElementsAre(kFirst, "MIG-bbbb0000-0000", "MIG-bbbb1111-1111"));
}

TEST(Nvml, LeavesOutADeviceThatDoesNotAnswer) {
  EXPECT_THAT(uuids(gpus_of("lost")), ElementsAre(kSecond));
}

TEST(Nvml, FindsNothingWithoutALibraryOrADriver) {
  EXPECT_THAT(list_gpus("libno-such-library.so.1"), IsEmpty());
  EXPECT_THAT(gpus_of("none"), IsEmpty());
}

TEST(Nvml, SaysWhatIsWrongWithADriverThatDoesNotFit) {
  try {
    (void)gpus_of("mismatched");
    FAIL() << "listed";
  } catch (const DeviceError& error) {
    EXPECT_THAT(error.what(), HasSubstr("Driver/library version mismatch"));
    EXPECT_THAT(error.what(), HasSubstr("--gpus none"));
  }
}

TEST(VisibleGpus, AreThoseThatCudaWouldShow) {
  const std::vector<Gpu> gpus = gpus_of("two");
  const auto shown = [&](const char* value) { return uuids(visible_gpus(gpus, value)); };
  EXPECT_THAT(uuids(visible_gpus(gpus, std::nullopt)), ElementsAre(kFirst, kSecond));
  EXPECT_THAT(shown(""), IsEmpty());
  EXPECT_THAT(shown("1"), ElementsAre(kSecond));
  EXPECT_THAT(shown("1, 0"), ElementsAre(kSecond, kFirst));
  EXPECT_THAT(shown("GPU-aaaa1"), ElementsAre(kSecond));
  EXPECT_THAT(shown("GPU-aaaa"), IsEmpty()) << "fits two";
  EXPECT_THAT(shown("0,7,1"), ElementsAre(kFirst)) << "the first that fits none ends the list";
  EXPECT_THAT(shown("-1"), IsEmpty());
  EXPECT_THAT(shown("NoDevFiles"), IsEmpty());
}

TEST(VisibleGpus, CanBeSlices) {
  const std::vector<Gpu> gpus = gpus_of("sliced");
  EXPECT_THAT(uuids(visible_gpus(gpus, "MIG-bbbb1111-1111")), ElementsAre("MIG-bbbb1111-1111"));
  EXPECT_THAT(uuids(visible_gpus(gpus, "1")), ElementsAre("MIG-bbbb0000-0000", "MIG-bbbb1111-1111"));
}

TEST(WishedGpus, AreNamedAsCudaNamesThemAndRefusedWhereTheyAreNot) {
  const std::vector<Gpu> gpus = gpus_of("two");
  EXPECT_THAT(uuids(wished_gpus(gpus, "")), ElementsAre(kFirst, kSecond));
  EXPECT_THAT(wished_gpus(gpus, "none"), IsEmpty());
  EXPECT_THAT(uuids(wished_gpus(gpus, "1,1")), ElementsAre(kSecond));
  try {
    (void)wished_gpus(gpus, "0,4");
    FAIL() << "accepted";
  } catch (const DeviceError& error) {
    EXPECT_THAT(error.what(), HasSubstr("\"4\" names no single GPU"));
    EXPECT_THAT(error.what(), HasSubstr(kSecond));
  }
}

TEST(OpenableGpus, AreThoseWhoseDeviceFileIsOpenToUs) {
  const TemporaryFolder root;
  const std::vector<Gpu> gpus = gpus_of("two");
  EXPECT_EQ(openable_gpus(gpus, root.path()).size(), 2U) << "a node without such files";
  std::filesystem::create_directories(root.path() / "dev");
  std::ofstream(root.path() / "dev/nvidiactl") << "";
  std::ofstream(root.path() / "dev/nvidia1") << "";
  EXPECT_THAT(uuids(openable_gpus(gpus, root.path())), ElementsAre(kSecond));
}

TEST(OnItsDevice, ATrainerThatSeesAGpuComputesThereAndAnyOtherOnTheCpu) {
  const ChildConfig on_gpu = on_its_device({.program = "trainer", .arguments = {"serve"}, .gpu = kSecond});
  EXPECT_THAT(on_gpu.arguments, ElementsAre("serve", "--device", "cuda"));
  EXPECT_EQ(on_gpu.gpu, kSecond);
  const ChildConfig on_cpu = on_its_device({.program = "trainer", .arguments = {"serve"}, .gpu = ""});
  EXPECT_THAT(on_cpu.arguments, ElementsAre("serve", "--device", "cpu"));
}

// Returns: what a slot's trainer prints of its arguments after its own, and of the GPUs that it sees.
std::string said_by_trainer_with(const std::string& gpu) {
  const TemporaryFolder logs;
  TrainerSlot slot(
      0, {.program = "/bin/sh", .arguments = {"-c", "echo \"$0 $1 <$CUDA_VISIBLE_DEVICES>\""}, .gpu = gpu},
      InputSlot(ChildConfig{}), logs.path());
  slot.on(StartTrainer{});
  for (int i = 0; i < 1000; ++i) {
    for (const AgentInput& input : slot.take_inputs())
      if (const auto* died = std::get_if<TrainerDied>(&input)) return died->log_tail;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return "";
}

TEST(TrainerSlot, TellsItsTrainerToComputeOnTheGpuThatItSees) {
  EXPECT_EQ(said_by_trainer_with(kSecond), "--device cuda <" + std::string(kSecond) + ">\n");
  EXPECT_THAT(said_by_trainer_with(""), HasSubstr("--device cpu <>\n"));
}

TEST(GpuSlots, AreOneADeviceAndShareTheCores) {
  const std::vector<Slot> slots = gpu_slots({.cores = 9, .memory_bytes = 1}, gpus_of("two"), 0, 0);
  ASSERT_EQ(slots.size(), 2U);
  EXPECT_EQ(slots[0].device, kFirst);
  EXPECT_EQ(slots[0].threads, 4);
  EXPECT_EQ(slots[0].memory_bytes, (80LL << 30) - (3LL << 29));
  EXPECT_EQ(slots[1].memory_bytes, (50LL << 30) - (3LL << 29));
  EXPECT_EQ(slots[0].model, "NVIDIA Test 80GB");
  EXPECT_THAT(slots[0].labels, IsEmpty());
  EXPECT_THAT(slots[1].labels, ElementsAre(kSharedLabel));
  EXPECT_EQ(gpu_slots({.cores = 9, .memory_bytes = 1}, gpus_of("two"), 3, 1).size(), 1U);
}

TEST(GpuSlots, OfAGpuThatIsNearlyFullOfferNextToNothingRatherThanAnything) {
  const Gpu full{
      .uuid = kFirst, .memory_bytes = 80LL << 30, .memory_free_bytes = 1LL << 30, .is_used_by_others = true};
  const std::vector<Slot> slots = gpu_slots({.cores = 9, .memory_bytes = 1}, {full}, 0, 0);
  ASSERT_EQ(slots.size(), 1U);
  EXPECT_EQ(slots[0].memory_bytes, 1) << "0 is a slot of unknown memory, which fits everything";
}

}  // namespace
}  // namespace ranktide
