#pragma once
// What the coordinator knows for good: the fold of its records and nothing else. Who was heard when, deadlines
// and back-off times are not in here; they are soft and private to Coordinator, and a restart begins them anew.
// Value type, one thread at a time. Everything iterates in key order: two replays of one journal print the same
// text.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/sweep/grid.h"
#include "coordinator/core/records.h"
#include "coordinator/core/tuned_trial.h"

namespace ranktide {

// Life of a unit. Every edge is one record, and the table in state.cpp is the only place that knows them:
//   ready -LeaseGranted-> running -UnitFinished-> completed | diverged
//   running -LeaseExpired | LeaseReturned | AttemptFailed-> ready, or failed when a budget is spent
//   ready -LeaseRevived-> running            after LeaseExpired of the same attempt, no newer one granted
//   ready | running -SweepCancelled-> cancelled          unless another sweep wants it
//   ready | running -TrialsCancelled | CellStoppedEarly-> cancelled   unless another sweep wants it
//   ready -SweepSubmitted-> cancelled        of the revision before, unless another sweep wants it
//   running -SweepSubmitted-> cancelled      the same, where those were to be cancelled that are listed no more
//   ready -SweepStopped-> cancelled                      unless another sweep wants it
//   failed | cancelled -TrialListed | TrialRetried-> ready   somebody wants it again
//   completed -TrunkReopened-> ready         a trunk's alone
enum class UnitLife { ready, running, completed, diverged, failed, cancelled };
template <>
struct EnumTexts<UnitLife> {
  static constexpr std::array texts{"ready", "running", "completed", "diverged", "failed", "cancelled"};
};
inline bool is_terminal(UnitLife life) {
  return life != UnitLife::ready && life != UnitLife::running;
}

// How the newest attempt stands with its worker.
enum class AttemptEnd {
  open,     // granted and not ended
  expired,  // its worker was silent; it may still come back
  ended,    // its Done was accepted, or the coordinator gave it up for good
};
template <>
struct EnumTexts<AttemptEnd> {
  static constexpr std::array texts{"open", "expired", "ended"};
};

// The newest try of a unit.
struct AttemptState {
  Attempt number = 0;  // 0: never granted
  AttemptEnd end = AttemptEnd::ended;
  WorkerName worker;
  std::string boot;
  std::vector<int> slots;
  std::vector<EvalId> evals;  // asked of it beside its stage
  int microbatch = 0;
  Keep keep = Keep::none;
  Step began_at = 0;                    // the checkpoint it could start from
  Step at_hand = 0;                     // the newest that its worker was known to have then
  std::vector<BranchOrder> branches{};  // asked of a trunk
};

struct Unit {
  UnitId id;
  WorkKind kind = WorkKind::train;
  UnitLife life = UnitLife::ready;
  BaseId base;
  std::string tokenizer_sha256;
  ModelSettings model;
  PredictedMemory memory{};                                 // with the rows that its trainer chooses
  std::map<SweepNumber, PredictedMemory> memory_by_hand{};  // with run.microbatch of each sweep that sets it
  // To train, or whose weights to evaluate; emptied when terminal. Changed by set_stage() only.
  std::optional<Stage> stage;
  std::map<EvalId, EvalOrder> evals;      // wanted of it and not finished
  std::map<SweepNumber, int64_t> wanted;  // by whom, and its place in that sweep's queue
  WorkerName home;                        // the only worker that has the weights it needs; empty: any worker
  AttemptState attempt;
  Step checkpoint = 0;  // newest one reported
  std::map<WorkerName, Step>
      saved{};         // of its checkpoints the newest of each worker; emptied when it has ended for good
  int microbatch = 0;  // rows after out of memory, of it or of others of its kind; 0: as asked for
  int own_failures = 0;
  int infra_losses = 0;
  Keep kept = Keep::none;  // what the finished attempt was asked to leave on `attempt.worker`'s disk
  std::optional<OutcomeKind> outcome;
  std::map<UnitId, Step> branches{};  // of a trunk: what begins with it, and where that leaves it
  UnitId trunk{};                     // that it begins with; empty: it begins at the base
  Step leaves_trunk_at = 0;

