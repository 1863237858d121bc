#include "worker/trainer/program/failure.h"

#include <c10/util/Exception.h>
#include <new>

#include "worker/trainer/lm/device.h"

namespace ranktide {
namespace {

constexpr int kCudaErrorMemoryAllocation = 2;  // of driver_types.h; the value is part of CUDA's interface

// cuBLAS and the driver fail in LibTorch's plain type, too: of those only the text tells.
FailureKind kind_of_torch_error(const c10::Error& error, const std::string& message) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) || is_host_out_of_memory(message) ||
      message.find("CUBLAS_STATUS_ALLOC_FAILED") != std::string::npos)
    return FailureKind::memory;
  if (const auto* accelerator = dynamic_cast<const c10::AcceleratorError*>(&error))
    return accelerator->get_error_code() == kCudaErrorMemoryAllocation ? FailureKind::memory
                                                                       : FailureKind::device;
  if (message.starts_with("CUDA error: CUBLAS_STATUS_") || message.starts_with("CUDA driver error:"))
    return FailureKind::device;
  return FailureKind::work;
}

}  // namespace

Failure failure_of(const std::exception& error) {
  if (dynamic_cast<const OutOfMemory*>(&error)) return {FailureKind::memory, error.what()};
  if (dynamic_cast<const std::bad_alloc*>(&error))
    return {FailureKind::memory, "the process could not get memory"};
  if (dynamic_cast<const LastingError*>(&error)) return {FailureKind::work, error.what(), true};
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  if (!torch) return {FailureKind::work, error.what()};
  const std::string message = torch->what_without_backtrace();
  return {kind_of_torch_error(*torch, message), message};
}

Outcome outcome_of(const Failure& failure) {
  Outcome outcome;
  outcome.kind = failure.kind == FailureKind::memory ? OutcomeKind::out_of_memory : OutcomeKind::failed;
  outcome.message = failure.message;
  outcome.lasting = failure.is_lasting;
  return outcome;
}

}  // namespace ranktide
