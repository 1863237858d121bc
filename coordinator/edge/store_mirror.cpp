#include "coordinator/edge/store_mirror.h"

#include <cmath>

#include "common/vocabulary/check.h"

namespace ranktide {

namespace {

std::string slots_text(const std::vector<int>& slots) {
  std::string text;
  for (const int s : slots) text += (text.empty() ? "" : ",") + std::to_string(s);
  return text;
}

// What is NULL for not being finite: NaN is not "no value".
Value flag_of(double value) {
  if (std::isnan(value)) return Value("nan");
  if (std::isinf(value)) return Value(value > 0 ? "inf" : "-inf");
  return {};
}

Value finite_or_null(double value) {
  return std::isfinite(value) ? Value(value) : Value{};
}

// How fast a machine was differs from one attempt to the next; what training computes must not.
bool must_repeat(std::string_view metric) {
  return metric != "tokens_per_second";
}

std::string lease_text(const Lease& lease) {
  return "attempt " + std::to_string(lease.attempt) + " of " + lease.unit.brief();
}

}  // namespace

void Mirror::apply(const Record& record, int64_t wall_ms) {
  now_ms_ = wall_ms;
  std::visit([this](const auto& r) { on(r); }, record);
}

void Mirror::on(const EpochStarted& r) {
  claim_one(sql("INSERT INTO meta VALUES('epoch', ?1) ON CONFLICT DO UPDATE SET value=excluded.value")
                .run(std::to_string(r.epoch)));
  note("EpochStarted", "coordinator", "epoch " + std::to_string(r.epoch));
}

void Mirror::on(const WorkerJoined& r) {
  claim_one(sql("INSERT INTO worker VALUES(?1, ?2, ?3, ?4, 'joined', ?5, NULL) ON CONFLICT(name) DO UPDATE SET"
                " boot=excluded.boot, version=excluded.version, slots=excluded.slots, state='joined',"
                " joined=excluded.joined, departed=NULL")
                .run(r.worker.text, r.boot, r.version, to_json(r.slots).dump(), now_ms_));
  note("WorkerJoined", r.worker.text, std::to_string(r.slots.size()) + " slots, version " + r.version);
}

void Mirror::on(const WorkerLeft& r) {
  claim_one(sql("UPDATE worker SET state=?2, departed=?3 WHERE name=?1")
                .run(r.worker.text, std::string(text_of(r.reason)), now_ms_));
  note("WorkerLeft", r.worker.text, text_of(r.reason));
}

void Mirror::on(const LeaseGranted& r) {
  claim_one(sql("INSERT INTO attempt(unit, attempt, worker, boot, slots, microbatch, keep, started)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
                .run(r.lease.unit.text, r.lease.attempt, r.worker.text, r.boot, slots_text(r.slots),
                     r.microbatch, text_of(r.keep), now_ms_));
  if (r.trunk_to) sql("DELETE FROM branch WHERE trunk=?1 AND at>?2").run(r.lease.unit.text, *r.trunk_to);
  if (!is_stage(r.lease.unit)) return;
  claim_one(sql("UPDATE stage SET state='running', attempt=?2 WHERE id=?1 AND attempt<?2")
                .run(r.lease.unit.text, r.lease.attempt));
}

void Mirror::on(const LeaseExpired& r) {
  end_attempt(r.lease, "expired", "its worker was silent for a whole lease", "");
  requeue_stage(r.lease.unit);
  note("LeaseExpired", r.lease.unit.text, lease_text(r.lease));
}

void Mirror::on(const LeaseRevived& r) {
  claim_one(sql("UPDATE attempt SET ended=NULL, end_reason=NULL, message=NULL WHERE unit=?1 AND attempt=?2")
                .run(r.lease.unit.text, r.lease.attempt));
  if (is_stage(r.lease.unit))
    claim_one(sql("UPDATE stage SET state='running' WHERE id=?1 AND state='ready'").run(r.lease.unit.text));
  note("LeaseRevived", r.lease.unit.text, lease_text(r.lease));
}

void Mirror::on(const LeaseReturned& r) {
  end_attempt(r.lease, "returned", "given back at step " + std::to_string(r.step), "");
  requeue_stage(r.lease.unit);
}

void Mirror::on(const CheckpointSaved& r) {
  if (!is_stage(r.lease.unit)) return;
  claim_one(sql("UPDATE stage SET checkpoint_step=?2 WHERE id=?1").run(r.lease.unit.text, r.step));
}

void Mirror::on(const EvalFinished& r) {
  const auto& e = r.result;
  claim_one(
      sql("UPDATE eval SET state='finished', metric=?2, value=?3, flag=?4, sign=?5, stderr=?6, n=?7, at=?8"
          " WHERE id=?1 AND state<>'finished'")
          .run(e.id.text, e.metric, finite_or_null(e.value), flag_of(e.value), e.sign, e.stderr_, e.n,
               now_ms_));
}

void Mirror::on(const UnitFinished& r) {
  const auto& o = r.outcome;
  end_attempt(r.lease, text_of(o.kind), o.message, o.log_tail);
  if (!is_stage(r.lease.unit)) return;
  claim_one(
      sql("UPDATE stage SET state=?2, step=?3, message=?4, weights_sha256=?5, exact=?6, tokens=?7, seconds=?8,"
          " memory_peak_bytes=?9, numerics=nullif(?10, 0), device=nullif(?11, '') WHERE id=?1")
          .run(r.lease.unit.text, std::string(text_of(o.kind)), o.step, o.message, o.weights_sha256, o.exact,
               o.tokens, o.seconds, o.memory_peak_bytes, o.numerics, o.device));
  lose_evals(r.lease.unit);
  if (o.kind == OutcomeKind::diverged)
    note("Diverged", r.lease.unit.text, "step " + std::to_string(o.step) + ": " + o.message);
}

void Mirror::on(const AttemptFailed& r) {
  end_attempt(r.lease, text_of(r.outcome.kind), r.outcome.message, r.outcome.log_tail);
  note("AttemptFailed", r.lease.unit.text, lease_text(r.lease) + ": " + r.outcome.message);
  if (!is_stage(r.lease.unit)) {
    if (r.last && !is_trunk(r.lease.unit))
      claim_one(sql("UPDATE eval SET state='failed' WHERE id=?1 AND state='wanted'").run(r.lease.unit.text));
    return;
  }
  if (!r.last) return requeue_stage(r.lease.unit);
  claim_one(sql("UPDATE stage SET state='failed', step=?2, message=?3 WHERE id=?1 AND state='running'")
                .run(r.lease.unit.text, r.outcome.step, r.outcome.message));
  lose_evals(r.lease.unit);
}

void Mirror::end_attempt(const Lease& lease, std::string_view reason, std::string_view message,
                         std::string_view log_tail) {
  claim_one(
      sql("UPDATE attempt SET ended=?3, end_reason=?4, message=?5, log_tail=?6 WHERE unit=?1 AND attempt=?2")
          .run(lease.unit.text, lease.attempt, now_ms_, reason, message, log_tail));
}

// Back to the queue, or cancelled where a revision or a cancel left nobody who wants it.
void Mirror::requeue_stage(const UnitId& unit) {
  if (!is_stage(unit)) return;
  claim_one(sql("UPDATE stage SET state=CASE WHEN number IN (SELECT stage FROM wanted) THEN 'ready' ELSE "
                "'cancelled' END"
                " WHERE id=?1 AND state='running'")
                .run(unit.text));
}

// Evals of a stage that ended can still run where its last weights were kept; the others never will. LoRA's
// weights are its adapters.
void Mirror::lose_evals(const UnitId& ended) {
  sql("UPDATE eval SET state='lost' WHERE subject=?1 AND state='wanted' AND NOT EXISTS"
      " (SELECT 1 FROM stage g JOIN trial t ON t.stage=g.number JOIN attempt a ON a.unit=g.id"
      "  WHERE g.id=?1 AND g.state='completed' AND g.to_step=eval.step"
      "  AND a.attempt=(SELECT max(attempt) FROM attempt WHERE unit=?1)"
      "  AND (a.keep IN ('weights', 'delta', 'checkpoints') OR (a.keep='adapters' AND t.method='lora')))")
      .run(ended.text);
}

void Mirror::event(std::string_view kind, std::string_view subject, std::string_view message, int64_t wall_ms) {
  claim_one(sql("INSERT INTO event(at, kind, subject, message) VALUES(?1, ?2, ?3, ?4)")
                .run(wall_ms, kind, subject, message));
}

void Mirror::note(std::string_view kind, std::string_view subject, std::string_view message) {
  event(kind, subject, message, now_ms_);
}

void Mirror::add(const PointBatch& batch, int64_t wall_ms) {
  const int64_t stage = stage_number(batch.stage.text);
  int64_t divergent = 0;
  int64_t left_out = 0;
  for (const auto& p : batch.points) {
    const int64_t name = metric_name(p.name);
    if (name == 0) {
      ++left_out;
      continue;
    }
    const Value value = finite_or_null(p.value);
    const Value flag = flag_of(p.value);
    const int64_t added = sql("INSERT INTO point VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING")
                              .run(stage, p.step, name, value, flag, batch.attempt, wall_ms);
    if (added == 1 || !must_repeat(p.name)) continue;
    const auto is_same =
        sql("SELECT value IS ?4 AND flag IS ?5 FROM point WHERE stage=?1 AND step=?2 AND name=?3")
            .bind(stage, p.step, name, value, flag)
            .first();
    divergent += is_same == Value(int64_t{0});
  }
  if (divergent > 0)
    event("DivergentDuplicate", batch.stage.text,
          std::to_string(divergent) + " points of attempt " + std::to_string(batch.attempt) +
              " differ from what is kept: training was not deterministic",
          wall_ms);
  if (left_out > 0)
    event("MetricNamesFull", batch.stage.text,
          std::to_string(left_out) + " points left out: more than " + std::to_string(kMetricNamesMax) +
              " metric names",
          wall_ms);
}

bool Mirror::is_stage(const UnitId& unit) {
  return sql("SELECT 1 FROM stage WHERE id=?1").bind(unit.text).first().has_value();
}

bool Mirror::has_result(const StageId& stage) {
  return sql("SELECT 1 FROM stage WHERE id=?1 AND state IN ('completed', 'diverged')")
      .bind(stage.text)
      .first()
      .has_value();
}

bool Mirror::is_trunk(const UnitId& unit) {
  return sql("SELECT 1 FROM branch WHERE trunk=?1").bind(unit.text).first().has_value();
}

void Mirror::on(const BranchesOpened& r) {
  for (const BranchOrder& branch : r.branches)
    claim_one(sql("UPDATE stage SET checkpoint_step=?2 WHERE id=?1").run(branch.stage.text, branch.at));
}

void Mirror::on(const TrunkDropped& r) {
  if (r.ended) end_attempt(*r.ended, "cancelled", "nothing that begins with it is wanted any more", "");
  // One that never began is none. What comes again of a dropped one's trials begins at its base.
  sql("DELETE FROM branch WHERE trunk=?1 AND NOT EXISTS(SELECT 1 FROM attempt WHERE unit=?1) AND NOT EXISTS("
      "SELECT 1 FROM branch b JOIN may_run m ON m.stage=b.stage WHERE b.trunk=?1 AND m.sweep<>?2)")
      .run(r.unit.text, r.sweep);
}

// What it had left for them is out of reach, and what does not wait has nothing to do with it any more.
void Mirror::on(const TrunkReopened& r) {
  sql("DELETE FROM branch WHERE trunk=?1").run(r.lease.unit.text);
  for (const BranchOrder& branch : r.branches) {
    claim_one(sql("UPDATE stage SET checkpoint_step=NULL WHERE id=?1").run(branch.stage.text));
    claim_one(sql("INSERT INTO branch VALUES(?1, ?2, ?3)")
                  .run(r.lease.unit.text, stage_number(branch.stage.text), branch.at));
  }
  note("TrunkReopened", r.lease.unit.text,
       std::to_string(r.branches.size()) + " trials wait for checkpoints that went with its worker");
}

void Mirror::on(const BranchesClosed& r) {
  RT_CHECK(r.left.size() == r.branches.size());
  for (size_t i = 0; i < r.branches.size(); ++i)
    claim_one(sql("UPDATE stage SET checkpoint_step=nullif(?2, 0) WHERE id=?1")
                  .run(r.branches[i].unit.text, r.left[i]));
}

int64_t Mirror::stage_number(std::string_view id) {
  const auto found = sql("SELECT number FROM stage WHERE id=?1").bind(id).first();
  RT_CHECK(found.has_value());
  return std::get<int64_t>(*found);
}

// Returns: the name's number; 0 when there is no room for another name.
int64_t Mirror::metric_name(const std::string& name) {
  if (const auto it = metric_names_.find(name); it != metric_names_.end()) return it->second;
  sql("INSERT INTO metric_name(name) SELECT ?1 WHERE (SELECT count(*) FROM metric_name) < ?2 ON CONFLICT DO "
      "NOTHING")
      .run(name, kMetricNamesMax);
  const auto found = sql("SELECT id FROM metric_name WHERE name=?1").bind(name).first();
  if (!found) return 0;
  return metric_names_[name] = std::get<int64_t>(*found);
}

Statement& Mirror::sql(const char* text) {
  if (const auto it = statements_.find(text); it != statements_.end()) return it->second;
  return statements_.emplace(text, connection_.prepare(text)).first->second;
}

}  // namespace ranktide
