#include "tests/sim/truth.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "common/sweep/identity.h"
#include "common/vocabulary/random.h"
#include "worker/agent/agent.h"

namespace ranktide::sim {
namespace {

void require(bool holds, const std::string& otherwise) {
  if (!holds) throw Violation(otherwise);
}

std::string brief(const Lease& lease) {
  return lease.unit.brief() + "/" + std::to_string(lease.attempt);
}

std::string line_of(const Record& record) {
  return std::string(kind_of(record)) + " " + to_journal(record);
}

uint64_t number_of(const std::string& hex) {
  return std::stoull(hex.substr(0, 12), nullptr, 16);
}

struct RateTried {
  double sum = 0;
  int n = 0;
  bool is_out = false;  // a trial of it diverged
  std::optional<double> mean() const { return is_out || n == 0 ? std::nullopt : std::optional(sum / n); }
};
using RatesTried = std::map<double, RateTried>;

bool has_all_evals(const State& state, const SweepTrial& trial) {
  return std::all_of(trial.evals.begin(), trial.evals.end(), [&](const EvalTask& task) {
    return state.evals().at(eval_id(trial.stage, trial.steps, task.spec_id)).is_finished &&
           state.evals().at(eval_id(base_subject(trial), task.spec_id)).is_finished;
  });
}

std::map<int, RatesTried> rates_by_rank(const State& state, const Sweep& sweep) {
  std::map<int, RatesTried> out;
  for (const auto& [raw, stage] : sweep.trials) {
    const SweepTrial trial = sweep.trial_at(raw).value();
    RateTried& rate = out[trial.settings.lora->rank][trial.settings.train.lr];
    const UnitLife life = state.units().at(unit_of(stage)).life;
    rate.is_out = rate.is_out || life == UnitLife::diverged;
    if (life != UnitLife::completed || !has_all_evals(state, trial)) continue;
    for (const EvalTask& task : trial.evals)
      if (task.role == EvalRole::learn) rate.sum += score_of(eval_id(stage, trial.steps, task.spec_id));
    ++rate.n;
  }
  return out;
}

// Returns: whether the best of them is the first or the last.
bool is_best_at_end(const RatesTried& rates) {
  const auto best = std::max_element(rates.begin(), rates.end(), [](const auto& a, const auto& b) {
    return a.second.mean().value_or(-1) < b.second.mean().value_or(-1);
  });
  return best->second.mean() && (best == rates.begin() || best == std::prev(rates.end()));
}

}  // namespace

double score_of(const EvalId& eval) {
  return static_cast<double>(number_of(eval.text) % 1000) / 10;
}

double Truth::loss_at(const StageId& stage, Step step) const {
  const auto beginning = beginnings_.find(stage);
  const bool is_shared = beginning != beginnings_.end() && step <= beginning->second.until;
  const uint64_t number = is_shared ? beginning->second.number : number_of(stage.text);
  return static_cast<double>(mix(number, static_cast<uint64_t>(step)) % 1000) / 100;
}
bool Truth::diverges(const StageId& stage) const {
  const auto beginning = beginnings_.find(stage);
  return (beginning == beginnings_.end() ? number_of(stage.text) : beginning->second.number) % 7 == 0;
}
bool Truth::is_too_big(const StageId& stage) const {
  const auto beginning = beginnings_.find(stage);
  return (beginning == beginnings_.end() ? number_of(stage.text) : beginning->second.number) % 5 == 0;
}

// Two sweeps may plan two trunks for one trial, so that what they have in common is named by what is trained.
void Truth::check(const TrialListed& r) {
  const TrialSettings& settings = r.trial.settings;
  listed_[r.sweep].insert(r.trial.stage);
  if (r.trial.race) {
    scouts_[r.trial.stage] = {r.trial.cell, settings.lora->rank};
    for (const Rung& rung : r.trial.race->rungs)
      races_[{r.sweep, settings.lora->rank, rung.k}][r.trial.stage] =
          eval_id(r.trial.stage, rung.at, r.trial.race->task.spec_id);
  }
  if (!r.trunk) return;
  const uint64_t number = mix(static_cast<uint64_t>(settings.lora->rank), settings.seed);
  beginnings_[r.trial.stage] = {number, r.trunk->at};
  beginnings_[r.trunk->trunk] = {number, r.trunk->to};
  trunks_[r.trial.stage].insert(r.trunk->trunk);
  branches_[r.trunk->trunk][r.trial.stage] = r.trunk->at;
}

void Truth::check(const SweepSubmitted& r) {
  requests_.insert(r.request_id);
  listed_[r.sweep].clear();
  if (r.removed.empty()) return;
  const Grid grid(r.spec);
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw)
    if (const auto trial = grid.at(raw))
      require(std::find(r.removed.begin(), r.removed.end(), unit_of(trial->stage)) == r.removed.end(),
              "trial " + trial->id.brief() + " is cancelled by the revision that lists it");
}

