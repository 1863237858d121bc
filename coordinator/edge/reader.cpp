#include "coordinator/edge/reader.h"

#include <algorithm>
#include <chrono>
#include <sqlite3.h>

#include "coordinator/edge/schema.h"
#include "coordinator/edge/store.h"

namespace ranktide {

struct Reader::Limits {
  std::chrono::steady_clock::time_point end;       // of the reader
  std::chrono::steady_clock::time_point deadline;  // of what is asked now
};

namespace {

constexpr int kInstructionsPerLook = 10'000;  // of SQLite's virtual machine, well under a millisecond

// Nothing but SELECT and what it needs: no ATTACH, PRAGMA, writes or extensions. Schema reads are for views.
int allow_select_only(void*, int action, const char*, const char* name, const char*, const char*) {
  if (action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE) return SQLITE_OK;
  if (action == SQLITE_FUNCTION) return std::string_view(name) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
  return SQLITE_DENY;
}

std::vector<Value> row_of(const Statement& statement) {
  std::vector<Value> row;
  const int columns = statement.column_count();
  row.reserve(static_cast<size_t>(columns));
  for (int c = 0; c < columns; ++c) row.push_back(statement.value(c));
  return row;
}

}  // namespace

Reader::Reader(const std::filesystem::path& data_folder, Milliseconds lifetime)
    : folder_(data_folder), limits_(std::make_unique<Limits>()) {
  limits_->end = std::chrono::steady_clock::now() + lifetime;
  const auto file = database_file(folder_);
  if (!std::filesystem::exists(file))
    throw StoreError("no results in " + folder_.string() +
                     ": ranktide.db is missing; name the right --data-dir");
  connection_ = std::make_unique<Connection>(file, Connection::Mode::reader);
  connection_->execute("PRAGMA wal_autocheckpoint=0");
  sqlite3* db = connection_->handle();
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  check_schema(*connection_);
  sqlite3_set_authorizer(db, allow_select_only, nullptr);
  sqlite3_progress_handler(
      db, kInstructionsPerLook,
      [](void* limits) -> int {
        return std::chrono::steady_clock::now() > static_cast<Limits*>(limits)->deadline ? 1 : 0;
      },
      limits_.get());
}

Reader::~Reader() = default;

void Reader::give_time() const {
  const auto now = std::chrono::steady_clock::now();
  if (now >= limits_->end) throw StoreError("reading the results took longer than its limit: ask for less");
  limits_->deadline = std::min(now + std::chrono::seconds(kSeconds), limits_->end);
}

Selection Reader::select(std::string_view sql, const std::vector<Value>& parameters) const {
  give_time();
  auto statement = connection_->prepare(sql);
  statement.bind_all(parameters);
  Selection out;
  for (int c = 0; c < statement.column_count(); ++c) out.names.push_back(statement.column_name(c));
  while (statement.step()) {
    if (out.rows.size() == kRowsMax)
      throw StoreError("the query gives more than " + std::to_string(kRowsMax) +
                       " rows; narrow it, or add a LIMIT");
    out.rows.push_back(row_of(statement));
  }
  return out;
}

// What on_row does with a row counts for nobody: each row has the time of a query.
void Reader::each(std::string_view sql, const std::vector<Value>& parameters, const OnRow& on_row) const {
  give_time();
  auto statement = connection_->prepare(sql);
  statement.bind_all(parameters);
  while (statement.step() && on_row(row_of(statement))) give_time();
}

// The authorizer refuses transactions to everyone else, so it looks away for these two.
Reader::Snapshot::Snapshot(const Reader& r) : reader(r) {
  sqlite3_set_authorizer(r.connection_->handle(), nullptr, nullptr);
  r.connection_->execute("BEGIN");
  sqlite3_set_authorizer(r.connection_->handle(), allow_select_only, nullptr);
}

Reader::Snapshot::~Snapshot() {
  sqlite3_set_authorizer(reader.connection_->handle(), nullptr, nullptr);
  sqlite3_exec(reader.connection_->handle(), "COMMIT", nullptr, nullptr, nullptr);
  sqlite3_set_authorizer(reader.connection_->handle(), allow_select_only, nullptr);
}

}  // namespace ranktide
