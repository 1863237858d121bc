#pragma once
// What really happened, noted outside the system under test, and the invariants that compare it with what the
// coordinator made durable. I-numbers as in the reliability notes: I1 nothing acked is lost, I2 one terminal
// result per unit, I3 a lease starts in one worker life only, I4 nothing is accepted from a stale attempt, I5
// points are what workers computed, I6 live state is the replay of the journal, I8 everything ends after the
// heal; no unit is granted to a slot that does not fit (placing.h); and where tuning may add values, the best
// is inside the axis or all steps are taken; what is stopped early was behind at its rung, has one fate over
// its seeds, and leaves every setting that is not tuned one of its values.

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "coordinator/core/coordinator.h"
#include "coordinator/edge/reader.h"
#include "tests/sim/placing.h"

namespace ranktide::sim {

struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What an eval would give: a function of its id, so that every attempt must agree.
double score_of(const EvalId& eval);
constexpr Step kDivergesAt = 3;

class Truth {
 public:
  // Workers may say anything from now on: what they say is compared with nothing, only what becomes of it is.
  void believe_nobody() { is_believing_ = false; }
  Placing& placing() { return placing_; }

  // ---- what training would give: a function of what is trained, so that every attempt must agree. Trials that
  // begin with a trunk, and the trunk, are alike until they leave it.
  double loss_at(const StageId& stage, Step step) const;
  bool diverges(const StageId& stage) const;    // some do, at kDivergesAt
  bool is_too_big(const StageId& stage) const;  // some run out of memory until the micro-batch is 1

  // ---- what workers and trainers do
  void started(const Lease& lease, const std::string& boot);
  void ran_to_its_end(const Lease& lease, OutcomeKind kind) { ended_.emplace(lease, kind); }
  void said_eval(const Lease& lease, const EvalId& eval) { said_evals_.emplace(lease, eval); }
  void said_point(const Lease& lease, const Point& point) { said_points_.emplace(lease, point.step); }
  void on_disk(const Lease& lease, int64_t seq, const std::string& bytes) { on_disk_[{lease, seq}] = bytes; }

  // ---- what the coordinator makes durable, and tells
  void committed(const std::vector<Record>& records, const std::vector<PointBatch>& points);
  void got_ack(const Lease& lease, int64_t seq) const;
  void got_answer(const std::string& request_id) const;

  // ---- whole pictures
  // `kept`: what a store gives back, oldest first.
  void check_kept(const std::vector<Record>& kept) const;
  static void check_replay(const State& live, const State& replayed);
  static void check_counts(const State& state);
  // Requires: nothing runs, and nobody stopped or cancelled a tuned sweep.
  void check_tuning(const State& state) const;
  // Requires: nothing runs.
  void check_tables(const Reader& reader, const State& state) const;

 private:
  void check(const LeaseGranted& r);
  void check(const UnitFinished& r);
  void check(const EvalFinished& r);
  void check(const AttemptFailed& r);
  void check(const LeaseReturned& r) { closed_.insert(r.lease); }
  void check(const TrialListed& r);
  void check(const SweepSubmitted& r);
  void check(const SweepListed& r);
  void check(const CellStoppedEarly& r);
  void check(const TrunkReopened& r) { results_.erase(r.lease.unit); }  // what it left is lost
  template <class R>
  void check(const R& r) {
    if constexpr (requires { r.request_id; }) requests_.insert(r.request_id);
  }
  void check_results(const Reader& reader) const;
  void check_fates(const Reader& reader) const;
  double shown(const EvalId& eval, const StageId& stage) const;
  bool has_said(const StageId& stage, Attempt attempt, Step step) const;
  bool is_known(const StageId& stage, Step step) const;
  bool was_synced(const Lease& lease) const;

  struct Beginning {      // of a trunk, or of what begins with it
    uint64_t number = 0;  // what it is a function of
    Step until = 0;
  };

  bool is_believing_ = true;
  std::map<StageId, Beginning> beginnings_;
  std::map<StageId, std::set<StageId>> trunks_;          // by branch
  std::map<StageId, std::map<StageId, Step>> branches_;  // by trunk: where each leaves it
  Placing placing_;
  std::set<Lease> started_;
  std::map<Lease, OutcomeKind> ended_;
  std::set<std::pair<Lease, EvalId>> said_evals_;
  std::set<std::pair<Lease, Step>> said_points_;
  std::map<std::pair<Lease, int64_t>, std::string> on_disk_;

  std::vector<std::string> journal_;  // of every committed record, its kind and body
  std::map<UnitId, Attempt> granted_;
  std::map<Lease, std::string> boots_;  // of the life that a lease was granted to
  std::set<UnitId> results_;
  std::set<EvalId> evals_;
  std::map<SweepNumber, std::set<StageId>> listed_;  // by its newest revision
  // Of scouts that its sweep has listed, by sweep, rank and rung: what early stopping compares.
  using Scouts = std::map<StageId, EvalId>;
  std::map<std::tuple<SweepNumber, int, int>, Scouts> races_;
  std::map<StageId, std::pair<CellId, int>> scouts_;  // their cells and ranks
  std::map<std::pair<SweepNumber, CellId>, EarlyVerdict> verdicts_;
  std::set<StageId> diverged_;
  std::set<Lease> closed_;  // their Done was accepted
  std::set<std::tuple<StageId, Step>> points_;
  std::set<std::string> requests_;
};

}  // namespace ranktide::sim