// What earlier revisions have shown counts until this one has listed all of its own.
void Truth::check(const SweepListed& r) {
  for (auto& [where, scouts] : races_)
    if (std::get<0>(where) == r.sweep)
      std::erase_if(scouts, [&](const auto& scout) { return !listed_[r.sweep].contains(scout.first); });
}

// What a scout has shown by now: less than anything where it diverged before, or where nobody knows yet.
double Truth::shown(const EvalId& eval, const StageId& stage) const {
  if (evals_.contains(eval)) return score_of(eval);
  return diverged_.contains(stage) ? -1 : -2;
}

// The racing sweeps here have eta 2 and one policy. A trial that is listed later is stopped by what was found
// before.
void Truth::check(const CellStoppedEarly& r) {
  const auto [known, is_new] = verdicts_.try_emplace({r.sweep, r.cell}, r.verdict);
  if (!is_new && to_json(known->second) == to_json(r.verdict)) return;
  known->second = r.verdict;
  bool was_scout_found = false;
  for (const auto& [stage, where] : scouts_) {
    const auto race = races_.find({r.sweep, where.second, r.verdict.rung});
    if (where.first != r.cell || race == races_.end() || !race->second.contains(stage)) continue;
    was_scout_found = true;
    const double own = shown(race->second.at(stage), stage);
    int n = 0;
    int better = 0;
    for (const auto& [other, eval] : race->second) {
      n += shown(eval, other) > -2 ? 1 : 0;
      better += shown(eval, other) > own ? 1 : 0;
    }
    require(own > -2 && r.verdict.of == n && r.verdict.place == better + 1 && n >= 2 && better + 1 > n / 2,
            "cell " + r.cell.brief() + " was stopped early and its scout was not behind");
  }
  require(was_scout_found, "cell " + r.cell.brief() + " was stopped early and has no scout");
}

// By an attempt of the stage, or of a trunk that it begins with.
bool Truth::has_said(const StageId& stage, Attempt attempt, Step step) const {
  if (said_points_.contains({{unit_of(stage), attempt}, step})) return true;
  const auto trunks = trunks_.find(stage);
  return trunks != trunks_.end() && std::any_of(trunks->second.begin(), trunks->second.end(), [&](auto& trunk) {
           return said_points_.contains({{unit_of(trunk), attempt}, step});
         });
}

// A trunk has no points of its own: a step of it is owed to those that leave it there or later, but for one
// that may have begun with another trunk, planned by another sweep.
bool Truth::is_known(const StageId& stage, Step step) const {
  if (points_.contains({stage, step})) return true;
  const auto branches = branches_.find(stage);
  if (branches == branches_.end()) return false;
  bool is_owed = false;
  for (const auto& [branch, leaves_at] : branches->second) {
    if (points_.contains({branch, step})) return true;
    is_owed = is_owed || (leaves_at >= step && trunks_.at(branch).size() == 1);
  }
  return !is_owed;
}

void Truth::started(const Lease& lease, const std::string& boot) {
  if (!is_believing_) return;
  require(started_.insert(lease).second, "I3: lease " + brief(lease) + " was started twice");
  const auto granted = boots_.find(lease);
  require(granted != boots_.end(), "I1: lease " + brief(lease) + " was started and its grant is lost");
  require(granted->second == boot, "I3: lease " + brief(lease) + " was started in another life");
}

void Truth::committed(const std::vector<Record>& records, const std::vector<PointBatch>& points) {
  for (const Record& record : records) journal_.push_back(line_of(record));
  if (!is_believing_) return;
  for (const PointBatch& batch : points) {
    const Lease lease{unit_of(batch.stage), batch.attempt};
    for (const Point& point : batch.points) {
      require(has_said(batch.stage, batch.attempt, point.step),
              "I4: a point that attempt " + brief(lease) + " never said");
      require(point.value == loss_at(batch.stage, point.step),
              "I5: a point of " + brief(lease) + " has another value");
      points_.emplace(batch.stage, point.step);
    }
  }
  for (const Record& record : records) {
    placing_.learn(record);
    std::visit([this](const auto& r) { check(r); }, record);
  }
}

