#pragma once
// The facts of users' hands on sweeps and workers, each with who did it: the audit trail. A part of records.h,
// under its rules.

#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/ids.h"
#include "common/vocabulary/wire.h"

namespace ranktide {

// The actor of whoever works on the coordinator's own machine.
inline constexpr const char* kLocalActor = "local";

struct SweepCancelled {
  SweepNumber sweep = 0;
  std::string request_id;
  std::string actor;
};
template <class Ar>
void fields(Ar& ar, SweepCancelled& r) {
  ar("sweep", r.sweep)("request_id", r.request_id)("actor", r.actor);
}

struct SweepPaused {  // nothing of it starts until it is resumed; what runs goes on
  SweepNumber sweep = 0;
  std::string request_id;
  std::string actor;
};
template <class Ar>
void fields(Ar& ar, SweepPaused& r) {
  ar("sweep", r.sweep)("request_id", r.request_id)("actor", r.actor);
}

struct SweepResumed {
  SweepNumber sweep = 0;
  std::string request_id;
  std::string actor;
};
template <class Ar>
void fields(Ar& ar, SweepResumed& r) {
  ar("sweep", r.sweep)("request_id", r.request_id)("actor", r.actor);
}

struct SweepStopped {  // what runs goes on to its end, nothing else of it will start
  SweepNumber sweep = 0;
  std::string request_id;
  std::string actor;
};
template <class Ar>
void fields(Ar& ar, SweepStopped& r) {
  ar("sweep", r.sweep)("request_id", r.request_id)("actor", r.actor);
}

struct PolicyChanged {  // its place in the queue and its width were changed while it runs
  SweepNumber sweep = 0;
  std::string request_id;
  std::string actor;
  int priority = 0;
  std::optional<int> max_parallel;
};
template <class Ar>
void fields(Ar& ar, PolicyChanged& r) {
  ar("sweep", r.sweep)("request_id", r.request_id)("actor", r.actor)("priority", r.priority);
  ar("max_parallel", r.max_parallel);
}

struct QuotaSet {  // how many slots all sweeps of one owner may use at a time
  std::string owner;
  std::optional<int> max_slots;  // absent: no limit
};
template <class Ar>
void fields(Ar& ar, QuotaSet& r) {
  ar("owner", r.owner)("max_slots", r.max_slots);
}

struct WorkerDrainAsked {  // it gets no more work in this life and gives back what it runs
  WorkerName worker;
  std::string boot;
  std::string request_id;
  std::string actor;
};
template <class Ar>
void fields(Ar& ar, WorkerDrainAsked& r) {
  ar("worker", r.worker)("boot", r.boot)("request_id", r.request_id)("actor", r.actor);
}

struct TrialsCancelled {  // the sweep goes on without these; what other sweeps want of them goes on too
  SweepNumber sweep = 0;
  std::string request_id;
  std::string actor;
  std::vector<StageId> stages;
};
template <class Ar>
void fields(Ar& ar, TrialsCancelled& r) {
  ar("sweep", r.sweep)("request_id", r.request_id)("actor", r.actor)("stages", r.stages);
}

struct WorkerRevoked {  // its keys were ended for good. What it ran and that it left are records of their own
  WorkerName worker;
  std::string request_id;
  std::string actor;
};
template <class Ar>
void fields(Ar& ar, WorkerRevoked& r) {
  ar("worker", r.worker)("request_id", r.request_id)("actor", r.actor);
}

struct WorkerForgotten {  // it is away and its keys are out of their table: nothing of it stays but what it did
  WorkerName worker;
  std::string request_id;
  std::string actor;
};
template <class Ar>
void fields(Ar& ar, WorkerForgotten& r) {
  ar("worker", r.worker)("request_id", r.request_id)("actor", r.actor);
}

}  // namespace ranktide
