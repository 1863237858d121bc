// How a state prints itself: one line per thing, everything that apply() can change, in key order.

#include <sstream>

#include "common/vocabulary/sha256.h"
#include "coordinator/core/state.h"

namespace ranktide {
namespace {

void print(std::ostream& out, const LifeCounts& counts) {
  for (size_t i = 0; i < counts.size(); ++i)
    if (counts[i] != 0) out << " " << EnumTexts<UnitLife>::texts[i] << "=" << counts[i];
}

void print(std::ostream& out, const Races& races) {
  for (const auto& [eval, rung] : races.rung_evals)
    out << "  rung " << rung.k << " at " << rung.at << " of " << rung.stage.text << " eval " << eval.text
        << "\n";
  for (const auto& [where, scores] : races.scores)
    for (const auto& [stage, score] : scores)
      out << "  contest " << where.first << " rung " << where.second << " stage " << stage.text << " score "
          << to_json(score).dump() << "\n";
  for (const auto& [stage, scout] : races.scouts) {
    out << "  scout " << stage.text << " of " << scout.cell.text << " by " << scout.spec_id << " in";
    for (const std::string& contest : scout.contests) out << " " << contest;
    out << " rungs";
    for (const auto& [k, at] : scout.rungs) out << " " << k << "@" << at;
    out << "\n";
  }
  for (const auto& [contest, scouts] : races.fields)
    for (const StageId& stage : scouts) out << "  field " << contest << " scout " << stage.text << "\n";
  for (const auto& [cell, trials] : races.trials)
    for (const int64_t raw : trials) out << "  cell " << cell.text << " trial " << raw << "\n";
  for (const auto& [stage, cell] : races.cells)
    out << "  stage " << stage.text << " of cell " << cell.text << "\n";
  for (const auto& [cell, verdict] : races.verdicts)
    out << "  out " << cell.text << " " << to_json(verdict).dump() << "\n";
  for (const auto& [stage, is_completed] : races.stopped)
    out << "  stopped " << stage.text << (is_completed ? " completed" : "") << "\n";
  if (races.stopped_completed != 0) out << "  stopped completed: " << races.stopped_completed << "\n";
  for (const CellId& cell : races.spared) out << "  spared " << cell.text << "\n";
  if (races.has_kept) out << "  kept of a revision before\n";
}

void print(std::ostream& out, const Sweep& s) {
  out << "sweep " << s.number << "." << s.revision << " " << s.name() << " owner=" << s.owner
      << " spec=" << s.spec_sha256.substr(0, 12) << " run=" << to_json(s.run).dump()
      << " trials=" << (s.trial_count ? std::to_string(*s.trial_count) : "?") << " cursor=" << s.cursor
      << (s.is_listed ? " listed" : "") << (s.is_cancelled ? " cancelled" : "")
      << (s.is_paused ? " paused" : "") << (s.is_stopped ? " stopped" : "");
  out << " stages:";
  print(out, s.stages);
  out << " eval units:";
  print(out, s.eval_units);
  if (s.trunks != LifeCounts{}) out << " trunks:";
  print(out, s.trunks);
  out << " evals " << s.evals_finished << "/" << s.evals.size() << "\n";
  for (const auto& [index, stage] : s.trials) out << "  trial " << index << " stage " << stage.text << "\n";
  for (const auto& [place, unit] : s.ready) out << "  queued " << place << " " << unit.text << "\n";
  for (const UnitId& unit : s.units) out << "  unit " << unit.text << "\n";
  for (const UnitId& unit : s.dropped) out << "  dropped " << unit.text << "\n";
  for (const UnitId& unit : s.left_running) out << "  left running " << unit.text << "\n";
  for (const UnitId& unit : s.failed) out << "  failed " << unit.text << "\n";
  for (const EvalId& eval : s.evals) out << "  eval " << eval.text << "\n";
  for (const UnitId& trunk : s.trunks_before) out << "  began with " << trunk.text << "\n";
  for (const AddedCell& cell : s.added) out << "  added " << to_json(cell).dump() << "\n";
  print(out, s.races);
  for (const auto& [group, trials] : s.tuned)
    for (const TunedTrial& trial : trials) out << "  tuned " << group << " trial " << trial.index << "\n";
}

void print(std::ostream& out, const AttemptState& a) {
  out << "  attempt " << a.number << " " << text_of(a.end) << " worker=" << a.worker.text << " boot=" << a.boot
      << " microbatch=" << a.microbatch << " keep=" << text_of(a.keep) << " began_at=" << a.began_at << "/"
      << a.at_hand << " slots";
  for (const int slot : a.slots) out << " " << slot;
  for (const EvalId& eval : a.evals) out << " " << eval.text;
  for (const BranchOrder& branch : a.branches) out << " " << branch.stage.text << "@" << branch.at;
  out << "\n";
}

void print(std::ostream& out, const Unit& u) {
  out << "unit " << u.id.text << " " << text_of(u.kind) << " " << text_of(u.life) << " base=" << u.base.text
      << " model=" << to_json(u.model).dump() << " memory=" << u.memory.train_bytes << "/"
      << u.memory.as_it_is_bytes.value_or(0) << "/" << u.memory.forward_bytes << "/" << u.memory.microbatch
      << " home=" << u.home.text << " checkpoint=" << u.checkpoint << " microbatch=" << u.microbatch
      << " own=" << u.own_failures << " infra=" << u.infra_losses << " kept=" << text_of(u.kept)
      << " outcome=" << (u.outcome ? text_of(*u.outcome) : "none") << "\n";
  print(out, u.attempt);
  if (u.stage) out << "  stage " << to_json(*u.stage).dump() << "\n";
  for (const auto& [id, order] : u.evals) out << "  wants " << to_json(order).dump() << "\n";
  for (const auto& [sweep, place] : u.wanted) out << "  wanted by " << sweep << " at " << place << "\n";
  for (const auto& [sweep, memory] : u.memory_by_hand)
    out << "  memory by hand of " << sweep << " " << to_json(memory).dump() << "\n";
  for (const auto& [branch, at] : u.branches) out << "  branch " << branch.text << " at " << at << "\n";
  for (const auto& [worker, step] : u.saved) out << "  saved by " << worker.text << " at " << step << "\n";
  if (!u.trunk.empty()) out << "  begins with " << u.trunk.text << " up to " << u.leaves_trunk_at << "\n";
}

void print(std::ostream& out, const Worker& w) {
  out << "worker " << w.name.text << " boot=" << w.boot << " version=" << w.version
      << " slots=" << to_json(w.slots).dump() << (w.is_joined ? " joined" : " away")
      << (w.is_drain_asked ? " draining" : "") << "\n";
  for (const UnitId& unit : w.running) out << "  runs " << unit.text << "\n";
  for (const Lease& lease : w.left_behind)
    out << "  left behind " << lease.unit.text << "/" << lease.attempt << "\n";
  for (const std::string& boot : w.past_boots) out << "  was " << boot << "\n";
}

}  // namespace

std::string State::text() const {
  std::ostringstream out;
  out << "epoch " << epoch_ << "\n";
  for (const auto& [number, sweep] : sweeps_) print(out, sweep);
  for (const auto& [id, unit] : units_) print(out, unit);
  for (const auto& [id, eval] : evals_) {
    out << "eval " << id.text
        << (eval.is_finished ? " finished " + to_json(eval.value * eval.sign).dump() : " open") << " wanted by";
    for (const SweepNumber sweep : eval.wanted) out << " " << sweep;
    out << "\n";
  }
  for (const auto& [name, worker] : workers_) print(out, worker);
  for (const auto& [unit, workers] : refusals_)
    for (const WorkerName& worker : workers) out << "refused " << unit.text << " by " << worker.text << "\n";
  for (const auto& [kind, rows_left] : rows_left_)
    for (const auto& [where, rows] : rows_left)
      out << "out of memory " << kind.substr(0, 12) << " on " << where.worker.text
          << (where.is_gpu ? " gpu " : " cpu ") << where.memory_bytes << " leaves " << rows << "\n";
  for (const auto& [id, request] : submissions_)
    out << "request " << id << " sweep " << request.sweep << "." << request.revision << " "
        << request.spec_sha256 << (request.cancels_removed ? " cancels what it removed" : "") << "\n";
  for (const auto& [owner, slots] : quotas_) out << "quota " << owner << " " << slots << "\n";
  for (const auto& [priority, number] : queue_) out << "queue " << priority << " sweep " << number << "\n";
  return out.str();
}

std::string State::digest() const {
  return sha256_hex(text());
}

}  // namespace ranktide
