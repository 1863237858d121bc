#include "worker/trainer/program/failure.h"

#include <c10/util/Exception.h>
#include <new>

namespace ranktide {
namespace {

// The CPU allocator has no exception type of its own.
bool is_cpu_allocation(const std::string& message) {
  return message.find("DefaultCPUAllocator") != std::string::npos ||
         message.find("can't allocate memory") != std::string::npos;
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
  if (dynamic_cast<const c10::AcceleratorError*>(torch)) return {FailureKind::device, message};
  if (dynamic_cast<const c10::OutOfMemoryError*>(torch) || is_cpu_allocation(message))
    return {FailureKind::memory, message};
  return {FailureKind::work, message};
}

Outcome outcome_of(const Failure& failure) {
  Outcome outcome;
  outcome.kind = failure.kind == FailureKind::memory ? OutcomeKind::out_of_memory : OutcomeKind::failed;
  outcome.message = failure.message;
  outcome.lasting = failure.is_lasting;
  return outcome;
}

}  // namespace ranktide
