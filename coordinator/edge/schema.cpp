#include "coordinator/edge/schema.h"

#include <string>
#include <utility>

#include "common/vocabulary/check.h"
#include "coordinator/edge/statistics.h"
#include "coordinator/edge/views.h"

namespace ranktide {

namespace {

constexpr int kDegreesMax = 200;  // of t_crit; beyond, views use an expansion in 1/df

// The journal is the truth; every table below it is a mirror that the same transaction keeps.
constexpr const char* kTables = R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE record(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL) STRICT;

-- state: listing | listed | cancelled | stopped; trials: of the whole grid, listed or not yet; NULL where nobody counted
CREATE TABLE sweep(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, state TEXT NOT NULL,
  submitted INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT 'local', paused INTEGER NOT NULL DEFAULT 0,
  priority INTEGER NOT NULL DEFAULT 0, max_parallel INTEGER, needs TEXT NOT NULL DEFAULT '{}', trials INTEGER) STRICT;
CREATE TABLE revision(sweep INTEGER NOT NULL REFERENCES sweep, n INTEGER NOT NULL, request_id TEXT NOT NULL UNIQUE,
  spec_sha256 TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(sweep, n)) STRICT, WITHOUT ROWID;

-- state: ready | running | completed | diverged | failed | cancelled; the columns from step on are the outcome's;
-- train_bytes and forward_bytes: what was predicted of its memory, 0 for unknown; numerics: version of the engine's
-- arithmetic, device: what computed it; both NULL where nobody told
CREATE TABLE stage(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, base TEXT NOT NULL, from_step INTEGER NOT NULL,
  to_step INTEGER NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, checkpoint_step INTEGER,
  step INTEGER, message TEXT, weights_sha256 TEXT, exact INTEGER, tokens INTEGER, seconds REAL,
  memory_peak_bytes INTEGER, train_bytes INTEGER NOT NULL DEFAULT 0, forward_bytes INTEGER NOT NULL DEFAULT 0,
  numerics INTEGER, device TEXT) STRICT;
-- model_from: the trial and step that it starts from; NULL: the base; listed_in: the record (its seq) that has all of it: the first, or a later one that changed the stage's train_bytes
CREATE TABLE trial(id TEXT PRIMARY KEY, base TEXT NOT NULL, cell TEXT NOT NULL, stage INTEGER NOT NULL REFERENCES stage,
  method TEXT NOT NULL, rank INTEGER, alpha REAL, target TEXT, lr REAL NOT NULL, seed INTEGER NOT NULL,
  steps INTEGER NOT NULL, settings TEXT NOT NULL, params TEXT NOT NULL, model_from TEXT,
  listed_in INTEGER) STRICT, WITHOUT ROWID;
CREATE INDEX trial_by_stage ON trial(stage);
-- trunk: the unit that several trials begin with; at: the step at which the stage goes on by itself. Its points are theirs.
CREATE TABLE branch(trunk TEXT NOT NULL, stage INTEGER NOT NULL REFERENCES stage, at INTEGER NOT NULL,
  PRIMARY KEY(trunk, stage)) STRICT, WITHOUT ROWID;
-- what a trial's evals are of: its stages, and the untouched base as step 0
CREATE TABLE trial_subject(trial TEXT NOT NULL REFERENCES trial, subject TEXT NOT NULL, PRIMARY KEY(trial, subject))
  STRICT, WITHOUT ROWID;

CREATE TABLE evalset(id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE evalset_task(evalset TEXT NOT NULL REFERENCES evalset, spec TEXT NOT NULL, task TEXT NOT NULL,
  role TEXT NOT NULL, PRIMARY KEY(evalset, spec, task)) STRICT, WITHOUT ROWID;
-- cancelled: 1 by a user, one by one, or dropped by a stop, 2 by early stopping; the sweep's own state says what became of all of them
CREATE TABLE sweep_trial(sweep INTEGER NOT NULL REFERENCES sweep, trial TEXT NOT NULL REFERENCES trial,
  revision INTEGER NOT NULL, position INTEGER NOT NULL, block TEXT NOT NULL, regime TEXT NOT NULL, labels TEXT NOT NULL,
  evalset TEXT NOT NULL REFERENCES evalset, n_learn INTEGER NOT NULL, n_retain INTEGER NOT NULL,
  cancelled INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(sweep, trial)) STRICT, WITHOUT ROWID;
CREATE INDEX sweep_trial_by_trial ON sweep_trial(trial);
-- values of tuned axes that early stopping has put out; policy: of the sweep that asked for it; score NULL: no number
CREATE TABLE stopped_cell(sweep INTEGER NOT NULL REFERENCES sweep, cell TEXT NOT NULL, policy TEXT NOT NULL,
  rung INTEGER NOT NULL, step INTEGER NOT NULL, score REAL, place INTEGER NOT NULL, came INTEGER NOT NULL,
  PRIMARY KEY(cell, sweep)) STRICT, WITHOUT ROWID;

-- state: wanted | finished | failed | lost (its weights are gone or will never be); flag: nan, inf or -inf where value is NULL for that reason
CREATE TABLE eval(id TEXT PRIMARY KEY, subject TEXT NOT NULL, spec TEXT NOT NULL, step INTEGER NOT NULL,
  state TEXT NOT NULL, metric TEXT, value REAL, flag TEXT, sign INTEGER, stderr REAL, n INTEGER, at INTEGER)
  STRICT, WITHOUT ROWID;
CREATE INDEX eval_by_subject ON eval(subject, spec);

CREATE TABLE worker(name TEXT PRIMARY KEY, boot TEXT NOT NULL, version TEXT NOT NULL, slots TEXT NOT NULL,
  state TEXT NOT NULL, joined INTEGER NOT NULL, departed INTEGER) STRICT, WITHOUT ROWID;
-- unit: a stage's, a trunk's or an eval's id; end_reason: completed diverged failed out_of_memory refused expired returned cancelled stopped_early
CREATE TABLE attempt(unit TEXT NOT NULL, attempt INTEGER NOT NULL, worker TEXT NOT NULL, boot TEXT NOT NULL,
  slots TEXT NOT NULL, microbatch INTEGER NOT NULL, keep TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER, end_reason TEXT,
  message TEXT, log_tail TEXT, PRIMARY KEY(unit, attempt)) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_running ON attempt(worker) WHERE ended IS NULL;

CREATE TABLE metric_name(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
-- step first: appended in order, so that leaves fill up (name first is three times slower to write)
CREATE TABLE point(stage INTEGER NOT NULL, step INTEGER NOT NULL, name INTEGER NOT NULL, value REAL, flag TEXT,
  attempt INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(stage, step, name)) STRICT, WITHOUT ROWID;

CREATE TABLE event(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  message TEXT NOT NULL) STRICT;
CREATE TABLE t_crit(df INTEGER PRIMARY KEY, t90 REAL NOT NULL, t95 REAL NOT NULL, t99 REAL NOT NULL) STRICT;
)sql";

// What the mirror itself reads.
constexpr const char* kMirrorViews = R"sql(
-- what the newest revision of each sweep lists, what of it may run on for the sweep, and what may still start
CREATE VIEW listed AS SELECT m.sweep, m.trial, t.stage, m.evalset, m.cancelled FROM sweep_trial m
  JOIN sweep w ON w.id=m.sweep AND w.revision=m.revision JOIN trial t ON t.id=m.trial;
CREATE VIEW may_run AS SELECT l.* FROM listed l JOIN sweep w ON w.id=l.sweep AND w.state<>'cancelled' WHERE NOT l.cancelled;
CREATE VIEW wanted AS SELECT l.* FROM may_run l JOIN sweep w ON w.id=l.sweep AND w.state<>'stopped';
-- cancelled: of the trial; the untouched base's go on
CREATE VIEW listed_eval AS SELECT l.sweep, l.trial, e.id AS eval, l.cancelled AND e.step>0 AS cancelled FROM listed l JOIN trial_subject p ON p.trial=l.trial
  JOIN evalset_task k ON k.evalset=l.evalset JOIN eval e ON e.subject=p.subject AND e.spec=k.spec;
)sql";

int64_t pragma_number(Connection& connection, const std::string& name) {
  const Value value = connection.value_of("PRAGMA " + name);
  const auto* number = std::get_if<int64_t>(&value);
  return number ? *number : -1;
}

void set_pragma(Connection& connection, const std::string& name, int64_t wanted) {
  connection.execute("PRAGMA " + name + "=" + std::to_string(wanted));
  if (pragma_number(connection, name) != wanted)
    throw StoreError("cannot set " + name + "=" + std::to_string(wanted) + " on " + connection.file().string() +
                     ": this SQLite does not take it; use the distribution's libsqlite3, 3.37 or newer");
}

constexpr const char* kFromVersion1 = R"sql(
ALTER TABLE sweep ADD COLUMN owner TEXT NOT NULL DEFAULT 'local';
ALTER TABLE sweep ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweep ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweep ADD COLUMN max_parallel INTEGER;
)sql";
constexpr const char* kFromVersion2 = R"sql(
ALTER TABLE sweep ADD COLUMN needs TEXT NOT NULL DEFAULT '{}';
ALTER TABLE stage ADD COLUMN train_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stage ADD COLUMN forward_bytes INTEGER NOT NULL DEFAULT 0;
)sql";

