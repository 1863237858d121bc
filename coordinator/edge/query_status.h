#pragma once
// Where sweeps stand: counts by state, what is running, and what an estimate of the time left needs. Not
// results (query.h). Reads only.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/wire.h"
#include "common/vocabulary/work.h"
#include "coordinator/edge/query_waiting.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

struct RunningTrial {
  std::string trial;
  std::string unit{};  // that runs: the trial's stage, or a trunk
  int64_t attempt = 0;
  std::string worker;
  std::string slots;       // "0" or "0,1"
  int64_t started_ms = 0;  // wall clock
  int64_t step = 0;        // of the newest durable point; of what a trunk repeats show_repeats() tells
  int64_t repeats_to = 0;  // of a trunk that is trained again: points are known up to here; 0: no repeat
  int64_t steps = 0;
  double loss = 0;  // of that step; 0 before the first
  double tokens_per_second = 0;
  double seconds_per_step = 0;  // mean of this attempt's last steps, by when their points came; 0: too few have
  std::string settings;         // "math lora r4 attn lr 0.0005 seed 0"
};
template <class Ar>
void fields(Ar& ar, RunningTrial& t) {
  ar("trial", t.trial)("unit", t.unit)("attempt", t.attempt)("worker", t.worker)("slots", t.slots)(
      "started_ms", t.started_ms);
  ar("step", t.step)("repeats_to", t.repeats_to)("steps", t.steps)("loss", t.loss)("tokens_per_second",
                                                                                   t.tokens_per_second);
  ar("seconds_per_step", t.seconds_per_step)("settings", t.settings);
}

// Evals leased by themselves that have failed for good: their trials are in no mean.
struct FailedEvals {
  int64_t evals = 0;
  std::string message;  // of the one that failed last
};
template <class Ar>
void fields(Ar& ar, FailedEvals& f) {
  ar("evals", f.evals)("message", f.message);
}

struct SweepStatus {
  std::string name;
  int64_t revision = 0;
  std::string state;  // listing, running, paused, finished, stopping, stopped, cancelled
  std::string owner;
  int64_t submitted_ms = 0;
  std::map<std::string, int64_t> trials;  // by state: ready running completed diverged failed cancelled
                                          // stopped_early
  int64_t trials_total = 0;   // of the whole grid: those that no slot has come near are in no state yet
  int64_t evals_missing = 0;  // of completed trials
  int64_t evals_running = 0;  // leased by themselves
  std::vector<RunningTrial> running;
  // For an estimate: seconds left ≈ steps_left · seconds_per_step / slots at work.
  int64_t steps_left = 0;                  // of ready and running trials, and of those that will be listed
  std::optional<double> seconds_per_step;  // over this sweep's ended trials; absent before the first
  int64_t slots_at_work = 0;
  std::optional<WaitingUnits> waiting;        // of an open sweep: what fits no slot; absent: nothing
  std::optional<FailedEvals> failed_evals{};  // absent: none
};
template <class Ar>
void fields(Ar& ar, SweepStatus& s) {
  ar("sweep", s.name)("revision", s.revision)("state", s.state)("owner", s.owner)("submitted_ms",
                                                                                  s.submitted_ms);
  ar("trials", s.trials);
  ar("trials_total", s.trials_total)("evals_missing", s.evals_missing)("evals_running", s.evals_running)(
      "running", s.running)("steps_left", s.steps_left);
  ar("seconds_per_step", s.seconds_per_step)("slots_at_work", s.slots_at_work)("waiting", s.waiting);
  ar("failed_evals", s.failed_evals);
}

// Returns: whether nothing more will happen: finished with its evals, stopped or cancelled.
bool has_ended(const SweepStatus& status);

// What a trunk repeats leaves no points, so that nothing durable says where it stands: its worker does, in
// `progress` (Coordinator::progress()).
void show_repeats(SweepStatus& status, const std::vector<Progress>& progress);

// Returns: an estimate of the time to the end; nullopt before anything was measured or while nothing runs.
std::optional<double> seconds_left(const SweepStatus& status);
// Returns: trials in a state, such as "failed".
int64_t trials_in(const SweepStatus& status, const std::string& state);

// Returns: whether something of it failed: a trial, or an eval that a trial is missing now.
bool has_failures(const SweepStatus& status);

// Returns: the sweep's status, nullopt when there is no sweep of this name.
std::optional<SweepStatus> sweep_status(const Reader& reader, const std::string& sweep);

// Returns: every sweep's status, oldest first.
std::vector<SweepStatus> all_sweep_status(const Reader& reader);

// Why trials failed.
struct FailureReason {
  int64_t trials = 0;
  bool is_one_text = true;  // false: where they were placed, and for how much, differs
  std::string message{};    // of the one below; empty: none was recorded
  std::string trial{};      // one of them
};
// Returns: the reasons of the sweep's failed trials. What was placed where is no reason: out_of_memory_text()
// has it behind one.
std::vector<FailureReason> failure_reasons(const Reader& reader, const std::string& sweep);

// Returns: full ids of the trials whose id starts with `prefix`, at most ten, sorted.
std::vector<std::string> trials_with_prefix(const Reader& reader, const std::string& prefix);

}  // namespace ranktide
