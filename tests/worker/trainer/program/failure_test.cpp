#include "worker/trainer/program/failure.h"

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <new>

namespace ranktide {
namespace {

using testing::HasSubstr;
using testing::Not;

const c10::SourceLocation kHere{"f", "f.cpp", 1};

TEST(Failure, MemoryThatIsNotThereIsToldApart) {
  EXPECT_EQ(failure_of(std::bad_alloc{}).kind, FailureKind::memory);
  EXPECT_EQ(failure_of(c10::OutOfMemoryError(kHere, "CUDA out of memory")).kind, FailureKind::memory);
  EXPECT_EQ(
      failure_of(c10::Error(kHere, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
          .kind,
      FailureKind::memory);
}

TEST(Failure, ADeadDeviceIsToldApart) {
  EXPECT_EQ(failure_of(c10::AcceleratorError(kHere, 700, "illegal memory access")).kind, FailureKind::device);
}

TEST(Failure, ADeviceWithoutMemoryIsNotADeadOne) {
  EXPECT_EQ(failure_of(c10::AcceleratorError(kHere, 2, "CUDA error: out of memory")).kind, FailureKind::memory);
  EXPECT_EQ(failure_of(
                c10::Error(kHere, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
                .kind,
            FailureKind::memory);
}

TEST(Failure, WhatCublasAndTheDriverSayInThePlainTypeIsTheDevices) {
  EXPECT_EQ(
      failure_of(c10::Error(kHere, "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(`"))
          .kind,
      FailureKind::device);
  EXPECT_EQ(failure_of(c10::Error(kHere, "CUDA driver error: unspecified launch failure")).kind,
            FailureKind::device);
  EXPECT_EQ(failure_of(c10::Error(kHere, "x.jsonl: CUDA driver error: as a text of the work")).kind,
            FailureKind::work);
}

TEST(Failure, EverythingElseIsTheWorksOwn) {
  EXPECT_EQ(failure_of(std::runtime_error("x.jsonl:3:1: malformed")).kind, FailureKind::work);
  EXPECT_EQ(failure_of(c10::Error(kHere, "shapes cannot be multiplied")).kind, FailureKind::work);
}

TEST(Failure, WhatNobodyCanMendIsLasting) {
  EXPECT_TRUE(outcome_of(failure_of(LastingError("the weights have gone"))).lasting);
  EXPECT_EQ(outcome_of(failure_of(LastingError("the weights have gone"))).kind, OutcomeKind::failed);
  EXPECT_FALSE(outcome_of(failure_of(std::runtime_error("x.jsonl:3:1: malformed"))).lasting);
}

TEST(Failure, MessagesAreWithoutABacktrace) {
  const Failure failure = failure_of(c10::Error(kHere, "shapes cannot be multiplied"));
  EXPECT_THAT(failure.message, HasSubstr("shapes cannot be multiplied"));
  EXPECT_THAT(failure.message, Not(HasSubstr("frame #")));
}

TEST(Failure, BecomesATypedOutcome) {
  EXPECT_EQ(outcome_of({FailureKind::memory, "m"}).kind, OutcomeKind::out_of_memory);
  EXPECT_EQ(outcome_of({FailureKind::work, "m"}).kind, OutcomeKind::failed);
  EXPECT_EQ(outcome_of({FailureKind::work, "m"}).message, "m");
}

}  // namespace
}  // namespace ranktide