constexpr const char* kFromVersion3 = R"sql(
ALTER TABLE sweep_trial ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweep ADD COLUMN trials INTEGER;
)sql";
constexpr const char* kFromVersion4 = "ALTER TABLE stage ADD COLUMN numerics INTEGER;";
constexpr const char* kFromVersion5 = R"sql(
ALTER TABLE stage ADD COLUMN device TEXT;
CREATE TABLE branch(trunk TEXT NOT NULL, stage INTEGER NOT NULL REFERENCES stage, at INTEGER NOT NULL,
  PRIMARY KEY(trunk, stage)) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kFromVersion6 = R"sql(
ALTER TABLE trial ADD COLUMN model_from TEXT;
ALTER TABLE trial ADD COLUMN listed_in INTEGER;
UPDATE trial SET listed_in=oldest.seq FROM (SELECT json_extract(body, '$.trial.id') AS trial, min(seq) AS seq FROM record
  WHERE kind='TrialListed' GROUP BY 1) oldest WHERE oldest.trial=trial.id;
)sql";

constexpr const char* kFromVersion7 = R"sql(
CREATE TABLE stopped_cell(sweep INTEGER NOT NULL REFERENCES sweep, cell TEXT NOT NULL, policy TEXT NOT NULL,
  rung INTEGER NOT NULL, step INTEGER NOT NULL, score REAL, place INTEGER NOT NULL, came INTEGER NOT NULL,
  PRIMARY KEY(cell, sweep)) STRICT, WITHOUT ROWID;
)sql";

