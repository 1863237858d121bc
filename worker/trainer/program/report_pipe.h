#pragma once
// The child's end of the report pipe: whole frames, blocking. A worker that does not read holds the trainer up,
// by intent: nothing is dropped and nothing piles up here. One thread.

#include <stdexcept>

#include "common/vocabulary/trainer_protocol.h"

namespace ranktide {

// The worker has gone: there is nobody left to compute for.
struct PipeClosed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class ReportPipe {
 public:
  explicit ReportPipe(int fd) : fd_(fd) {}
  // Throws: PipeClosed. Requires: SIGPIPE is ignored.
  void send(const TrainerReport& report);

 private:
  int fd_;
};

}  // namespace ranktide
