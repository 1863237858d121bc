#include "coordinator/edge/store.h"

#include <sqlite3.h>

#include "common/vocabulary/check.h"
#include "coordinator/edge/schema.h"
#include "coordinator/edge/store_folder.h"
#include "coordinator/edge/store_mirror.h"

namespace ranktide {

namespace {

constexpr int kPagesPerCheckpoint = 4000;  // PASSIVE after so many new pages in the log
constexpr int kPagesToTruncate =
    (64 << 20) / 4096;  // beyond, the log is shortened as soon as no reader is in the way

// SQLite reports the log's length after each commit; the hook replaces its own automatic checkpoint.
int remember_wal_pages(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

std::filesystem::path database_file(const std::filesystem::path& data_folder) {
  return data_folder / "ranktide.db";
}

std::filesystem::path artifacts_folder(const std::filesystem::path& data_folder, const TrialId& trial) {
  return data_folder / "artifacts" / trial.text;
}

Store::Store(const std::filesystem::path& data_folder, Open how) : folder_(data_folder) {
  const auto file = database_file(folder_);
  if (how == Open::create)
    make_data_folder(folder_);
  else if (!std::filesystem::exists(file))
    throw StoreError("no results in " + folder_.string() +
                     ": ranktide.db is missing; name the right --data-dir, or start a sweep there");
  lock_ = std::make_unique<FolderLock>(folder_);
  reserve_ = std::make_unique<Reserve>(folder_);
  open_database();
  reserve_->refill();
}

void Store::open_database() {
  const auto file = database_file(folder_);
  const bool was_unclean = std::filesystem::exists(file.string() + "-wal");
  connection_ = std::make_unique<Connection>(file, Connection::Mode::writer);
  const bool is_new = is_empty_database(*connection_);
  if (!is_new) {  // before anything is changed
    bring_up_to_date(*connection_);
    check_schema(*connection_);
  }
  apply_writer_settings(*connection_);
  if (is_new) create_schema(*connection_);
  add_indices(*connection_);
  if (was_unclean && connection_->value_of("PRAGMA quick_check(1)") != Value("ok"))
    throw StoreError(file.string() +
                     " is damaged (quick_check fails); restore a backup, or move the folder away");
  sqlite3_wal_hook(connection_->handle(), remember_wal_pages, &wal_pages_);
  mirror_ = std::make_unique<Mirror>(*connection_);
  data_version_ = std::get<int64_t>(connection_->value_of("PRAGMA data_version"));
}

Store::~Store() {
  if (!failed_) checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
}

void Store::commit(const std::vector<Record>& records, const std::vector<PointBatch>& points, int64_t wall_ms) {
  RT_CHECK(!failed_);
  if (records.empty() && points.empty()) return;
  failed_ = true;  // until this turn is durable
  check_foreign_commit();
  try {
    try_turn(records, points, wall_ms);
  } catch (const StoreFull&) {
    if (!reserve_->spend()) throw;
    reserve_spent_ = true;
    mirror_ = std::make_unique<Mirror>(*connection_);  // its remembered names may have been rolled back
    try_turn(records, points, wall_ms);
  }
  failed_ = false;
  reserve_spent_ = false;
  if (wal_pages_ > kPagesToTruncate)
    checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
  else if (wal_pages_ - wal_pages_at_checkpoint_ >= kPagesPerCheckpoint)
    checkpoint(SQLITE_CHECKPOINT_PASSIVE);
}

void Store::try_turn(const std::vector<Record>& records, const std::vector<PointBatch>& points,
                     int64_t wall_ms) {
  connection_->execute("BEGIN IMMEDIATE");
  try {
    write_turn(records, points, wall_ms);
    connection_->execute("COMMIT");
  } catch (const StoreError&) {
    // SQLite has rolled back by itself after some errors (a full disk, for one); then there is nothing to undo.
    if (connection_->in_transaction()) connection_->execute("ROLLBACK");
    throw;
  }
}

void Store::write_turn(const std::vector<Record>& records, const std::vector<PointBatch>& points,
                       int64_t wall_ms) {
  auto journal = connection_->prepare("INSERT INTO record(at, kind, body) VALUES(?1, ?2, ?3)");
  for (const auto& r : records) {
    RT_CHECK(journal.run(wall_ms, kind_of(r), to_journal(r)) == 1);
    mirror_->apply(r, wall_ms);
  }
  for (const auto& batch : points) mirror_->add(batch, wall_ms);
  if (reserve_spent_)
    mirror_->event("DiskFull", "store", "the disk is full; the reserve was spent on this turn", wall_ms);
}

void Store::replay(const std::function<void(const Record&)>& visit) {
  auto journal = connection_->prepare("SELECT kind, body, seq FROM record ORDER BY seq");
  int64_t expected = 1;
  while (journal.step()) {
    if (journal.integer(2) != expected++)
      throw StoreError(database_file(folder_).string() + ": the journal has a gap before record " +
                       std::to_string(journal.integer(2)) + "; restore a backup");
    visit(from_journal(journal.text(0), journal.text(1)));
  }
}

void Store::checkpoint_when_idle() {
  RT_CHECK(!failed_);
  if (wal_pages_ > 0) checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
}

// A reader in the way leaves pages for the next time; that is no error. Neither is a full disk: the log keeps
// all.
void Store::checkpoint(int mode) {
  sqlite3_busy_timeout(connection_->handle(), 0);
  int pages = 0;
  int copied = 0;
  const int code = sqlite3_wal_checkpoint_v2(connection_->handle(), nullptr, mode, &pages, &copied);
  sqlite3_busy_timeout(connection_->handle(), 5000);
  if (code == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE) wal_pages_ = 0;
  wal_pages_at_checkpoint_ = wal_pages_;
}

// Another connection's commit is the one thing that can hurt this database: stop, and let a restart judge it.
void Store::check_foreign_commit() {
  if (std::get<int64_t>(connection_->value_of("PRAGMA data_version")) == data_version_) return;
  throw StoreError("another program wrote to " + database_file(folder_).string() +
                   " while this coordinator served it; open that file read-only (ranktide query, or mode=ro)");
}

}  // namespace ranktide
