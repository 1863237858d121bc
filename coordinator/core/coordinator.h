#pragma once
// Decides what runs where. It does not send, store or measure: the shell does, from the effects.
// One thread; no clock, no chance, no I/O. Replaying the records of a run rebuilds state() exactly.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/vocabulary/time.h"
#include "coordinator/core/deadlines.h"
#include "coordinator/core/records.h"
#include "coordinator/core/state.h"
#include "coordinator/core/warm_sources.h"

namespace ranktide {

// ---- what comes in
struct FromWorker {  // `sender` is the name behind the connection's CURVE key
  WorkerName sender;
  WorkerMessage message;
};
// What a look at every cell of a spec finds. It takes a minute for a million trials, so the turn is spared it.
struct SpecLook {
  std::string fault;  // why no sweep is made of it; empty: nothing is wrong
  int64_t trial_count = 0;
  std::map<StageId, std::vector<StageId>> starting{};  // by the source's stage: those that start from it
  std::set<StageId> stages{};  // of all trials, where a submission asks for them (Submit::cancel_removed)
};

struct Submit {  // answered by Submitted or Rejected; the same request id and spec give the same answer again
  uint64_t reply_to = 0;
  std::string request_id;
  std::string actor = kLocalActor;  // becomes the owner of a new sweep
  bool is_admin = true;             // may give any sweep a new revision, not its own only
  SweepSpec spec;
  // What runs of trials that the revision before lists and this one does not is cancelled, unless another sweep
  // wants it. Default: it goes on to its end.
  bool cancel_removed = false;
  std::optional<SpecLook> looked{};  // look_at(*this), where somebody had the time before the turn
};
// Pure, any thread.
SpecLook look_at(const Submit& submit);
enum class SweepAction {
  pause,   // what runs goes on, nothing starts
  resume,  // takes a pause back
  stop,    // what runs goes on, nothing starts any more
  cancel,  // what runs is killed
  retry,   // failed and cancelled trials are tried again, as a new revision
};
template <>
struct EnumTexts<SweepAction> {
  static constexpr std::array texts{"pause", "resume", "stop", "cancel", "retry"};
};
struct ControlSweep {  // answered by Controlled or Rejected; asking for what is so already changes nothing
  uint64_t reply_to = 0;
  std::string request_id;
  std::string actor = kLocalActor;
  std::string sweep;  // its name
  SweepAction action = SweepAction::pause;
};
// Which trials of a revision some beginnings of ids mean. Every trial of the grid is looked at, since each has
// to mean one only, which takes as long as a look at the spec.
struct TrialsLook {
  int revision = 0;
  std::vector<int64_t> trials;  // raw indices, rising
  std::string fault;            // for people; empty: each means one trial
};
// Pure, any thread.
TrialsLook look_for(const std::vector<std::string>& prefixes, const Sweep& sweep);

// Some trials of a sweep: those whose id begins with one of these, and, with `failed`, those that failed or of
// which an eval did.
struct TrialChoice {
  std::vector<std::string> prefixes;
  bool failed = false;
  std::optional<TrialsLook> looked{};  // look_for(prefixes), where somebody had the time before the turn
};
// Answered by Controlled or Rejected. cancel: the sweep goes on without them; retry: tried again while the
// sweep goes on. Requires: action is one of these two.
struct ControlTrials {
  uint64_t reply_to = 0;
  std::string request_id;
  std::string actor = kLocalActor;
  std::string sweep;
  SweepAction action = SweepAction::cancel;
  TrialChoice trials;
};
struct ChangePolicy {  // answered by Controlled or Rejected
  uint64_t reply_to = 0;
  std::string request_id;
  std::string actor = kLocalActor;
  std::string sweep;
  std::optional<int> priority;      // absent: as it is
  std::optional<int> max_parallel;  // absent: as it is; 0: no limit
};
struct DrainWorker {  // answered by Controlled or Rejected
  uint64_t reply_to = 0;
  std::string request_id;
  std::string actor = kLocalActor;
  WorkerName worker;
};
struct SetQuota {  // what the list of tokens says of an owner; no answer
  std::string owner;
  std::optional<int> max_slots;  // absent: no limit
};
struct RevokeWorker {  // answered by Controlled; its keys were ended in their table before
  uint64_t reply_to = 0;
  std::string request_id;
  std::string actor = kLocalActor;
  WorkerName worker;
};
// Answered by Controlled or Rejected: the list of workers is to lose one that is away. Its keys are taken out
// of their table once that is committed. Also for one that never joined.
struct ForgetWorker {
  uint64_t reply_to = 0;
  std::string request_id;
  std::string actor = kLocalActor;
  WorkerName worker;
};
struct KeysRevoked {  // the table of keys says that nobody may speak for it any more; no answer
  WorkerName worker;
};
// What these trials left is with the coordinator, too: what starts from it need not wait for the worker that
// has it. Never durable: it is told at every start.
struct ArtifactsShelved {
  std::vector<TrialId> trials;
};
struct ArtifactsGone {  // it has them no more: what was told above holds no longer
  std::vector<TrialId> trials;
};
struct Wake {};  // the deadline asked for has come
using Input = std::variant<FromWorker, Submit, ControlSweep, ControlTrials, ChangePolicy, DrainWorker, SetQuota,
                           RevokeWorker, ForgetWorker, KeysRevoked, ArtifactsShelved, ArtifactsGone, Wake>;

// ---- what goes out, of one turn, in the order decided
struct ToWorker {
  WorkerName worker;
  CoordinatorMessage message;
};
struct Submitted {
  SweepNumber sweep = 0;
  int revision = 1;
  std::vector<AwaySource> away{};  // its trials that start from these wait
};
struct Controlled {
  std::string now;  // how it stands, for people: "sweep math is paused"
};
struct Rejected {
  std::string reason;
};
struct Reply {
  uint64_t reply_to = 0;
  std::variant<Submitted, Controlled, Rejected> answer;
};

struct Effects {
  std::vector<Record> records;     // durable first, together with ...
  std::vector<PointBatch> points;  // ... the metric points that passed the fence
  std::vector<ToWorker> messages;  // only then these leave
  std::vector<Reply> replies;
};

struct CoordinatorConfig {
  Duration heartbeat{10'000};
  Duration lease{120'000};         // of what no sweep wants any more; a sweep has its own, run.lease
  Duration suspect_after{30'000};  // silent for this long: no new work
  Duration backoff_min{10'000};    // after an own failure, doubling; a worker that refused rests as long
  Duration backoff_max{360'000};
  // Of grids one step lists so many trials, and looks at so many places, those of no trial too; it goes on at
  // the next Wake, which is due at once. Else one that leaves nothing to run, as a finished sweep that is
  // listed again, would keep workers unheard until its end.
  int64_t listed_at_once = 500;
  int64_t walked_at_once = 5'000;
  int bulk_port = 0;  // told to workers; 0: no bulk data is served
};

// What is known of a joined worker beside its records; for eyes only.
struct Pulse {
  Instant heard;
  std::vector<DeviceUse> devices;  // as its last heartbeat had it
  int64_t resent = 0;              // entries, by this life
};

class Coordinator {
 public:
  // Every running lease of `state` gets a full fresh term from `now`, every joined worker a full term of
  // silence. The first record of a start is EpochStarted, which the shell commits through begin().
  Coordinator(CoordinatorConfig config, State state, Instant now);

  // Emits EpochStarted with an epoch one above the state's. Requires: called once, before the first step.
  void begin(Effects& out);
  // Applies what it decides to state() and appends it to `out`. Requires: now never goes back.
  // A slot that falls free gets its next Grant in the same step.
  void step(Instant now, const Input& input, Effects& out);
  // Returns: when a Wake is due; nullopt if nothing is pending. Leases expire on Wake only, and never on one
  // that comes much later than its deadline: then we were deaf, and every lease grows by that lateness and a
  // heartbeat.
  std::optional<Instant> next_deadline() const;
  const State& state() const { return state_; }
  // Returns: the newest progress of every running attempt, for eyes only.
  std::vector<Progress> progress() const;
  // Returns: of every worker that may be heard.
  std::map<WorkerName, Pulse> pulses() const;

 private:
  // What is known of a worker since this process began: never durable.
  struct Session {
    Instant heard;
    bool is_introduced = false;  // it said Hello to this process
    bool is_draining = false;
    bool has_beaten = false;  // so that it runs: a Hello alone may be the last word of a dead process
    std::vector<DeviceUse> devices{};
    int64_t resent = 0;
  };
  // How far a revision's grid was looked through beyond its cursor: up to there is nothing more to list.
  struct Walk {
    int revision = 0;
    int64_t to = 0;
  };
  // A running lease's soft side.
  struct Term {
    std::optional<int64_t> next_seq;  // of its reports; unknown after a restart until the worker says Hello
    Progress progress;
  };

  void decide(Record record);
  void send(const WorkerName& worker, CoordinatorMessage message);
  void reply(uint64_t to, decltype(Reply::answer) answer);

  // coordinator.cpp: workers come, beat, drain and go
  void on(const FromWorker& in);
  void on(const Wake& wake);
  void on(const ArtifactsShelved& shelved);
  void on(const ArtifactsGone& gone);
  void on_hello(const WorkerName& sender, const Hello& hello);
  void join(const WorkerName& sender, const Hello& hello);
  void on_heartbeat(const WorkerName& sender, const Heartbeat& beat);
  void on_drain(const WorkerName& sender, const Drain& drain);
  void hear(const WorkerName& sender);
  // Visits what a worker runs. What one visit ends besides, because its sweep became hopeless, is not visited.
  void for_each_running(const WorkerName& worker, const std::function<void(const Unit&)>& visit);
  void not_held(const Unit& unit, const std::string& boot);
  void on_past_life(const Worker& worker, const std::string& boot);
  void leave(const Worker& worker, LeaveReason reason);
  void leave_if_drained(const WorkerName& worker);
  std::optional<Instant> next_term() const;
  void make_up_for(Duration lateness);
  void expire_due();

  // submissions.cpp: sweeps as users hand them in
  void on(const Submit& submit);
  decltype(Reply::answer) answer_again(const Submit& submit, const std::string& spec_sha256,
                                       const Request& earlier) const;
  Submitted as_before(SweepNumber sweep, int revision) const;
  Submitted begin_revision(SweepSubmitted submitted);
  std::vector<UnitId> removed_by(const SweepSpec& next, const std::set<StageId>& listed,
                                 const Sweep& sweep) const;

  // extensions.cpp: where tuning adds to sweeps
  void note_end(const Record& record);
  void extend_tuned_sweeps();
  void extend_listed(const Sweep& sweep);
  void extend(const Sweep& sweep, const std::set<UnitId>& ended);
  void add_cells(SweepExtended extended);

  // controls.cpp: users' hands on running sweeps and on workers
  void on(const ControlSweep& control);
  void on(const ChangePolicy& change);
  void on(const DrainWorker& drain);
  void on(const SetQuota& quota);
  void on(const RevokeWorker& revoke);
  void on(const ForgetWorker& forget);
  void on(const KeysRevoked& revoked);
  void cut_off(const WorkerName& name);
  static Rejected no_sweep(const std::string& name);
  decltype(Reply::answer) retry_sweep(const Sweep& sweep, const ControlSweep& control);
  Controlled act(const Sweep& sweep, const ControlSweep& control);
  void say_drain(const Worker& worker);
  void cancel_sweep(const Sweep& sweep, const std::string& request_id, const std::string& actor);
  void stop_hopeless_sweeps(const UnitId& failed);
  using Running = std::vector<std::pair<WorkerName, Lease>>;
  Running running_of(const Sweep& sweep) const;
  void kill_unwanted(const Running& were_running);

  // trial_controls.cpp: the same on some trials of a sweep
  void on(const ControlTrials& control);
  std::string cancel_trials(const Sweep& sweep, const ControlTrials& control,
                            const std::vector<SweepTrial>& trials);
  std::string retry_trials(const Sweep& sweep, const ControlTrials& control,
                           const std::vector<SweepTrial>& trials);

  // leases.cpp: what attempts say, and how they end
  enum class Standing {
    current,    // the running lease
    revivable,  // expired, and nobody else was granted its unit
    ended,      // its Done was accepted: whatever it says again is known
    stale,      // not the newest attempt, not the owner, or not wanted any more
  };
  Standing standing(const WorkerName& sender, const Lease& lease) const;
  bool is_running_for(const WorkerName& sender, const Lease& lease);
  void refuse(const WorkerName& sender, const Lease& lease, Standing why);
  void on_held(const WorkerName& sender, const Held& held);
  void on_report(const WorkerName& sender, const Report& report);
  void on_done(const WorkerName& sender, const Done& done);
  bool is_next(const WorkerName& sender, const Lease& lease, int64_t seq);
  void take_findings(const Lease& lease, const Findings& findings);
  void end_attempt(const Lease& lease, const Outcome& outcome);
  void finish(const Lease& lease, Outcome outcome);
  void drop_copies(const WorkerName& worker, const Lease& lease);
  void return_lease(const Lease& lease, Step step);
  void fail_attempt(const Lease& lease, const Outcome& outcome);
  void expire(const Lease& lease);
  void revive(const Lease& lease);
  bool is_out_of_infra_budget(const Unit& unit) const;
  void give_up_on_lost_workers(const Lease& lease);
  Duration term_of(const Unit& unit) const;
  void renew(const UnitId& unit);
  void forget_term(const UnitId& unit);

  // races.cpp: where early stopping ends trials
  void note_rung(const Record& record);
  void judge_rungs();
  void judge(const Sweep& sweep, const RungPlace& rung);
  void stop_cell(const Sweep& sweep, const CellId& cell, std::vector<StageId> stages, EarlyVerdict verdict);
  void stop_if_out(const Sweep& sweep, const SweepTrial& trial);
  bool lift_verdicts(const Sweep& sweep);

  // trunks.cpp: what several trials begin with
  std::vector<TrialBranch> branches_beside(const Sweep& sweep, const SweepTrial& trial) const;
  void take_points(const Unit& unit, const std::vector<Point>& points);
  void open_branches(const Lease& trunk);
  std::vector<UnitId> open_trunks_of(const Sweep& sweep) const;
  bool has_open_branch(const Unit& trunk, const Sweep& sweep) const;
  void drop_trunk(const Sweep& sweep, const UnitId& trunk);
  void reopen(const Unit& trunk);
  void note_branch(const Record& record);
  void close_ended_branches();
  void close_branches(const Unit& trunk);

  // grants.cpp: what runs next, and where
  void fill_free_slots();
  bool fill(const Worker& worker, const Slot& slot);
  void list_next(const Sweep& sweep);
  void list_first_after(const Sweep& sweep);
  bool has_listed_enough() const;
  int64_t next_place(const Sweep& sweep) const;
  void list_with_its_like(const Sweep& sweep, const SweepTrial& trial);
  void list(const TrialListed& listed);
  void list_ahead(const Sweep& sweep, const SweepTrial& trial);
  void list_added(const Sweep& sweep, const SweepTrial& trial);
  void grant(const Worker& worker, const Slot& slot, const UnitId& unit);
  void say_grant(const UnitId& unit);
  bool may_get_work(const Worker& worker) const;

  CoordinatorConfig config_;
  State state_;
  Instant now_;
  Effects* out_ = nullptr;   // of the step in progress
  bool has_room_ = false;    // something changed that may let a slot be filled
  bool is_listing_ = false;  // slots wait for more of a grid than one step lists
  int64_t listed_ = 0;       // trials, by the step in progress
  int64_t walked_ = 0;       // places of grids, likewise
  std::map<SweepNumber, Walk> walks_;
  std::set<UnitId> ended_;    // for good, by the step in progress
  std::set<UnitId> left_;     // units whose attempt or wait has ended by it, for good or not
  bool has_dropped_ = false;  // it took back what a sweep wanted
  std::vector<std::pair<SweepNumber, RungPlace>> at_rung_;  // what the step in progress is to judge
  std::map<WorkerName, Session> sessions_;
  std::map<UnitId, Term> terms_;    // exactly the running units
  Deadlines<UnitId> expiries_;      // of running leases
  Deadlines<UnitId> backoffs_;      // of ready units that must wait; volatile, a restart forgets them
  Deadlines<WorkerName> silences_;  // when a joined worker counts as gone
  Deadlines<WorkerName> rests_;     // of workers that refused a work: else one would walk through a whole grid
  std::set<TrialId> shelved_;       // whose artifacts the coordinator has
};

}  // namespace ranktide
