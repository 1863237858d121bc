// The part of Mirror that sweeps, their listings and their wishes change.

#include <set>

#include "common/sweep/early_stop.h"
#include "common/sweep/identity.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/edge/store_mirror.h"
#include "coordinator/edge/store_params.h"

namespace ranktide {

namespace {

std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& n : names) text += (text.empty() ? "" : ",") + n;
  return text;
}

// A front or a mean never mixes two evalsets: the hash says what is evaluated, how, and what it counts as.
std::string evalset_id(const std::vector<EvalTask>& tasks) {
  std::set<std::string> lines;
  for (const auto& t : tasks)
    lines.insert(t.spec_id + " " + std::string(text_of(t.role)) + " " + t.name + "\n");
  std::string text;
  for (const auto& l : lines) text += l;
  return sha256_hex(text);
}

int64_t count_role(const std::vector<EvalTask>& tasks, EvalRole role) {
  int64_t n = 0;
  for (const auto& t : tasks) n += t.role == role;
  return n;
}

}  // namespace

void Mirror::on(const SweepSubmitted& r) {
  const RunPolicy& run = r.spec.run;
  claim_one(
      sql("INSERT INTO sweep VALUES(?1, ?2, ?3, 'listing', ?4, ?5, 0, ?6, ?7, ?8, ?9) ON CONFLICT(id) DO "
          "UPDATE SET"
          " revision=excluded.revision, state='listing', submitted=excluded.submitted, owner=excluded.owner,"
          " paused=0, priority=excluded.priority, max_parallel=excluded.max_parallel, needs=excluded.needs,"
          " trials=excluded.trials")
          .run(r.sweep, r.spec.name, r.revision, now_ms_, r.owner, run.priority,
               optional_value(run.max_parallel), to_json(run.needs).dump(),
               r.trial_count ? Value(*r.trial_count) : Value{}));
  claim_one(sql("INSERT INTO revision VALUES(?1, ?2, ?3, ?4, ?5)")
                .run(r.sweep, r.revision, r.request_id, r.spec_sha256, now_ms_));
  note("SweepSubmitted", std::to_string(r.sweep),
       r.spec.name + ", revision " + std::to_string(r.revision) + ", " + by(r.actor, r.request_id));
  // What only the revision before wanted leaves the queue; what runs goes on to its end, unless it was removed.
  sql("UPDATE stage SET state='cancelled' WHERE state='ready' AND number NOT IN (SELECT stage FROM wanted)")
      .run();
  for (const UnitId& unit : r.removed) cancel_removed(r, unit);
  sql("DELETE FROM stopped_cell WHERE sweep=?1 AND policy<>?2").run(r.sweep, early_stop_policy(r.spec));
}

// A stage, or a trunk or an eval leased by itself, which are no stages here.
void Mirror::cancel_removed(const SweepSubmitted& by, const UnitId& unit) {
  claim_one(
      sql("UPDATE attempt SET ended=?2, end_reason='cancelled', message=?3 WHERE unit=?1 AND ended IS NULL")
          .run(unit.text, now_ms_,
               "revision " + std::to_string(by.revision) + " of " + by.spec.name + " lists it no more"));
  sql("UPDATE stage SET state='cancelled' WHERE id=?1 AND state='running'").run(unit.text);
}

void Mirror::on(const TrialListed& r) {
  want_trial(r.sweep, r.revision, r.trial, r.memory);
  if (r.trunk) want_trunk(r.trial, *r.trunk);
}

void Mirror::want_trunk(const SweepTrial& trial, const TrunkPlace& place) {
  sql("INSERT INTO branch VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING")
      .run(place.trunk.text, stage_number(trial.stage.text), place.at);
}

void Mirror::on(const TrialRetried& r) {
  want_trial(r.sweep, r.revision, r.trial, r.memory);
  spare(r.sweep, r.trial.cell);
  note("TrialRetried", r.trial.id.text,
       r.request_id.empty() ? "what its value was behind is in the sweep no more, or has no result"
                            : by(r.actor, r.request_id));
}

void Mirror::want_trial(SweepNumber sweep, int revision, const SweepTrial& trial,
                        const PredictedMemory& memory) {
  list_trial(trial, memory);
  take_memory(sweep, trial, memory);
  const std::string evalset = list_evals(trial);
  begin_anew_for_evals(trial.stage);
  if (has_result(trial.stage)) lose_evals(unit_of(trial.stage));
  const auto regime = trial.labels.find("regime");
  claim_one(
      sql("INSERT INTO sweep_trial VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0)"
          " ON CONFLICT(sweep, trial) DO UPDATE SET revision=excluded.revision, position=excluded.position,"
          " block=excluded.block, regime=excluded.regime, labels=excluded.labels, evalset=excluded.evalset,"
          " n_learn=excluded.n_learn, n_retain=excluded.n_retain, cancelled=0")
          .run(sweep, trial.id.text, revision, trial.index, names_text(trial.blocks),
               regime == trial.labels.end() ? "" : regime->second, to_json(trial.labels).dump(), evalset,
               count_role(trial.evals, EvalRole::learn), count_role(trial.evals, EvalRole::retain)));
}

