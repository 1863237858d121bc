// The part of Mirror that early stopping changes.

#include <cmath>
#include <string>

#include "coordinator/edge/store_mirror.h"

namespace ranktide {

// sweep_trial.cancelled = 2: also of one that had ended, for its value is out with all its seeds.
void Mirror::on(const CellStoppedEarly& r) {
  const EarlyVerdict& v = r.verdict;
  const Value score = std::isfinite(v.score) ? Value(v.score) : Value{};
  const int64_t added =
      sql("INSERT INTO stopped_cell VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING")
          .run(r.sweep, r.cell.text, v.policy, v.rung, v.at, score, v.place, v.of);
  for (const StageId& stage : r.stages) {
    sql("UPDATE sweep_trial SET cancelled=2 WHERE sweep=?1 AND cancelled=0"
        " AND trial IN (SELECT trial FROM listed WHERE sweep=?1 AND stage=?2)"
        " AND NOT EXISTS(SELECT 1 FROM stage WHERE number=?2 AND state IN ('diverged', 'failed'))")
        .run(r.sweep, stage_number(stage.text));
    end_unwanted(stage, "stopped_early");
  }
  if (added == 0) return;  // a trial of it that was listed later
  note("CellStoppedEarly", r.cell.text,
       "sweep " + std::to_string(r.sweep) + ": at step " + std::to_string(v.at) + " place " +
           std::to_string(v.place) + " of " + std::to_string(v.of));
}

void Mirror::on(const EarlyVerdictsLifted& r) {
  for (const CellId& cell : r.cells) spare(r.sweep, cell);
  note("EarlyVerdictsLifted", std::to_string(r.sweep),
       std::to_string(r.cells.size()) +
           " values go on: what was ahead of them is in the sweep no more, or has no result");
}

// The value is not out any more: those of its trials that had ended count.
void Mirror::spare(SweepNumber sweep, const CellId& cell) {
  if (sql("DELETE FROM stopped_cell WHERE sweep=?1 AND cell=?2").run(sweep, cell.text) == 0) return;
  sql("UPDATE sweep_trial SET cancelled=0 WHERE sweep=?1 AND cancelled=2 AND trial IN"
      " (SELECT t.id FROM trial t JOIN stage g ON g.number=t.stage WHERE t.cell=?2"
      "  AND g.state='completed')")
      .run(sweep, cell.text);
}

}  // namespace ranktide
