#pragma once
// One slot's trainer: what it runs, what waits for it, whether it obeys and whether it still lives. It knows
// leases but not the coordinator, and processes only as effects. One thread; time is an argument.

#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "worker/agent/agent.h"

namespace ranktide {

// What an attempt has to tell the coordinator.
struct Said {
  Lease lease;
  std::variant<Findings, Outcome> what;
};

class Runner {
 public:
  Runner(int slot, const AgentConfig& config) : slot_(slot), config_(config) {}

  // Queues the work; it starts when the slot is free. The trainer is started for the first one and kept.
  void take(const Grant& grant, Instant now, AgentEffects& out);
  std::vector<Said> on(const FromTrainer& in, Instant now, AgentEffects& out);
  std::vector<Said> on(const TrainerDied& death, Instant now, AgentEffects& out);

  // Asks for a checkpoint and the end of the attempt, which then says Outcome{stopped}.
  std::vector<Said> stop(const Lease& lease, Instant now, AgentEffects& out);
  // Ends the attempt; it will say nothing more.
  void forget(const Lease& lease, Instant now, AgentEffects& out);
  std::vector<Said> stop_everything(Instant now, AgentEffects& out);

  // Carries out what is due: kills a trainer that does not stop or does not speak.
  void wake(Instant now, AgentEffects& out);
  std::optional<Instant> next_deadline() const;

  void pause(AgentEffects& out);
  void resume(Instant now, AgentEffects& out);

  // Returns: whether its trainer has this attempt, forgotten or not.
  bool has(const Lease& lease) const { return current_ && current_->lease == lease; }
  // Returns: the same of this attempt or an earlier one of its unit.
  bool has_up_to(const Lease& newest) const {
    return current_ && current_->lease.unit == newest.unit && current_->lease.attempt <= newest.attempt;
  }
  // Returns: whether it runs something or has something waiting, forgotten or not.
  bool is_busy() const { return current_ || !waiting_.empty(); }
  std::optional<Progress> progress() const;

 private:
  enum class Process { absent, alive, killed };
  struct Current {
    Lease lease;
    Progress progress;
    Step checkpoint = 0;
    bool is_forgotten = false;
    std::optional<Instant> kill_at;  // it was asked to stop
    std::optional<Outcome> verdict;  // why it was killed; its death is then reported as this
  };

  void start_next(Instant now, AgentEffects& out);
  void ask_to_stop(StopWork stop, Instant now, AgentEffects& out);
  void kill(Outcome verdict, AgentEffects& out);
  std::optional<Instant> silence_ends() const;
  Outcome outcome_of(const TrainerDied& death) const;

  int slot_;
  AgentConfig config_;
  Process process_ = Process::absent;
  bool is_paused_ = false;
  Instant heard_;
  std::optional<Current> current_;
  std::deque<Grant>
      waiting_;  // at most what the coordinator grants this slot: one, while another attempt is stopping
};

}  // namespace ranktide
