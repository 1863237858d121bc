#pragma once
// What a worker and its trainer child say over the child's two pipes (commands on descriptor 3, reports on 4;
// standard output and error are the log). A frame is a little-endian u32 length and a MessagePack map {type,
// body}; a frame over kTrainerFrameBytesMax ends the conversation. Both ends are of one build, so there is no
// version. The process that looks for a work's inputs before its trainer gets it speaks the same: it answers
// RunWork with WorkPrepared, or ends the work.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "common/vocabulary/wire.h"
#include "common/vocabulary/work.h"

namespace ranktide {

constexpr size_t kTrainerFrameBytesMax = 16 << 20;
constexpr int kTrainerCommandFd = 3;
constexpr int kTrainerReportFd = 4;

// ---- to the trainer
struct RunWork {  // one at a time; the next only after WorkEnded
  Lease lease;
  Work work;
};
template <class Ar>
void fields(Ar& ar, RunWork& r) {
  ar("lease", r.lease)("work", r.work);
}

struct StopWork {  // checkpoint at the next step border, then WorkEnded{stopped}
  Lease lease;
  bool is_unwanted =
      false;  // nobody waits for its evals: those that run end halfway. May be said after a first one
};
template <class Ar>
void fields(Ar& ar, StopWork& s) {
  ar("lease", s.lease)("is_unwanted", s.is_unwanted);
}

using TrainerCommand = std::variant<RunWork, StopWork>;

// ---- from the trainer
struct TrainerReady {
  int numerics = 0;
  int threads = 0;
  std::string isa;
  std::string device;
};
template <class Ar>
void fields(Ar& ar, TrainerReady& r) {
  ar("numerics", r.numerics)("threads", r.threads)("isa", r.isa)("device", r.device);
}

struct WorkProgress {
  Progress progress;
};
template <class Ar>
void fields(Ar& ar, WorkProgress& p) {
  ar("progress", p.progress);
}

struct WorkFound {
  Lease lease;
  Findings findings;
};
template <class Ar>
void fields(Ar& ar, WorkFound& f) {
  ar("lease", f.lease)("findings", f.findings);
}

struct WorkEnded {
  Lease lease;
  Outcome outcome;
};
template <class Ar>
void fields(Ar& ar, WorkEnded& e) {
  ar("lease", e.lease)("outcome", e.outcome);
}

struct WorkPrepared {  // instead of WorkEnded: the work as a trainer on this machine can run it
  Lease lease;
  Work work;
};
template <class Ar>
void fields(Ar& ar, WorkPrepared& p) {
  ar("lease", p.lease)("work", p.work);
}

using TrainerReport = std::variant<TrainerReady, WorkProgress, WorkFound, WorkEnded, WorkPrepared>;

// Returns: the whole frame, length included.
std::string encode(const TrainerCommand& command);
std::string encode(const TrainerReport& report);
// Takes one frame from the front of `buffer` when a whole one is there. Returns: nullopt when more bytes are
// needed. Throws: ProtocolError for a frame that is too long or not understood.
std::optional<TrainerCommand> take_command(std::string& buffer);
std::optional<TrainerReport> take_report(std::string& buffer);

}  // namespace ranktide
