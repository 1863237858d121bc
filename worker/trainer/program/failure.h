#pragma once
// What an exception out of a work means for the trainer. Memory and devices fail in LibTorch's own types, which
// only the .cpp knows. Pure.

#include <exception>
#include <stdexcept>
#include <string>

#include "common/vocabulary/trial.h"

namespace ranktide {

enum class FailureKind {
  work,    // the work's own: outcome failed; the trainer goes on
  memory,  // outcome out_of_memory; the trainer lets its inputs go and goes on
  device,  // the device's context is dead: no further work can run in this process
};

struct Failure {
  FailureKind kind = FailureKind::work;
  std::string message;      // for people, without a backtrace
  bool is_lasting = false;  // as Outcome has it
};

// Nothing that anybody waits for will mend it: the work need not be tried again.
struct LastingError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Memory ran out, and the message says with what numbers.
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Failure failure_of(const std::exception& error);
Outcome outcome_of(const Failure& failure);

}  // namespace ranktide
