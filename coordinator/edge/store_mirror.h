#pragma once
// Keeps the query tables in step with the journal: one record in, the rows that it claims changed. Not a
// decider and not a transaction: the store calls it inside one. Replay never runs it: the tables are already
// there. One thread, the writer's.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/vocabulary/check.h"
#include "coordinator/core/records.h"
#include "coordinator/edge/store_sql.h"

namespace ranktide {

// For statements that must change exactly one row.
inline void claim_one(int64_t rows_changed) {
  RT_CHECK(rows_changed == 1);
}

// Returns: who asked and under which request, for an event's message.
std::string by(const std::string& actor, const std::string& request_id);

// Returns: the number, or NULL.
Value optional_value(const std::optional<int>& number);

class Mirror {
 public:
  // Outlives: `connection` must outlive this.
  explicit Mirror(Connection& connection) : connection_(connection) {}

  // RT_CHECKs that the record changed as many rows as it claims: a mirror that disagrees with the journal is a
  // bug.
  void apply(const Record& record, int64_t wall_ms);
  void add(const PointBatch& batch, int64_t wall_ms);
  void event(std::string_view kind, std::string_view subject, std::string_view message, int64_t wall_ms);

  // Distinct metric names in one database; points under later names are left out, and an event says so.
  static constexpr int64_t kMetricNamesMax = 1000;

 private:
  void on(const EpochStarted&);
  void on(const SweepSubmitted&);
  void on(const TrialListed&);
  void on(const SweepListed&);
  void on(const SweepExtended&);
  void on(const WorkerJoined&);
  void on(const WorkerLeft&);
  void on(const LeaseGranted&);
  void on(const LeaseExpired&);
  void on(const LeaseRevived&);
  void on(const LeaseReturned&);
  void on(const CheckpointSaved&);
  void on(const EvalFinished&);
  void on(const UnitFinished&);
  void on(const AttemptFailed&);
  void on(const SweepCancelled&);
  void on(const SweepPaused&);
  void on(const SweepResumed&);
  void on(const SweepStopped&);
  void on(const PolicyChanged&);
  void on(const QuotaSet&);
  void on(const WorkerDrainAsked&);
  void on(const TrialsCancelled&);
  void on(const TrialRetried&);
  void on(const WorkerRevoked&);
  void on(const BranchesOpened&);
  void on(const TrunkDropped&);
  void on(const TrunkReopened&);
  void on(const BranchesClosed&);
  void on(const WorkerForgotten&);
  void on(const CellStoppedEarly&);
  void on(const EarlyVerdictsLifted&);

  void want_trial(SweepNumber sweep, int revision, const SweepTrial& trial, const PredictedMemory& memory);
  void want_trunk(const SweepTrial& trial, const TrunkPlace& place);
  void cancel_trial(SweepNumber sweep, const StageId& stage);
  void end_unwanted(const StageId& stage, std::string_view end_reason);
  void spare(SweepNumber sweep, const CellId& cell);
  void cancel_removed(const SweepSubmitted& by, const UnitId& unit);
  void list_trial(const SweepTrial& trial, const PredictedMemory& memory);
  void take_memory(SweepNumber sweep, const SweepTrial& trial, const PredictedMemory& memory);
  std::string list_evals(const SweepTrial& trial);
  void begin_anew_for_evals(const StageId& stage);
  void end_attempt(const Lease& lease, std::string_view reason, std::string_view message,
                   std::string_view log_tail);
  void requeue_stage(const UnitId& unit);
  void want_eval(const EvalId& id, const std::string& subject, const EvalTask& task, Step at);
  void lose_evals(const UnitId& ended);
  void note(std::string_view kind, std::string_view subject, std::string_view message);
  bool is_stage(const UnitId& unit);
  bool has_result(const StageId& stage);
  bool is_trunk(const UnitId& unit);
  int64_t stage_number(std::string_view id);
  int64_t metric_name(const std::string& name);
  Statement& sql(const char* text);

  Connection& connection_;
  std::map<const char*, Statement> statements_;  // by address: every text is a literal
  std::map<std::string, int64_t> metric_names_;
  int64_t now_ms_ = 0;  // of the record being applied
};

}  // namespace ranktide