void Truth::check(const LeaseGranted& r) {
  Attempt& newest = granted_[r.lease.unit];
  require(r.lease.attempt == newest + 1, "attempts of " + brief(r.lease) + " do not rise by one");
  newest = r.lease.attempt;
  boots_[r.lease] = r.boot;
  if (r.trunk_to)
    std::erase_if(branches_[StageId{r.lease.unit.text}], [&](const auto& b) { return b.second > *r.trunk_to; });
  const std::string fault = placing_.fault_of(r);
  require(fault.empty(), fault);
}

void Truth::check(const UnitFinished& r) {
  require(results_.insert(r.lease.unit).second, "I2: a second terminal result of " + brief(r.lease));
  require(granted_.at(r.lease.unit) == r.lease.attempt, "I4: a result of the stale attempt " + brief(r.lease));
  closed_.insert(r.lease);
  if (r.outcome.kind == OutcomeKind::diverged) diverged_.insert(StageId{r.lease.unit.text});
  if (r.outcome.message == "its result had arrived") return;  // an eval's worker was lost after its result
  const auto ended = ended_.find(r.lease);
  require(ended != ended_.end(), "I4: " + brief(r.lease) + " has a result but was never run to its end");
  require(ended->second == r.outcome.kind, "I4: " + brief(r.lease) + " ended otherwise");
  require(was_synced(r.lease),
          "I1: " + brief(r.lease) + " was finished by a Done that its worker could have lost");
}

void Truth::check(const EvalFinished& r) {
  require(evals_.insert(r.result.id).second, "I2: a second result of eval " + r.result.id.brief());
  require(said_evals_.contains({r.lease, r.result.id}),
          "I4: an eval result that " + brief(r.lease) + " never said");
  require(r.result.value == score_of(r.result.id), "I5: eval " + r.result.id.brief() + " has another value");
}

void Truth::check(const AttemptFailed& r) {
  closed_.insert(r.lease);
  require(r.lease.attempt <= 60, "attempts of " + brief(r.lease) + " have no end");
}

bool Truth::was_synced(const Lease& lease) const {
  for (auto it = on_disk_.lower_bound({lease, 0}); it != on_disk_.end() && it->first.first == lease; ++it)
    if (std::holds_alternative<Done>(from_spool_bytes(it->second))) return true;
  return false;
}

void Truth::got_ack(const Lease& lease, int64_t seq) const {
  if (!is_believing_) return;
  for (auto it = on_disk_.lower_bound({lease, 0}); it != on_disk_.end() && it->first.first == lease; ++it) {
    if (it->first.second > seq) return;
    const WorkerMessage message = from_spool_bytes(it->second);
    const std::string entry = "entry " + std::to_string(it->first.second) + " of " + brief(lease);
    if (const auto* report = std::get_if<Report>(&message)) {
      for (const Point& point : report->findings.points)
        require(is_known(StageId{lease.unit.text}, point.step), "I1: a point was acked and lost: " + entry);
      for (const EvalResult& result : report->findings.evals)
        require(evals_.contains(result.id), "I1: an eval was acked and lost: " + entry);
    } else {
      require(closed_.contains(lease), "I1: a Done was acked and lost: " + entry);
    }
  }
}

void Truth::got_answer(const std::string& request_id) const {
  if (!is_believing_) return;
  require(requests_.contains(request_id), "I1: request " + request_id + " was answered and lost");
}

void Truth::check_kept(const std::vector<Record>& kept) const {
  require(kept.size() == journal_.size(), "I1: " + std::to_string(journal_.size()) +
                                              " records were committed, " + std::to_string(kept.size()) +
                                              " are there");
  for (size_t i = 0; i < kept.size(); ++i)
    require(line_of(kept[i]) == journal_[i],
            "I1: record " + std::to_string(i + 1) + " is not what was committed");
}

void Truth::check_replay(const State& live, const State& replayed) {
  require(replayed.text() == live.text(), "I6: live state is not the replay of its journal");
}

void Truth::check_tables(const Reader& reader, const State& state) const {
  const auto text = [](const Value& value) { return std::get<std::string>(value); };
  for (const auto& row : reader.select("SELECT id, state FROM stage").rows) {
    const Unit& unit = state.units().at(unit_of(StageId{text(row[0])}));
    require(text(row[1]) == text_of(unit.life), "I6: stage " + text(row[0]) + " is " + text(row[1]) +
                                                    " in the table and " + std::string(text_of(unit.life)) +
                                                    " live");
  }
  if (is_believing_) check_results(reader);
  check_fates(reader);
}

