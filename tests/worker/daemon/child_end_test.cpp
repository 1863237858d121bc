#include "worker/daemon/child_end.h"

#include <csignal>
#include <gtest/gtest.h>

namespace ranktide {
namespace {

constexpr const char* kCaught =
    "eval held ran out of memory with 1024 tokens in a pass, and begins again with half as many: "
    "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory\nstep 7/9  loss 2.5\n";
constexpr const char* kOwnWords =
    "error: [enforce fail] . DefaultCPUAllocator: can't allocate memory: 5 bytes\n";
constexpr const char* kUncaught =
    "terminate called after throwing an instance of 'c10::OutOfMemoryError'\n  what():  CUDA out of memory.\n";

constexpr int exit_status(int code) {  // as wait's macros take it apart
  return code << 8;
}

ChildEnd end_of(int wait_status, const std::string& log, bool was_killed_for_memory = false) {
  return child_end(wait_status, was_killed_for_memory, log);
}

TEST(ChildEnd, IsOutOfMemoryWhereTheLastWordsSaySo) {
  EXPECT_EQ(end_of(exit_status(1), kOwnWords).kind, EndKind::out_of_memory);
  EXPECT_EQ(end_of(exit_status(1), kOwnWords).message, "out of memory, with exit code 1");
  EXPECT_EQ(end_of(SIGABRT, std::string(kCaught) + kUncaught).kind, EndKind::out_of_memory);
  EXPECT_EQ(end_of(SIGABRT, "terminate called after throwing an instance of 'std::bad_alloc'\n").kind,
            EndKind::out_of_memory);
}

TEST(ChildEnd, IsNotOutOfMemoryForAWarningThatItSurvived) {
  EXPECT_EQ(end_of(exit_status(3), kCaught).kind, EndKind::exited);
  EXPECT_EQ(end_of(exit_status(1), std::string(kOwnWords) + "error: the pipe is gone\n").kind, EndKind::exited);
  EXPECT_EQ(end_of(exit_status(1), std::string("an ") + kOwnWords).kind, EndKind::exited)
      << "in the middle of a line";
  EXPECT_EQ(end_of(SIGABRT, std::string(kCaught) + "terminate called without an active exception\n").kind,
            EndKind::signalled);
  EXPECT_EQ(end_of(SIGSEGV, kUncaught).kind, EndKind::signalled);
}

TEST(ChildEnd, IsADeadDeviceWhateverTheDeviceSaid) {
  const ChildEnd dead = end_of(exit_status(71), kOwnWords);
  EXPECT_EQ(dead.kind, EndKind::exited);
  EXPECT_EQ(dead.message, "exited with code 71");
}

TEST(ChildEnd, IsTheKernelsWhereThatKilledForMemory) {
  const ChildEnd killed = end_of(SIGKILL, "", true);
  EXPECT_EQ(killed.kind, EndKind::out_of_memory);
  EXPECT_EQ(killed.message, "killed by signal 9 (Killed) by the kernel, for memory");
  EXPECT_EQ(end_of(SIGKILL, kUncaught).kind, EndKind::signalled) << "somebody else's";
  EXPECT_EQ(end_of(SIGTERM, "", true).kind, EndKind::signalled);
}

TEST(ChildEnd, ReadsALogThatBeginsWithTheWordsOrHasNone) {
  EXPECT_EQ(end_of(exit_status(0), kOwnWords).kind, EndKind::exited);
  EXPECT_EQ(end_of(exit_status(2), "").message, "exited with code 2");
}

}  // namespace
}  // namespace ranktide