  // Of its stage (microbatches.h), once that was asked for; empty until then. It follows from the stage, so
  // that two states that differ in it alone are equal.
  mutable std::string memory_kind{};

  Lease lease() const { return {id, attempt.number}; }
  bool is_trunk() const { return !branches.empty(); }
  void set_stage(std::optional<Stage> next) {
    stage = std::move(next);
    memory_kind.clear();
  }
};

struct EvalState {
  bool is_finished = false;
  double value = 0;  // of a finished one, as measured: tuning judges by it, whichever sweep it was run for
  int sign = 1;      // -1: lower is better
  std::set<SweepNumber> wanted;
};

using LifeCounts = std::array<int64_t, EnumTexts<UnitLife>::texts.size()>;  // by UnitLife

struct Sweep {
  SweepNumber number = 0;
  int revision = 1;
  std::string owner;
  std::string spec_sha256;
  Grid grid;      // of the newest revision; its spec() holds the name
  RunPolicy run;  // of the spec, and what users changed since
  std::optional<int64_t>
      trial_count{};       // distinct cells x seeds; absent in journals from before it was counted
  int64_t cursor = 0;      // next raw index to list
  bool is_listed = false;  // the grid has been touched to its end
  bool is_cancelled = false;
  bool is_paused = false;               // nothing of it starts
  bool is_stopped = false;              // nothing of it will start any more
  std::map<int64_t, StageId> trials{};  // listed ones, by raw index; few are ahead of the cursor
  std::set<UnitId> units{};             // stages, and evals leased by themselves, that it wants
  std::set<EvalId> evals{};
  std::set<std::pair<int64_t, UnitId>> ready{};  // its queue: base evals before stages, stages in file order
  std::set<UnitId> dropped{};                    // of its units: cancelled for it, whatever they are for others
  std::set<UnitId> failed{};                     // of its units: those that failed while it wanted them
  std::set<UnitId>
      left_running{};  // by earlier revisions, when this one came; it may want them once it lists them
  LifeCounts stages{};
  LifeCounts eval_units{};
  LifeCounts trunks{};
  int64_t evals_finished = 0;
  std::vector<AddedCell> added{};   // by tuning; their raw indices follow the grid's, in this order
  std::vector<Grid> added_grids{};  // beside `added`: each cell alone
  // That its revisions before began with, until this one is listed: it may list trials that go on from them.
  std::set<UnitId> trunks_before{};
  std::map<std::string, std::vector<TunedTrial>>
      tuned{};  // listed trials by group (tuning.h), where cells may be added

  Races races{};  // where run.stop_early is set

  void add(const AddedCell& cell);
  // Of the grid and of what tuning added. Requires: 0 <= raw < raw_count().
  int64_t raw_count() const;
  std::optional<SweepTrial> trial_at(int64_t raw) const;
  // Returns: trial_count without what tuning added.
  std::optional<int64_t> grid_trial_count() const;
  const std::string& name() const { return grid.spec().name; }
  int64_t open_units() const;     // but for trunks: those are run for what begins with them
  int64_t running_units() const;  // as many slots
  LifeCounts& counts_of(const Unit& unit) {
    return unit.is_trunk() ? trunks : unit.kind == WorkKind::train ? stages : eval_units;
  }
  // Returns: whether nothing more will happen for this revision.
  bool is_over() const { return is_cancelled || ((is_listed || is_stopped) && open_units() == 0); }
};

struct Worker {
  WorkerName name;
  std::string boot;
  std::string version;
  std::vector<Slot> slots;
  bool is_joined = false;
  bool is_drain_asked = false;  // of this life
  std::set<UnitId> running;
  std::vector<std::string>
      past_boots;  // replaced lives, newest last, at most kPastBootsMax: never listened to again
  // Of whose checkpoints it keeps some that nobody will go on from; it was away when that was decided, and is
  // told when it joins again.
  std::set<Lease> left_behind{};
};
constexpr size_t kPastBootsMax = 32;

// Where memory was too little.
struct SlotSize {
  WorkerName worker;
  bool is_gpu = false;
  int64_t memory_bytes = 0;  // of the slot; 0: unknown
  friend auto operator<=>(const SlotSize&, const SlotSize&) = default;
};

// Returns: what tells equal submissions. Of a spec that an earlier version wrote, too, it is what this version
// makes of it: a field that came since has its neutral value there, and the same file stays the same. What a
// client counts for predictions only (DataInput::labels) is left out, for older clients do not count it.
std::string sha256_of(const SweepSpec& spec);

struct Request {
  std::string spec_sha256;
  SweepNumber sweep = 0;
  int revision = 1;
  bool cancels_removed = false;
};

class State {
 public:
  // The only mutator, live and in replay. RT_CHECKs that the record can follow what is already there.
  void apply(const Record& record);