// In the racing sweeps here nobody cancels or retries single trials.
void Truth::check_fates(const Reader& reader) const {
  const auto mixed = reader.select(
      "SELECT sweep, cell FROM v_trial GROUP BY sweep, cell"
      " HAVING sum(state='stopped_early')>0 AND sum(state NOT IN ('stopped_early', 'diverged', 'failed'))>0");
  require(mixed.rows.empty(), "seeds of a value have two fates");
  // Where one of the stopped values could have won: none of its own trials diverged or failed.
  const auto lost = reader.select(
      "SELECT sweep, rank FROM (SELECT sweep, rank, cell, sum(state='stopped_early') AS out,"
      " sum(state IN ('diverged', 'failed', 'cancelled')) AS lost FROM v_trial GROUP BY sweep, rank, cell)"
      " GROUP BY sweep, rank HAVING sum(out>0 AND lost=0)>0 AND sum(out=0 AND lost=0)=0");
  require(lost.rows.empty(), "a rank has lost all its values");
}

void Truth::check_results(const Reader& reader) const {
  const auto number = [](const Value& value) { return std::get<double>(value); };
  const auto text = [](const Value& value) { return std::get<std::string>(value); };
  const auto points =
      reader.select("SELECT g.id, p.step, p.value FROM point p JOIN stage g ON g.number=p.stage").rows;
  require(points.size() == points_.size(), "I1: points were acked and are not in the table");
  for (const auto& row : points)
    require(number(row[2]) == loss_at(StageId{text(row[0])}, std::get<int64_t>(row[1])),
            "I5: the table has another point of " + text(row[0]));
  const auto torn = reader.select(
      "SELECT g.id FROM stage g WHERE g.state='completed'"
      " AND (SELECT count(DISTINCT p.step) FROM point p WHERE p.stage=g.number) < g.to_step");
  require(torn.rows.empty(), "I5: a completed stage lacks points of some steps");
  const auto evals = reader.select("SELECT id, value FROM eval WHERE state='finished'").rows;
  require(evals.size() == evals_.size(), "I1: eval results were acked and are not in the table");
  for (const auto& row : evals)
    require(number(row[1]) == score_of(EvalId{text(row[0])}),
            "I5: the table has another result of " + text(row[0]));
}

// Judged by what the evals give and by the spec's words, not by what the core keeps for it. The tuned sweeps
// here have ranks, and rates a decade apart; scores are better when higher, and nothing learns less than the
// base.
void Truth::check_tuning(const State& state) const {
  if (!is_believing_) return;
  for (const auto& [number, sweep] : state.sweeps()) {
    const auto& tune = sweep.grid.spec().tune;
    if (!tune || sweep.is_cancelled || sweep.is_stopped) continue;
    const auto axis = sweep.grid.spec().blocks.front().axes.back().points.size();
    for (const auto& [rank, rates] : rates_by_rank(state, sweep)) {
      const auto steps = static_cast<int>(rates.size() - axis);
      require(steps <= tune->extend, "an axis of sweep " + sweep.name() + " grew beyond its steps");
      require(steps == tune->extend || !is_best_at_end(rates), "the best rate of rank " + std::to_string(rank) +
                                                                   " in sweep " + sweep.name() +
                                                                   " stands at the end of its axis");
    }
  }
}

void Truth::check_counts(const State& state) {
  for (const auto& [number, sweep] : state.sweeps()) {
    LifeCounts stages{};
    LifeCounts trunks{};
    int64_t finished = 0;
    for (const UnitId& id : sweep.units) {
      const Unit& unit = state.units().at(id);
      if (unit.kind == WorkKind::train && unit.wanted.contains(number))
        ++(unit.is_trunk() ? trunks : stages)[static_cast<size_t>(unit.life)];
    }
    for (const EvalId& id : sweep.evals)
      if (state.evals().at(id).is_finished) ++finished;
    if (sweep.is_cancelled) continue;  // its counts are frozen at the cancel
    for (const UnitId& id : sweep.dropped)
      if (const Unit& unit = state.units().at(id); unit.kind == WorkKind::train)
        ++(unit.is_trunk() ? trunks : stages)[static_cast<size_t>(UnitLife::cancelled)];
    require(stages == sweep.stages, "I6: counts of stages differ in sweep " + sweep.name());
    require(trunks == sweep.trunks, "I6: counts of trunks differ in sweep " + sweep.name());
    require(finished == sweep.evals_finished, "I6: counts of evals differ in sweep " + sweep.name());
  }
}

}  // namespace ranktide::sim
