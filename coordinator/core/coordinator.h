#pragma once
// Decides what runs where. It does not send, store or measure: the shell does, from the effects.
// One thread; no clock, no chance, no I/O. Replaying the records of a run rebuilds state() exactly.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/vocabulary/time.h"
#include "coordinator/core/records.h"
#include "coordinator/core/state.h"

namespace ranktide {

// ---- what comes in
struct FromWorker {  // `sender` is the name behind the connection's CURVE key
  WorkerName sender;
  WorkerMessage message;
};
struct Submit {  // answered by Submitted or Rejected; the same request id and spec give the same answer again
  uint64_t reply_to = 0;
  std::string request_id;
  SweepSpec spec;
};
struct Cancel {
  uint64_t reply_to = 0;
  std::string request_id;
  std::string sweep;  // its name
};
struct Wake {};  // the deadline asked for has come
using Input = std::variant<FromWorker, Submit, Cancel, Wake>;

// ---- what goes out, of one turn, in the order decided
struct ToWorker {
  WorkerName worker;
  CoordinatorMessage message;
};
struct Submitted {
  SweepNumber sweep = 0;
  int revision = 1;
};
struct Cancelled {
  SweepNumber sweep = 0;
};
struct Rejected {
  std::string reason;
};
struct Reply {
  uint64_t reply_to = 0;
  std::variant<Submitted, Cancelled, Rejected> answer;
};

struct Effects {
  std::vector<Record> records;     // durable first, together with ...
  std::vector<PointBatch> points;  // ... the metric points that passed the fence
  std::vector<ToWorker> messages;  // only then these leave
  std::vector<Reply> replies;
};

struct CoordinatorConfig {
  Duration heartbeat{10'000};
  Duration lease{120'000};         // a sweep's run.lease may lengthen its own
  Duration suspect_after{30'000};  // silent for this long: no new work
  Duration backoff_min{10'000};    // after an own failure, doubling
  Duration backoff_max{360'000};
};

class Coordinator {
 public:
  // Every running lease of `state` gets a full fresh term from `now`. The first record of a start is EpochStarted,
  // which the shell commits through begin().
  Coordinator(CoordinatorConfig config, State state, Instant now);

  // Emits EpochStarted with an epoch one above the state's. Requires: called once, before the first step.
  void begin(Effects& out);
  // Applies what it decides to state() and appends it to `out`. Requires: now never goes back.
  void step(Instant now, const Input& input, Effects& out);
  // Returns: when a Wake is due; nullopt if nothing is pending.
  std::optional<Instant> next_deadline() const;
  const State& state() const { return state_; }
  // Returns: the newest progress of every running attempt, for eyes only.
  std::vector<Progress> progress() const;

 private:
  CoordinatorConfig config_;
  State state_;
};

}  // namespace ranktide
