#pragma once
// Decides what a worker does: takes leases, runs them in trainer children, keeps what they say until it is
// acked. It does not send, store, spawn or measure: the daemon does, from the effects. One thread; no clock, no
// chance, no I/O.
//
// Delivery: every report of an attempt gets the next number and goes to the spool before it is sent. It is sent
// again after a time, a Nack or a Resume, until it is acked; the spool then forgets it. Every attempt that is
// running or has unacked entries is named in Hello and in each Heartbeat, which is what keeps its lease. Lives:
// an attempt runs in one life of the worker only. What a former life left in the spool is sent to the end and
// never added to; an attempt without its Done is thereby given back, and the coordinator grants it anew.
// Over: a unit whose completed or diverged Done has been answered, and one that was cancelled (Stop{kill}) once
// its trainer has stopped, or at once where none has it, as what a trunk has left for it here, or what another
// worker has ended. A unit that failed, was given back or moved is not: it may be granted here again.
// Obedience: Fenced, Abandon and Stop{kill} end an attempt without a word; its trainer gets `stop_grace` to
// stop at a step border (the base stays loaded), then it is killed.
//
// Replaced: a process whose key another one uses too, as where a worker's folder was copied, is told so and
// ends. Else the two would take the name from each other for ever.
//
// Unfit: where no trainer can start the work is not at fault. It goes back and the worker drains, for it would
// use up the retries of one trial after the other.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/vocabulary/protocol.h"
#include "common/vocabulary/time.h"
#include "common/vocabulary/trainer_protocol.h"

namespace ranktide {

struct AgentConfig {
  std::string boot;  // random, of this process life
  std::string version;
  std::vector<Slot> slots;
  Duration resend_after{5'000};       // without an ack
  Duration hello_again_after{5'000};  // without a Welcome
  Duration stop_grace{30'000};        // from StopWork to KillTrainer
  Duration trainer_silence{900'000};  // a running trainer that says nothing for this long hangs: an own failure
  Duration grant_copies_within{3'600'000};  // of the attempt's end; a copy that takes longer never comes
  size_t in_flight_max = 256;               // entries sent and not acked, all attempts together
  int64_t in_flight_bytes_max = 4 << 20;
  int64_t spool_bytes_max =
      256 << 20;  // at it trainers are paused, nothing is dropped; entries are held in memory too
  // Take one training a slot at most, nothing once one has ended; finish what runs, then leave. Evals leased by
  // themselves do not count, nor do trunks.
  bool once = false;
};

// ---- what comes in
struct SpooledAttempt {  // entries of a former life, consecutive, oldest first, as spool_bytes() made them
  Lease lease;
  std::map<int64_t, std::string> entries;
};
struct SpoolLoaded {  // first input of a life, also when there was nothing
  std::vector<SpooledAttempt> attempts;
};
struct Connected {};     // the link's handshake succeeded
struct Disconnected {};  // nothing is sent until Connected
struct FromCoordinator {
  uint64_t epoch = 0;
  CoordinatorMessage message;
};
struct FromTrainer {
  int slot = 0;
  TrainerReport report;
};
struct TrainerDied {  // the process is gone: by itself, or after KillTrainer
  int slot = 0;
  OutcomeKind kind = OutcomeKind::failed;  // failed | out_of_memory | stopped: no trainer can start here
  std::string message;                     // "killed by signal 11 (Segmentation fault)"
  std::string log_tail;
};
struct DevicesMeasured {  // told on with the next heartbeats, until it is measured again
  std::vector<DeviceUse> devices;
};
struct DrainRequested {};  // take nothing new, checkpoint what runs, send everything, then leave
struct AgentWake {};       // the deadline asked for has come
struct LastWork {};        // take nothing new, let what runs go on to its end, then leave
using AgentInput = std::variant<SpoolLoaded, Connected, Disconnected, FromCoordinator, FromTrainer, TrainerDied,
                                DevicesMeasured, DrainRequested, AgentWake, LastWork>;

// ---- what goes out. The daemon carries out a turn's effects in the order of the members: what is over goes
// first, so that the spool speaks of a unit until nothing of it is left; then the spool, one sync for all
// appends when any asks for it; and only then messages and trainers.
struct SpoolAppend {
  Lease lease;
  int64_t seq = 0;  // one above the last of this attempt, from 1
  std::string bytes;
  bool sync = false;  // a Done or an eval result: must survive a power loss before it is sent
};
struct SpoolDrop {  // acked up to seq
  Lease lease;
  int64_t up_to = 0;
};
struct SpoolForget {  // nothing of this attempt will be sent or appended again
  Lease lease;
};
using SpoolAction = std::variant<SpoolAppend, SpoolDrop, SpoolForget>;

struct StartTrainer {
  int slot = 0;
};
struct SendTrainer {
  int slot = 0;
  TrainerCommand command;
};
struct KillTrainer {
  int slot = 0;
};  // answered by TrainerDied
struct PauseTrainer {
  int slot = 0;
};  // read no more of its reports: its pipe fills and it waits
struct ResumeTrainer {
  int slot = 0;
};
using TrainerAction = std::variant<StartTrainer, SendTrainer, KillTrainer, PauseTrainer, ResumeTrainer>;

struct AgentEffects {
  std::vector<UnitId> over;  // nobody will resume them: what their trainers kept for that may go
  std::vector<SpoolAction> spool;
  std::vector<WorkerMessage> messages;
  std::vector<TrainerAction> trainers;
};

// Returns: the bytes of a spool entry: header and body as on the wire, epoch 0.
std::string spool_bytes(const WorkerMessage& message);
// Throws: ProtocolError for bytes that are no Report or Done of this version.
WorkerMessage from_spool_bytes(std::string_view bytes);

class Agent {
 public:
  Agent(AgentConfig config, Instant now);
  ~Agent();
  Agent(Agent&&) noexcept;

  // Requires: now never goes back; the first input is SpoolLoaded.
  void step(Instant now, const AgentInput& input, AgentEffects& out);
  // Returns: when an AgentWake is due; nullopt if nothing is pending.
  std::optional<Instant> next_deadline() const;
  // Returns: the epoch to send with: of the newest coordinator heard.
  uint64_t epoch() const;
  // Returns: whether a drain is complete: nothing runs, nothing is unacked, Drain was said. Until the daemon
  // has left it answers what is still under way to it, but introduces itself no more.
  bool is_drained() const;
  // Returns: whether the coordinator has said that another process of this worker's key is at work in its
  // place. Nothing of it is listened to any more: it should end, and what it has spooled is its folder's next
  // life's.
  bool is_replaced() const;
  // Returns: whether a trainer has work.
  bool is_working() const;
  // Returns: whether it has nothing to do and nothing to tell.
  bool is_idle() const;

 private:
  struct Life;
  std::unique_ptr<Life> life_;
};

}  // namespace ranktide