  uint64_t epoch() const { return epoch_; }
  const std::map<SweepNumber, Sweep>& sweeps() const { return sweeps_; }
  const std::map<UnitId, Unit>& units() const { return units_; }
  const std::map<EvalId, EvalState>& evals() const { return evals_; }
  const std::map<WorkerName, Worker>& workers() const { return workers_; }
  const std::map<std::string, Request>& submissions() const { return submissions_; }
  // Returns: slots that all sweeps of an owner may use at a time, for the owners that have a limit.
  const std::map<std::string, int>& quotas() const { return quotas_; }
  // Returns: sweeps that are not over, highest priority first, then oldest.
  const std::set<std::pair<int, SweepNumber>>& queue() const { return queue_; }

  // Returns: nullptr when there is none.
  const Sweep* find_sweep(const std::string& name) const;
  const Unit* find_unit(const UnitId& unit) const;
  const Worker* find_worker(const WorkerName& worker) const;

  // state_refusals.cpp: a worker that lacks an input of a unit is not asked again in its life, while another
  // one may have it.
  bool has_refused(const WorkerName& worker, const UnitId& unit) const;
  // Returns: whether, once `worker` refuses it too, no joined worker is left that may run the unit.
  bool would_be_refused_by_all(const UnitId& unit, const WorkerName& worker) const;

  // state_memory.cpp. Returns: the most rows at once that the training may be granted with on this slot, since
  // others of its kind (microbatches.h) ran out of memory with more, on a slot that has no less; nullopt: none
  // did. What ran out on a worker is forgotten when that leaves.
  std::optional<int> most_rows(const Unit& unit, const Slot& slot) const;

  // state_trunks.cpp. Returns: the newest attempts of what begins with this trunk and has not gone on from the
  // checkpoint that the trunk's worker has for it.
  std::vector<Lease> unused_branches(const Unit& trunk) const;
  // Returns: where a branch can go on from without what the worker of its trunk has for it.
  static Step left_without_trunk(const Unit& trunk, const Unit& branch);
  // Returns: who has checkpoints of the unit beside the worker of its newest attempt, but for its trunk's: that
  // one is told when all that begins with the trunk has ended.
  std::vector<WorkerName> copies_elsewhere(const Unit& unit) const;

  // Returns: one line per thing it holds, in key order; two states are equal exactly when their texts are.
  std::string text() const;
  std::string digest() const;  // SHA-256 of text()

 private:
  void on(const EpochStarted& r);
  void on(const SweepSubmitted& r);
  void on(const TrialListed& r);
  void on(const SweepListed& r);
  void on(const WorkerJoined& r);
  void on(const WorkerLeft& r);
  void on(const LeaseGranted& r);
  void on(const LeaseExpired& r);
  void on(const LeaseRevived& r);
  void on(const LeaseReturned& r);
  void on(const CheckpointSaved& r);
  void on(const EvalFinished& r);
  void on(const UnitFinished& r);
  void on(const AttemptFailed& r);
  void on(const SweepCancelled& r);
  void on(const SweepPaused& r);
  void on(const SweepResumed& r);
  void on(const SweepStopped& r);
  void on(const PolicyChanged& r);
  void on(const QuotaSet& r);
  void on(const WorkerDrainAsked& r);
  void on(const TrialsCancelled& r);
  void on(const TrialRetried& r);
  void on(const WorkerRevoked&) {}  // for people who ask who did it
  void on(const WorkerForgotten& r);
  void on(const BranchesOpened& r);
  void on(const TrunkDropped& r);
  void on(const SweepExtended& r);
  void on(const TrunkReopened& r);
  void on(const BranchesClosed& r);
  void on(const CellStoppedEarly& r);
  void on(const EarlyVerdictsLifted& r);

