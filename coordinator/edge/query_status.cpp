#include "coordinator/edge/query_status.h"

#include <algorithm>
#include <cmath>

namespace ranktide {

namespace {

int64_t integer(const Value& value) {
  const auto* i = std::get_if<int64_t>(&value);
  return i ? *i : 0;
}
std::string text(const Value& value) {
  const auto* s = std::get_if<std::string>(&value);
  return s ? *s : "";
}

double real(const Value& value) {
  const auto* r = std::get_if<double>(&value);
  return r ? *r : 0;
}

// The step: what a trunk told before it was finished is no progress of the attempt that trains it again, and
// those points stay; how far they go is told beside it. The pace: a branch's curve begins with its trunk's
// points, of attempts with the same numbers, some of the very turn that leased it. Bounded by rows, since this
// is asked every second.
constexpr const char* kRunningColumns =
    "SELECT t.trial, a.attempt, a.worker, a.slots, a.started,"
    " coalesce((SELECT CASE WHEN NOT EXISTS(SELECT 1 FROM attempt f WHERE f.unit=a.unit AND "
    "f.attempt>=p.attempt"
    " AND f.end_reason='completed') THEN p.step END FROM stage g JOIN point p ON p.stage=g.number"
    " WHERE g.id=t.stage ORDER BY p.step DESC LIMIT 1), 0),"
    " t.regime || ' ' || t.method || coalesce(' r' || t.rank || ' ' || t.target, '') || ' lr ' || t.lr || ' "
    "seed ' || t.seed"
    ", (SELECT value FROM v_metric m WHERE m.trial=t.trial AND m.name='loss' ORDER BY m.step DESC LIMIT 1)"
    ", (SELECT value FROM v_metric m WHERE m.trial=t.trial AND m.name='tokens_per_second' ORDER BY m.step DESC "
    "LIMIT 1)"
    ", (SELECT (max(at)-min(at))/1000.0/(max(step)-min(step)) FROM (SELECT p.step, p.at, p.attempt FROM stage g"
    " JOIN point p ON p.stage=g.number WHERE g.id=t.stage ORDER BY p.step DESC LIMIT 200)"
    " WHERE attempt=a.attempt AND at>a.started)"
    ", coalesce((SELECT CASE WHEN EXISTS(SELECT 1 FROM attempt f WHERE f.unit=a.unit AND f.attempt>=p.attempt"
    " AND f.end_reason='completed') THEN p.step END FROM stage g JOIN point p ON p.stage=g.number"
    " WHERE g.id=t.stage ORDER BY p.step DESC LIMIT 1), 0), a.unit";
std::string for_trials(int64_t n, Step repeats_to) {
  if (n <= 1) return "";
  const std::string again = repeats_to > 0 ? ", again up to step " + std::to_string(repeats_to) : "";
  return ", the beginning of " + std::to_string(n) + " trials" + again;
}
constexpr const char* kRunningStages =
    ", t.steps, 1 FROM v_trial t JOIN attempt a ON a.unit=t.stage AND a.ended IS NULL WHERE t.sweep=?1"
    " AND t.state='running' ORDER BY t.position";
// A trunk stands under the trial that leaves it last. From what runs, for that is little, whatever there was.
constexpr const char* kRunningTrunks =
    ", max(b.at), count(*) FROM attempt a CROSS JOIN branch b ON b.trunk=a.unit CROSS JOIN trial u ON "
    "u.stage=b.stage"
    " CROSS JOIN v_trial t WHERE t.sweep=?1 AND t.trial=u.id AND a.ended IS NULL GROUP BY a.unit ORDER BY "
    "t.position";

void add_running(const Reader& reader, const char* which, SweepStatus& status) {
  for (const auto& v : reader.select(std::string(kRunningColumns) + which, {status.name}).rows) {
    const int64_t step = integer(v[5]);
    status.running.push_back({.trial = text(v[0]),
                              .unit = text(v[11]),
                              .attempt = integer(v[1]),
                              .worker = text(v[2]),
                              .slots = text(v[3]),
                              .started_ms = integer(v[4]),
                              .step = step,
                              .repeats_to = integer(v[10]),
                              .steps = integer(v[12]),
                              .loss = step > 0 ? real(v[7]) : 0,
                              .tokens_per_second = step > 0 ? real(v[8]) : 0,
                              .seconds_per_step = real(v[9]),
                              .settings = text(v[6]) + for_trials(integer(v[13]), integer(v[10]))});
  }
  status.slots_at_work = static_cast<int64_t>(status.running.size());
}

void add_counts(const Reader& reader, SweepStatus& status) {
  for (const auto& v :
       reader.select("SELECT state, count(*) FROM v_trial WHERE sweep=?1 GROUP BY state", {status.name}).rows) {
    status.trials[text(v[0])] = integer(v[1]);
    status.trials_total += integer(v[1]);
  }
  // Evals that will still come: of the base, and of trials whose training is over.
  const auto missing = reader.select(
      "SELECT count(*) FROM (SELECT DISTINCT l.eval FROM listed_eval l JOIN sweep w ON w.id=l.sweep JOIN eval "
      "e ON e.id=l.eval"
      " LEFT JOIN stage g ON g.id=e.subject WHERE w.name=?1 AND e.state='wanted' AND (g.id IS NULL OR "
      "g.state='completed') AND NOT l.cancelled)",
      {status.name});
  status.evals_missing = integer(missing.rows.at(0).at(0));
  const auto running = reader.select(
      "SELECT count(*) FROM attempt a WHERE a.ended IS NULL AND a.unit IN"
      " (SELECT l.eval FROM listed_eval l JOIN sweep w ON w.id=l.sweep WHERE w.name=?1)",
      {status.name});
  status.evals_running = integer(running.rows.at(0).at(0));
}

// The last attempt has the reason of its eval.
constexpr const char* kFailedEvals =
    "SELECT count(*) OVER (), a.message FROM eval e JOIN attempt a ON a.unit=e.id"
    " WHERE e.state='failed' AND a.attempt=(SELECT max(attempt) FROM attempt WHERE unit=e.id)"
    " AND e.id IN (SELECT l.eval FROM listed_eval l JOIN sweep w ON w.id=l.sweep WHERE w.name=?1 AND NOT "
    "l.cancelled)"
    " ORDER BY a.ended DESC, e.id LIMIT 1";

void add_failed_evals(const Reader& reader, SweepStatus& status) {
  for (const auto& v : reader.select(kFailedEvals, {status.name}).rows)
    status.failed_evals = {.evals = integer(v[0]), .message = text(v[1])};
}

// What trials wait for together counts once: their trunk's steps. Not of a trunk that has ended: what it left
// nothing for is trained from its base. One that failed, ran out of memory or was dropped comes again with a
// later revision, or, where it is tried again, counts as soon as it runs.
constexpr const char* kSharedSteps =
    "SELECT total(s) FROM (SELECT sum(b.at)-max(b.at) AS s FROM branch b CROSS JOIN trial u ON u.stage=b.stage"
    " CROSS JOIN sweep w ON w.name=?1 CROSS JOIN sweep_trial m ON m.sweep=w.id AND m.trial=u.id AND "
    "m.revision=w.revision AND NOT m.cancelled"
    " CROSS JOIN stage g ON g.number=b.stage WHERE g.state='ready' AND g.checkpoint_step IS NULL AND "
    "g.attempt=0"
    " AND NOT EXISTS(SELECT 1 FROM attempt a JOIN revision v ON v.sweep=w.id AND v.n=w.revision"
    " WHERE a.unit=b.trunk AND a.attempt=(SELECT max(attempt) FROM attempt WHERE unit=b.trunk)"
    " AND (a.end_reason IN ('completed', 'diverged')"
    " OR a.end_reason IN ('failed', 'out_of_memory', 'cancelled') AND a.ended>=v.at)) GROUP BY b.trunk)";

// Trials that nothing has touched yet count with the mean steps of those that were.
void add_pace(const Reader& reader, SweepStatus& status, int64_t not_started) {
  const auto left = reader.select(
      "SELECT total(steps - CASE state WHEN 'ready' THEN step ELSE 0 END) FILTER (WHERE state IN ('ready', "
      "'running')) + ?2 * coalesce(avg(steps), 0)"
      " FROM v_trial WHERE sweep=?1",
      {status.name, not_started});
  status.steps_left = std::llround(real(left.rows.at(0).at(0)));
  status.steps_left -= std::llround(real(reader.select(kSharedSteps, {status.name}).rows.at(0).at(0)));
  for (const auto& r : status.running) status.steps_left -= std::min(r.step, r.steps);
  const auto pace = reader.select(
      "SELECT sum(seconds)/sum(step) FROM v_trial WHERE sweep=?1 AND state IN ('completed', 'diverged') AND "
      "step>0"
      " AND seconds>0 AND attempts=1",
      {status.name});
  if (const auto* seconds = std::get_if<double>(&pace.rows.at(0).at(0))) status.seconds_per_step = *seconds;
}

std::string state_of(const SweepStatus& status, const std::string& recorded, bool is_paused) {
  if (recorded == "cancelled") return recorded;
  const bool runs = status.trials.contains("running") || status.evals_running > 0;
  if (recorded == "stopped") return runs ? "stopping" : recorded;
  const bool is_open = recorded == "listing" || status.trials.contains("ready") ||
                       status.trials.contains("running") || status.evals_missing > 0;
  if (is_open && is_paused) return "paused";
  if (recorded == "listing") return recorded;
  return is_open ? "running" : "finished";
}

constexpr const char* kSweeps =
    "SELECT name, revision, state, submitted, owner, paused, coalesce(trials, 0) FROM sweep";

SweepStatus status_of(const Reader& reader, const std::vector<Value>& sweep) {
  SweepStatus status;
  status.name = text(sweep[0]);
  status.revision = integer(sweep[1]);
  status.submitted_ms = integer(sweep[3]);
  status.owner = text(sweep[4]);
  add_counts(reader, status);
  add_failed_evals(reader, status);
  const int64_t listed = status.trials_total;
  status.trials_total = std::max(listed, integer(sweep[6]));
  add_running(reader, kRunningStages, status);
  add_running(reader, kRunningTrunks, status);
  add_pace(reader, status, text(sweep[2]) == "listing" ? status.trials_total - listed : 0);
  status.state = state_of(status, text(sweep[2]), integer(sweep[5]) != 0);
  const bool may_start = status.state == "listing" || status.state == "running";
  if (may_start) status.waiting = waiting_units(reader, status.name);
  return status;
}

}  // namespace

std::optional<SweepStatus> sweep_status(const Reader& reader, const std::string& sweep) {
  return reader.snapshot([&]() -> std::optional<SweepStatus> {
    const auto found = reader.select(std::string(kSweeps) + " WHERE name=?1", {sweep});
    if (found.rows.empty()) return std::nullopt;
    return status_of(reader, found.rows.front());
  });
}

std::vector<SweepStatus> all_sweep_status(const Reader& reader) {
  return reader.snapshot([&] {
    std::vector<SweepStatus> all;
    for (const auto& sweep : reader.select(std::string(kSweeps) + " ORDER BY id").rows)
      all.push_back(status_of(reader, sweep));
    return all;
  });
}

std::vector<std::string> trials_with_prefix(const Reader& reader, const std::string& prefix) {
  std::vector<std::string> ids;
  for (const auto& row :
       reader  // ids are hex digits: 'g' is beyond them
           .select("SELECT id FROM trial WHERE id>=?1 AND id<?1||'g' AND substr(id, 1, length(?1))=?1"
                   " ORDER BY id LIMIT 10",
                   {prefix})
           .rows)
    ids.push_back(text(row[0]));
  return ids;
}

bool has_ended(const SweepStatus& status) {
  return status.state == "cancelled" || status.state == "stopped" ||
         (status.state == "finished" && status.evals_missing == 0);
}

// SQLite takes the message from the row that min() found.
std::vector<FailureReason> failure_reasons(const Reader& reader, const std::string& sweep) {
  const Selection found = reader.select(
      "SELECT coalesce(message, ''), count(*), count(DISTINCT message), min(trial) FROM v_trial"
      " WHERE sweep=?1 AND state='failed'"
      " GROUP BY substr('; ' || message, 1, instr('; ' || message || '; placed ', '; placed ')-1)",
      {sweep});
  std::vector<FailureReason> out;
  for (const auto& row : found.rows)
    out.push_back({.trials = integer(row[1]),
                   .is_one_text = integer(row[2]) <= 1,
                   .message = text(row[0]),
                   .trial = text(row[3])});
  return out;
}

bool has_failures(const SweepStatus& status) {
  return trials_in(status, "failed") > 0 || status.failed_evals;
}

void show_repeats(SweepStatus& status, const std::vector<Progress>& progress) {
  for (RunningTrial& running : status.running) {
    if (running.repeats_to == 0) continue;
    const auto told = std::find_if(progress.begin(), progress.end(), [&](const Progress& p) {
      return p.lease.unit.text == running.unit && p.lease.attempt == running.attempt;
    });
    if (told == progress.end() || told->step <= running.step) continue;
    status.steps_left -= std::min(told->step, running.steps) - running.step;
    running.step = told->step;
    running.loss = told->loss;
    running.tokens_per_second = told->tokens_per_second;
  }
}

std::optional<double> seconds_left(const SweepStatus& status) {
  if (!status.seconds_per_step || status.slots_at_work == 0) return std::nullopt;
  return static_cast<double>(status.steps_left) * *status.seconds_per_step /
         static_cast<double>(status.slots_at_work);
}

int64_t trials_in(const SweepStatus& status, const std::string& state) {
  const auto found = status.trials.find(state);
  return found == status.trials.end() ? 0 : found->second;
}

}  // namespace ranktide