std::vector<Value> names_of_views(Connection& connection) {
  std::vector<Value> out;
  auto views = connection.prepare("SELECT name FROM sqlite_schema WHERE type='view'");
  while (views.step()) out.push_back(views.value(0));
  return out;
}

void fill_t_crit(Connection& connection) {
  auto insert = connection.prepare("INSERT INTO t_crit VALUES(?1,?2,?3,?4)");
  for (int df = 1; df <= kDegreesMax; ++df)
    insert.run(df, t_critical(df, 0.90), t_critical(df, 0.95), t_critical(df, 0.99));
}

}  // namespace

void apply_writer_settings(Connection& connection) {
  if (connection.value_of("PRAGMA journal_mode=WAL") != Value("wal"))
    throw StoreError("cannot set journal_mode=WAL on " + connection.file().string() +
                     ": its file system lacks shared memory; name a local disk with --data-dir");
  constexpr std::pair<const char*, int64_t> kSettings[] = {
      {"synchronous", 2},  // FULL: an acknowledged commit survives a power cut
      {"wal_autocheckpoint", 0},
      {"busy_timeout", 5000},
      {"foreign_keys", 1},
      {"cache_size", -65536},
      {"trusted_schema", 0},
      {"cell_size_check", 1},
      {"journal_size_limit", 67108864}};
  for (const auto& [name, value] : kSettings) set_pragma(connection, name, value);
}

void check_schema(Connection& connection) {
  const std::string file = connection.file().string();
  if (pragma_number(connection, "application_id") != kApplicationId)
    throw StoreError(file + " was not made by ranktide; move it away or name another folder with --data-dir");
  const int64_t version = pragma_number(connection, "user_version");
  if (version > kSchemaVersion)
    throw StoreError(file + " has data version " + std::to_string(version) +
                     ", this program knows versions up to " + std::to_string(kSchemaVersion) +
                     "; use the newer ranktide that wrote it, or another --data-dir");
  if (version < kSchemaVersion)
    throw StoreError(file + " has data version " + std::to_string(version) +
                     " of an older ranktide, this one reads " + std::to_string(kSchemaVersion) +
                     "; start `ranktide run` or `ranktide coordinator` on it once, which brings it up to date");
}

void bring_up_to_date(Connection& connection) {
  const int64_t version = pragma_number(connection, "user_version");
  if (version == 0 || version >= kSchemaVersion) return;  // of check_schema
  RT_CHECK(version >= 1);
  connection.execute("BEGIN IMMEDIATE");
  for (const Value& view : names_of_views(connection))
    connection.execute("DROP VIEW " + std::get<std::string>(view));
  if (version <= 1) connection.execute(kFromVersion1);
  if (version <= 2) connection.execute(kFromVersion2);
  if (version <= 3) connection.execute(kFromVersion3);
  if (version <= 4) connection.execute(kFromVersion4);
  if (version <= 5) connection.execute(kFromVersion5);
  if (version <= 6) connection.execute(kFromVersion6);
  connection.execute(kFromVersion7);
  connection.execute(kMirrorViews);
  connection.execute(kViews);
  connection.execute("PRAGMA user_version=" + std::to_string(kSchemaVersion));
  connection.execute("COMMIT");
}

void add_indices(Connection& connection) {
  connection.execute("CREATE INDEX IF NOT EXISTS record_submission ON record(seq) WHERE kind='SweepSubmitted'");
  connection.execute("CREATE INDEX IF NOT EXISTS record_extension ON record(seq) WHERE kind='SweepExtended'");
  connection.execute("CREATE INDEX IF NOT EXISTS record_joining ON record(seq) WHERE kind='WorkerJoined'");
  connection.execute("CREATE INDEX IF NOT EXISTS trial_by_cell ON trial(cell)");
}

bool is_empty_database(Connection& connection) {
  return connection.value_of("SELECT count(*) FROM sqlite_schema") == Value(int64_t{0}) &&
         pragma_number(connection, "application_id") == 0;
}

void create_schema(Connection& connection) {
  connection.execute("BEGIN IMMEDIATE");
  connection.execute(kTables);
  connection.execute(kMirrorViews);
  connection.execute(kViews);
  fill_t_crit(connection);
  connection.execute("PRAGMA application_id=" + std::to_string(kApplicationId));
  connection.execute("PRAGMA user_version=" + std::to_string(kSchemaVersion));
  connection.execute("COMMIT");
}

}  // namespace ranktide