  Unit& running_unit(const Lease& lease);
  void set_life(Unit& unit, UnitLife life);
  void count(const Unit& unit, int64_t by);
  void end_attempt(Unit& unit, AttemptEnd end, UnitLife life);
  void want(Sweep& sweep, Unit& unit, int64_t place);
  void unwant_everything(Sweep& sweep);
  void end_removed(Unit& unit);
  std::set<UnitId> left_running_by(const Sweep& revision) const;
  void want_trial(Sweep& sweep, const SweepTrial& trial, const PredictedMemory& memory);
  void want_trunk(Sweep& sweep, const SweepTrial& trial, const TrunkPlace& place);
  bool may_begin_with(const UnitId& trunk, const Unit& branch) const;
  std::set<UnitId> trunks_of(const Sweep& sweep) const;
  void begin_anew_for_evals(Unit& unit);
  void leave_behind(const Unit& trunk);
  void leave_behind_at(const WorkerName& name, const Lease& lease);
  void end_trunk_at(Unit& trunk, Step to);
  void keep_branches(Unit& trunk, const std::vector<BranchOrder>& kept);
  static std::vector<BranchOrder> branches_of_attempt(const Unit& trunk);
  void forget_eval(const Unit& unit, const EvalId& eval);
  void drop(Sweep& sweep, Unit& unit);
  void drop_evals(Sweep& sweep, const Unit& unit);
  void drop_trials(Sweep& sweep, const std::set<StageId>& stages);
  std::set<UnitId> open_units_of(const Sweep& sweep) const;
  bool is_wanted_again(const Unit& unit) const;
  void list_evals(Sweep& sweep, const SweepTrial& trial);
  void list_eval(Sweep& sweep, const SweepTrial& trial, const EvalTask& task, Step at);
  void want_eval(Sweep& sweep, const EvalId& eval);
  static Races races_after(const Sweep& before, const SweepSpec& spec);
  void enter_race(Sweep& sweep, const SweepTrial& trial);
  void note_rung(const EvalId& id, const EvalState& eval);
  static void lose_race(Sweep& sweep, const StageId& stage);
  void spare(Sweep& sweep, const SweepTrial& trial);
  Unit& eval_unit(const EvalOrder& order, const Unit& stage_unit);
  void lease_left_over_evals(Unit& stage_unit, const Stage& stage);
  void requeue(Sweep& sweep);
  void take_refusal(Unit& unit);
  void forget_refusals_of(const WorkerName& worker);
  void take_out_of_memory(const Unit& unit);
  void forget_memory_of(const WorkerName& worker);

  uint64_t epoch_ = 0;
  std::map<SweepNumber, Sweep> sweeps_;
  std::map<std::string, SweepNumber> sweep_names_;
  std::map<UnitId, Unit> units_;
  std::map<EvalId, EvalState> evals_;
  std::map<WorkerName, Worker> workers_;
  std::map<UnitId, std::set<WorkerName>> refusals_;  // of units that are not terminal
  // Rows that are left after out of memory, by kind of memory; as many entries as joined workers have sizes of
  // slots.
  std::map<std::string, std::map<SlotSize, int>> rows_left_;
  std::map<std::string, Request> submissions_;   // by request id
  std::map<std::string, int> quotas_;            // by owner
  std::set<std::pair<int, SweepNumber>> queue_;  // (-priority, number)
};

}  // namespace ranktide
