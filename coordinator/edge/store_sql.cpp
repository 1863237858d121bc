#include "coordinator/edge/store_sql.h"

#include <limits>
#include <sqlite3.h>
#include <utility>

#include "common/vocabulary/check.h"

namespace ranktide {

namespace {

std::string remedy(int code, const std::filesystem::path& file) {
  const std::string folder = file.parent_path().string();
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "free space on the disk that holds " + folder + " and start again; nothing acknowledged is lost";
    case SQLITE_IOERR:
      return "the disk that holds " + folder + " reported an error: check it before starting again";
    case SQLITE_CANTOPEN:
      return "check that " + folder + " exists and that this user may read and write it";
    case SQLITE_READONLY:
      return "make " + folder + " writable for this user, or name another folder with --data-dir";
    case SQLITE_NOTADB:
      return "this is no SQLite file: move it away or name another folder with --data-dir";
    case SQLITE_CORRUPT:
      return "the file is damaged: restore a backup, or move the folder away and start anew";
    case SQLITE_BUSY:
      return "another program writes to it: end that program; only the coordinator may write";
    case SQLITE_AUTH:
      return "only SELECT is allowed here";
    case SQLITE_INTERRUPT:
      return "the query ran longer than its limit: narrow it";
    default:
      return "";
  }
}

}  // namespace

Connection::Connection(const std::filesystem::path& file, Mode mode) : file_(file) {
  const int flags = mode == Mode::writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const int code =
      sqlite3_open_v2(file.c_str(), &db_, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code != SQLITE_OK) {
    const StoreError error("cannot open " + file.string() + ": " + sqlite3_errstr(code) + "; " +
                           remedy(code, file));
    sqlite3_close_v2(db_);
    throw error;
  }
  sqlite3_busy_timeout(db_, 5000);
}

Connection::~Connection() {
  RT_CHECK(sqlite3_close(db_) == SQLITE_OK);
}

void Connection::execute(std::string_view sql) {
  if (sqlite3_exec(db_, std::string(sql).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail("write");
}

Value Connection::value_of(std::string_view sql) {
  const auto found = Statement(*this, sql).first();
  RT_CHECK(found.has_value());
  return *found;
}

Statement Connection::prepare(std::string_view sql) {
  return {*this, sql};
}

int64_t Connection::changes() const {
  return sqlite3_changes64(db_);
}

bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(db_) == 0;
}

void Connection::fail(std::string_view doing) const {
  const int code = sqlite3_extended_errcode(db_);
  std::string text = "cannot " + std::string(doing) + " " + file_.string() + ": " + sqlite3_errmsg(db_);
  if (const auto hint = remedy(code, file_); !hint.empty()) text += "; " + hint;
  if ((code & 0xff) == SQLITE_FULL) throw StoreFull(text);
  throw StoreError(text);
}

Statement::Statement(Connection& connection, std::string_view sql) : connection_(&connection) {
  const char* tail = nullptr;
  if (sqlite3_prepare_v2(connection.handle(), sql.data(), static_cast<int>(sql.size()), &statement_, &tail) !=
      SQLITE_OK)
    connection.fail("read");
  if (!statement_) throw StoreError("empty SQL statement; write one SELECT");
  const std::string_view rest(tail, static_cast<size_t>(sql.data() + sql.size() - tail));
  if (rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    sqlite3_finalize(statement_);
    throw StoreError("more than one SQL statement; write one SELECT");
  }
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::bind_all(const std::vector<Value>& values) {
  reset();
  int at = 0;
  for (const auto& v : values) set(++at, v);
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  connection_->fail(sqlite3_stmt_readonly(statement_) ? "read" : "write");
}

std::optional<Value> Statement::first() {
  std::optional<Value> found;
  if (step()) found = value(0);
  reset();
  return found;
}

int64_t Statement::finish() {
  while (step()) {
  }
  const int64_t changed = connection_->changes();
  reset();
  return changed;
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

void Statement::set(int at, const Value& value) {
  int code = SQLITE_OK;
  if (const auto* i = std::get_if<int64_t>(&value))
    code = sqlite3_bind_int64(statement_, at, *i);
  else if (const auto* d = std::get_if<double>(&value))
    code = sqlite3_bind_double(statement_, at, *d);
  else if (const auto* s = std::get_if<std::string>(&value))
    code = sqlite3_bind_text64(statement_, at, s->data(), s->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  else
    code = sqlite3_bind_null(statement_, at);
  if (code != SQLITE_OK) connection_->fail("bind a parameter for");
}

int Statement::column_count() const {
  return sqlite3_column_count(statement_);
}

std::string Statement::column_name(int column) const {
  return sqlite3_column_name(statement_, column);
}

Value Statement::value(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_INTEGER:
      return integer(column);
    case SQLITE_FLOAT:
      return real(column);
    case SQLITE_NULL:
      return {};
    default:
      return text(column);
  }
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::real(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::numeric_limits<double>::quiet_NaN();
  return sqlite3_column_double(statement_, column);
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes ? std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))) : "";
}

}  // namespace ranktide
