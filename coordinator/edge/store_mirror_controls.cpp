// The part of Mirror that users' hands on running sweeps and workers change. Each leaves an event with its
// actor.

#include "coordinator/edge/store_mirror.h"

namespace ranktide {
std::string by(const std::string& actor, const std::string& request_id) {
  return "by " + (actor.empty() ? std::string(kLocalActor) : actor) + ", request " + request_id;
}

Value optional_value(const std::optional<int>& number) {
  return number ? Value(int64_t{*number}) : Value{};
}

void Mirror::on(const SweepCancelled& r) {
  claim_one(sql("UPDATE sweep SET state='cancelled' WHERE id=?1").run(r.sweep));
  sql("UPDATE stage SET state='cancelled' WHERE number IN (SELECT stage FROM listed WHERE sweep=?1)"
      " AND (state='ready' AND number NOT IN (SELECT stage FROM wanted)"
      "  OR state='running' AND number NOT IN (SELECT stage FROM may_run))")
      .run(r.sweep);
  sql("UPDATE attempt SET ended=?2, end_reason='cancelled' WHERE ended IS NULL AND"
      " (unit IN (SELECT g.id FROM stage g JOIN listed l ON l.stage=g.number WHERE l.sweep=?1 AND "
      "g.state='cancelled')"
      "  OR (unit IN (SELECT eval FROM listed_eval WHERE sweep=?1)"
      "      AND unit NOT IN (SELECT e.eval FROM listed_eval e JOIN sweep w ON w.id=e.sweep AND "
      "w.state<>'cancelled' WHERE NOT e.cancelled)))")
      .run(r.sweep, now_ms_);
  note("SweepCancelled", std::to_string(r.sweep), by(r.actor, r.request_id));
}

void Mirror::on(const TrialsCancelled& r) {
  for (const StageId& stage : r.stages) cancel_trial(r.sweep, stage);
  note("TrialsCancelled", std::to_string(r.sweep),
       std::to_string(r.stages.size()) + " trials, " + by(r.actor, r.request_id));
}

void Mirror::cancel_trial(SweepNumber sweep, const StageId& stage) {
  claim_one(sql("UPDATE sweep_trial SET cancelled=1 WHERE sweep=?1 AND cancelled=0"
                " AND trial IN (SELECT trial FROM listed WHERE sweep=?1 AND stage=?2)")
                .run(sweep, stage_number(stage.text)));
  end_unwanted(stage, "cancelled");
}

// What of the trial nobody wants any more: its stage, and evals of its kept weights.
void Mirror::end_unwanted(const StageId& stage, std::string_view end_reason) {
  const int64_t number = stage_number(stage.text);
  sql("UPDATE stage SET state='cancelled' WHERE number=?1"
      " AND (state='ready' AND NOT EXISTS(SELECT 1 FROM wanted WHERE stage=?1)"
      "  OR state='running' AND NOT EXISTS(SELECT 1 FROM may_run WHERE stage=?1))")
      .run(number);
  sql("UPDATE attempt SET ended=?2, end_reason=?3 WHERE ended IS NULL AND"
      " (unit IN (SELECT id FROM stage WHERE id=?1 AND state='cancelled')"
      "  OR (unit IN (SELECT id FROM eval WHERE subject=?1)"
      "      AND unit NOT IN (SELECT e.eval FROM listed_eval e JOIN sweep w ON w.id=e.sweep AND "
      "w.state<>'cancelled' WHERE NOT e.cancelled)))")
      .run(stage.text, now_ms_, end_reason);
}

void Mirror::on(const WorkerRevoked& r) {
  note("WorkerRevoked", r.worker.text, by(r.actor, r.request_id));
}

// What it ran stays under its name, and what it had is needed to read that; only the lists leave it out.
void Mirror::on(const WorkerForgotten& r) {
  sql("UPDATE worker SET state='forgotten' WHERE name=?1").run(r.worker.text);
  note("WorkerForgotten", r.worker.text, by(r.actor, r.request_id));
}

void Mirror::on(const SweepPaused& r) {
  claim_one(sql("UPDATE sweep SET paused=1 WHERE id=?1 AND paused=0").run(r.sweep));
  note("SweepPaused", std::to_string(r.sweep), by(r.actor, r.request_id));
}

void Mirror::on(const SweepResumed& r) {
  claim_one(sql("UPDATE sweep SET paused=0 WHERE id=?1 AND paused=1").run(r.sweep));
  note("SweepResumed", std::to_string(r.sweep), by(r.actor, r.request_id));
}

void Mirror::on(const SweepStopped& r) {
  claim_one(sql("UPDATE sweep SET state='stopped' WHERE id=?1").run(r.sweep));
  // What it drops now is not its own any more, even where another sweep runs it later.
  sql("UPDATE sweep_trial SET cancelled=1 WHERE sweep=?1 AND cancelled=0 AND trial IN (SELECT l.trial FROM "
      "listed l"
      " JOIN stage g ON g.number=l.stage WHERE l.sweep=?1 AND g.state='ready')")
      .run(r.sweep);
  sql("UPDATE stage SET state='cancelled' WHERE state='ready' AND number NOT IN (SELECT stage FROM wanted)"
      " AND number IN (SELECT stage FROM listed WHERE sweep=?1)")
      .run(r.sweep);
  note("SweepStopped", std::to_string(r.sweep), by(r.actor, r.request_id));
}

void Mirror::on(const PolicyChanged& r) {
  claim_one(sql("UPDATE sweep SET priority=?2, max_parallel=?3 WHERE id=?1")
                .run(r.sweep, r.priority, optional_value(r.max_parallel)));
  const std::string slots =
      r.max_parallel ? std::to_string(*r.max_parallel) + " slots at a time" : "no limit of slots";
  note("PolicyChanged", std::to_string(r.sweep),
       "priority " + std::to_string(r.priority) + ", " + slots + ", " + by(r.actor, r.request_id));
}

void Mirror::on(const QuotaSet& r) {
  note("QuotaSet", r.owner, r.max_slots ? std::to_string(*r.max_slots) + " slots" : "no limit");
}

void Mirror::on(const WorkerDrainAsked& r) {
  claim_one(sql("UPDATE worker SET state='draining' WHERE name=?1 AND boot=?2").run(r.worker.text, r.boot));
  note("WorkerDrainAsked", r.worker.text, by(r.actor, r.request_id));
}

}  // namespace ranktide