void Mirror::list_trial(const SweepTrial& trial, const PredictedMemory& memory) {
  sql("INSERT INTO stage(id, base, from_step, to_step, state, train_bytes, forward_bytes)"
      " VALUES(?1, ?2, 0, ?3, 'ready', ?4, ?5) ON CONFLICT(id) DO UPDATE SET"
      " forward_bytes=max(forward_bytes, excluded.forward_bytes)")
      .run(trial.stage.text, trial.base.text, trial.steps, memory.train_bytes, memory.forward_bytes);
  sql("UPDATE stage SET state='ready', step=NULL, message=NULL WHERE id=?1 AND state IN ('cancelled', "
      "'failed')")
      .run(trial.stage.text);
  sql("UPDATE eval SET state='wanted' WHERE state='lost' AND subject=?1"
      " AND EXISTS(SELECT 1 FROM stage WHERE id=?1 AND state='ready')")
      .run(trial.stage.text);
  const auto& s = trial.settings;
  // The last record is the one being applied.
  sql("INSERT INTO trial VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
      " (SELECT max(seq) FROM record)) ON CONFLICT DO NOTHING")
      .run(trial.id.text, base_subject(trial).text, trial.cell.text, stage_number(trial.stage.text),
           std::string(text_of(s.method)), s.lora ? Value(int64_t{s.lora->rank}) : Value{},
           s.lora ? Value(s.lora->alpha) : Value{}, s.lora ? Value(target_text(s.lora->target)) : Value{},
           s.train.lr, s.seed, trial.steps, flat_settings(s).dump(), to_json(s).dump(),
           s.model.from.empty() ? Value{} : Value(s.model.from));
  for (const auto& subject : {base_subject(trial).text, trial.stage.text})
    sql("INSERT INTO trial_subject VALUES(?1, ?2) ON CONFLICT DO NOTHING").run(trial.id.text, subject);
}

// A stage has one figure here, and memory_in_force() goes by who wants it and with which rows by hand: the
// newest listing's where nobody else wants it, else the most. What it takes on other slots stands in the same
// record.
void Mirror::take_memory(SweepNumber sweep, const SweepTrial& trial, const PredictedMemory& memory) {
  const int64_t changed =
      sql("UPDATE stage SET train_bytes=?2 WHERE id=?1 AND train_bytes<>?2 AND ?2>0 AND (train_bytes<?2 OR"
          " NOT EXISTS(SELECT 1 FROM wanted w WHERE w.stage=stage.number AND w.sweep<>?3))")
          .run(trial.stage.text, memory.train_bytes, sweep);
  if (changed == 0) return;
  sql("UPDATE trial SET listed_in=(SELECT max(seq) FROM record) WHERE id=?1"
      " AND (SELECT kind FROM record ORDER BY seq DESC LIMIT 1)='TrialListed'")
      .run(trial.id.text);
}

// What a trunk has left for it is of no use where an eval of weights before that is wanted.
void Mirror::begin_anew_for_evals(const StageId& stage) {
  sql("UPDATE stage SET checkpoint_step=NULL WHERE id=?1 AND attempt=0 AND EXISTS(SELECT 1 FROM eval e"
      " WHERE e.subject=?1 AND e.state='wanted' AND e.step>0 AND e.step<=checkpoint_step AND e.step<to_step)")
      .run(stage.text);
}

std::string Mirror::list_evals(const SweepTrial& trial) {
  const std::string evalset = evalset_id(trial.evals);
  sql("INSERT INTO evalset VALUES(?1) ON CONFLICT DO NOTHING").run(evalset);
  for (const auto& task : trial.evals) {
    sql("INSERT INTO evalset_task VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")
        .run(evalset, task.spec_id, task.name, text_of(task.role));
    for (const Step at : trial.eval_at) {
      if (at == 0)
        want_eval(eval_id(base_subject(trial), task.spec_id), base_subject(trial).text, task, at);
      else
        want_eval(eval_id(trial.stage, at, task.spec_id), trial.stage.text, task, at);
    }
  }
  if (!trial.race) return evalset;
  const EvalTask& raced = trial.race->task;
  for (const Rung& rung : trial.race->rungs)
    want_eval(eval_id(trial.stage, rung.at, raced.spec_id), trial.stage.text, raced, rung.at);
  return evalset;
}

void Mirror::want_eval(const EvalId& id, const std::string& subject, const EvalTask& task, Step at) {
  sql("INSERT INTO eval(id, subject, spec, step, state) VALUES(?1, ?2, ?3, ?4, 'wanted')"
      " ON CONFLICT DO UPDATE SET state='wanted' WHERE state='failed'")
      .run(id.text, subject, task.spec_id, at);
}

// It lists again, until the added cells are touched.
void Mirror::on(const SweepExtended& r) {
  claim_one(sql("UPDATE sweep SET state='listing', trials=trials+?3 WHERE id=?1 AND revision=?2")
                .run(r.sweep, r.revision, r.trials));
  for (const AddedCell& cell : r.cells) {
    std::string text = cell.block + ":";
    for (const AxisPoint& point : cell.points)
      if (!point.label.empty()) text += " " + point.label;
    note("SweepExtended", std::to_string(r.sweep), text + ", a step further on " + cell.axis);
  }
}

void Mirror::on(const SweepListed& r) {
  claim_one(sql("UPDATE sweep SET state='listed' WHERE id=?1 AND revision=?2").run(r.sweep, r.revision));
}

}  // namespace ranktide
