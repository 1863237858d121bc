#pragma once
// The facts of a coordinator's life, in the past tense: what is journaled, mirrored into the query tables and
// replayed. State::apply is the only code that changes state from them. Bodies are JSON through their field
// lists; kinds and field names are permanent, a field may be added. No wall clock: the store stamps a record
// when it commits.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/sweep/grid.h"
#include "common/sweep/sweep_spec.h"
#include "common/sweep/trunk.h"
#include "common/vocabulary/protocol.h"
#include "coordinator/core/control_records.h"
#include "coordinator/core/race.h"

namespace ranktide {

struct EpochStarted {  // a coordinator process began to serve this folder
  uint64_t epoch = 0;
};
template <class Ar>
void fields(Ar& ar, EpochStarted& r) {
  ar("epoch", r.epoch);
}

struct SweepSubmitted {  // a name seen before: another revision of that sweep
  SweepNumber sweep = 0;
  int revision = 1;
  std::string request_id;
  std::string owner;  // who submitted the first revision: the name of a token, kLocalActor without one
  std::string spec_sha256;
  SweepSpec spec;
  std::string actor{};  // who asked for this revision; empty in journals from before this was noted
  std::optional<int64_t> trial_count{};  // of the whole grid; absent in journals from before it was counted
  // What ran for the revision before, and for no other sweep, of trials that this one does not list: cancelled.
  std::vector<UnitId> removed{};
  std::optional<bool> cancel_removed{};  // true: that was asked for, whether there was anything or not
};
template <class Ar>
void fields(Ar& ar, SweepSubmitted& r) {
  ar("sweep", r.sweep)("revision", r.revision)("request_id", r.request_id)("owner", r.owner);
  ar("spec_sha256", r.spec_sha256)("spec", r.spec)("actor", r.actor);
  ar("trial_count", r.trial_count);
  later_field(ar, "removed", r.removed);
  later_field(ar, "cancel_removed", r.cancel_removed);
}

struct PredictedMemory {  // of a trial's units; 0: unknown
  int64_t train_bytes = 0;
  int64_t forward_bytes = 0;  // of evals leased by themselves
  int microbatch = 0;         // rows that these are predicted for
  // As train_bytes, on slots that multiply bf16 as it is; absent: as much, or a journal from before this was
  // told apart.
  std::optional<int64_t> as_it_is_bytes{};
};
template <class Ar>
void fields(Ar& ar, PredictedMemory& m) {
  ar("train_bytes", m.train_bytes)("forward_bytes", m.forward_bytes)("microbatch", m.microbatch);
  later_field(ar, "as_it_is_bytes", m.as_it_is_bytes);
}

struct TrialListed {  // the grid's next index was touched: this trial belongs to the sweep; its units exist
                      // from now on
  SweepNumber sweep = 0;
  int revision = 1;
  SweepTrial trial;
  PredictedMemory memory{};
  bool ahead = false;                 // its turn had not come: indices before it are still to be touched
  std::optional<TrunkPlace> trunk{};  // it begins with this trunk, which exists from now on too
};
template <class Ar>
void fields(Ar& ar, TrialListed& r) {
  ar("sweep", r.sweep)("revision", r.revision)("trial", r.trial)("memory", r.memory);
  ar("ahead", r.ahead)("trunk", r.trunk);
}

struct TrialRetried {  // a listed trial that failed or was cancelled is wanted again: its budgets start anew
  SweepNumber sweep = 0;
  int revision = 1;
  std::string request_id;
  std::string actor;
  SweepTrial trial;
  PredictedMemory memory{};
};
template <class Ar>
void fields(Ar& ar, TrialRetried& r) {
  ar("sweep", r.sweep)("revision", r.revision)("request_id", r.request_id)("actor", r.actor);
  ar("trial", r.trial)("memory", r.memory);
}

// A cell that tuning adds to a sweep beside those of its grid.
struct AddedCell {
  std::string block;
  std::string axis;               // the tuned one that it goes a step further on
  std::vector<AxisPoint> points;  // beside the block's axes
};
template <class Ar>
void fields(Ar& ar, AddedCell& c) {
  ar("block", c.block)("axis", c.axis)("points", c.points);
}

struct SweepListed {  // every index of the revision's grid has been touched
  SweepNumber sweep = 0;
  int revision = 1;
};
template <class Ar>
void fields(Ar& ar, SweepListed& r) {
  ar("sweep", r.sweep)("revision", r.revision);
}

struct WorkerJoined {
  WorkerName worker;
  std::string boot;
  std::string version;
  std::vector<Slot> slots;
};
template <class Ar>
void fields(Ar& ar, WorkerJoined& r) {
  ar("worker", r.worker)("boot", r.boot)("version", r.version)("slots", r.slots);
}

enum class LeaveReason { drained, silent, replaced, revoked };
template <>
struct EnumTexts<LeaveReason> {
  static constexpr std::array texts{"drained", "silent", "replaced", "revoked"};
};
struct WorkerLeft {  // drained, silent past its leases, replaced by a new life of the same key, or its key was
                     // revoked
  WorkerName worker;
  std::string boot;
  LeaveReason reason = LeaveReason::drained;
};
template <class Ar>
void fields(Ar& ar, WorkerLeft& r) {
  ar("worker", r.worker)("boot", r.boot)("reason", r.reason);
}

struct LeaseGranted {  // the only record that raises a unit's attempt
  Lease lease;
  WorkerName worker;
  std::string boot;
  std::vector<int> slots;
  std::vector<EvalId> evals;  // that this attempt is asked to run beside its stage
  int microbatch = 0;
  Keep keep = Keep::none;  // what it is to leave on the worker's disk when it completes
  // Of a trunk: where it ends from now on, for what was to leave it later does not wait for it any more.
  // Absent: where it was to end.
  std::optional<Step> trunk_to{};
};
template <class Ar>
void fields(Ar& ar, LeaseGranted& r) {
  ar("lease", r.lease)("worker", r.worker)("boot", r.boot)("slots", r.slots)("evals", r.evals);
  ar("microbatch", r.microbatch)("keep", r.keep);
  later_field(ar, "trunk_to", r.trunk_to);
}

struct LeaseExpired {  // its worker was silent for a whole term; spends the infrastructure budget
  Lease lease;
};
template <class Ar>
void fields(Ar& ar, LeaseExpired& r) {
  ar("lease", r.lease);
}

struct LeaseRevived {  // the silent worker came back before a newer attempt was granted
  Lease lease;
};
template <class Ar>
void fields(Ar& ar, LeaseRevived& r) {
  ar("lease", r.lease);
}

struct LeaseReturned {  // drained or preempted after a checkpoint at `step`
  Lease lease;
  Step step = 0;
};
template <class Ar>
void fields(Ar& ar, LeaseReturned& r) {
  ar("lease", r.lease)("step", r.step);
}

struct CheckpointSaved {  // the worker can resume the stage from here
  Lease lease;
  Step step = 0;
};
template <class Ar>
void fields(Ar& ar, CheckpointSaved& r) {
  ar("lease", r.lease)("step", r.step);
}

struct EvalFinished {
  Lease lease;  // of the stage that ran it, or of the eval leased by itself
  EvalResult result;
};
template <class Ar>
void fields(Ar& ar, EvalFinished& r) {
  ar("lease", r.lease)("result", r.result);
}

struct UnitFinished {  // completed or diverged: a result, never retried
  Lease lease;
  Outcome outcome;
};
template <class Ar>
void fields(Ar& ar, UnitFinished& r) {
  ar("lease", r.lease)("outcome", r.outcome);
}

struct AttemptFailed {  // crash, hang or out of memory; the unit goes back to ready unless its budget is spent
  Lease lease;
  Outcome outcome;
  int64_t retry_after_ms = 0;
  bool last = false;        // no budget left: the unit has failed
  int microbatch_next = 0;  // after out of memory; 0: unchanged
};
template <class Ar>
void fields(Ar& ar, AttemptFailed& r) {
  ar("lease", r.lease)("outcome", r.outcome)("retry_after_ms", r.retry_after_ms)("last", r.last);
  ar("microbatch_next", r.microbatch_next);
}

struct BranchesOpened {  // this trunk was finished, and its worker has a checkpoint for each of these stages
  Lease lease;           // of the trunk
  std::vector<BranchOrder> branches;
};
template <class Ar>
void fields(Ar& ar, BranchesOpened& r) {
  ar("lease", r.lease)("branches", r.branches);
}

struct TrunkDropped {  // nothing that a sweep still wants begins with this trunk
  SweepNumber sweep = 0;
  UnitId unit;
  std::optional<Lease> ended{};  // what ran of it, where no other sweep wants it
};
template <class Ar>
void fields(Ar& ar, TrunkDropped& r) {
  ar("sweep", r.sweep)("unit", r.unit)("ended", r.ended);
}

// A trunk was finished, its worker has gone with the checkpoints that it left, and several stages still wait
// for those: it is trained again, for these alone; spends its infrastructure budget.
struct TrunkReopened {
  Lease lease;  // that was finished
  std::vector<BranchOrder> branches;
};
template <class Ar>
void fields(Ar& ar, TrunkReopened& r) {
  ar("lease", r.lease)("branches", r.branches);
}

// Everything that begins with this trunk has ended, these without the checkpoints that its worker has for them:
// it may drop those.
struct BranchesClosed {
  Lease lease;                  // of the trunk
  std::vector<Lease> branches;  // their newest attempts; 0: never granted
  std::vector<Step> left{};     // where each could still go on from, 0: its base; empty in older journals
};
template <class Ar>
void fields(Ar& ar, BranchesClosed& r) {
  ar("lease", r.lease)("branches", r.branches);
  later_field(ar, "left", r.left);
}

struct SweepExtended {  // the best of tuned values stood at the end of their axis: the next ones are tried too
  SweepNumber sweep = 0;
  int revision = 1;
  std::vector<AddedCell> cells;  // raw indices after all that the sweep has
  int64_t trials = 0;            // of them
};
template <class Ar>
void fields(Ar& ar, SweepExtended& r) {
  ar("sweep", r.sweep)("revision", r.revision)("cells", r.cells)("trials", r.trials);
}

template <class Ar>
void fields(Ar& ar, EarlyVerdict& v) {
  ar("policy", v.policy)("rung", v.rung)("at", v.at)("score", v.score)("place", v.place)("of", v.of);
}

// At a rung the cell's scout stood behind others (race.h), and the sweep wants no more of its trials; said again
// of each that is listed later.
struct CellStoppedEarly {
  SweepNumber sweep = 0;
  int revision = 1;
  CellId cell;
  EarlyVerdict verdict;
  std::vector<StageId> stages;  // listed ones, what has ended among them
};
template <class Ar>
void fields(Ar& ar, CellStoppedEarly& r) {
  ar("sweep", r.sweep)("revision", r.revision)("cell", r.cell)("verdict", r.verdict)("stages", r.stages);
}

struct EarlyVerdictsLifted {  // what these cells were behind, this revision has no more, or has no result
  SweepNumber sweep = 0;
  int revision = 1;
  std::vector<CellId> cells;
};
template <class Ar>
void fields(Ar& ar, EarlyVerdictsLifted& r) {
  ar("sweep", r.sweep)("revision", r.revision)("cells", r.cells);
}

// The order is permanent, append only: kinds are counted from it in old journals' indexes and in transcripts.
using Record =
    std::variant<EpochStarted, SweepSubmitted, TrialListed, SweepListed, WorkerJoined, WorkerLeft, LeaseGranted,
                 LeaseExpired, LeaseRevived, LeaseReturned, CheckpointSaved, EvalFinished, UnitFinished,
                 AttemptFailed, SweepCancelled, SweepPaused, SweepResumed, SweepStopped, PolicyChanged,
                 QuotaSet, WorkerDrainAsked, TrialsCancelled, TrialRetried, WorkerRevoked, WorkerForgotten,
                 BranchesOpened, TrunkDropped, SweepExtended, TrunkReopened, BranchesClosed, CellStoppedEarly,
                 EarlyVerdictsLifted>;

// Metric points that passed the fence: durable with the turn's records, not part of State.
struct PointBatch {
  StageId stage;
  Attempt attempt = 0;
  std::vector<Point> points;
};
template <class Ar>
void fields(Ar& ar, PointBatch& b) {
  ar("stage", b.stage)("attempt", b.attempt)("points", b.points);
}

// Returns: the record's permanent name, such as "LeaseGranted".
std::string_view kind_of(const Record& record);
// The journal's form. from_journal throws ProtocolError for a kind or body that this version does not know.
std::string to_journal(const Record& record);
Record from_journal(std::string_view kind, std::string_view body);
// Returns: one line for transcripts, such as "LeaseGranted{1a2b3c4d5e6f/2, w1}".
std::string describe(const Record& record);

}  // namespace ranktide
