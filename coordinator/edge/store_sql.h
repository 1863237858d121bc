#pragma once
// The thin skin over SQLite's C interface: one connection, one prepared statement, one value. Not a query
// builder and not the store: it knows no table. The only place that names sqlite3 types; a connection belongs
// to one thread at a time. Every failure is a StoreError with the place, SQLite's words and what to do.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace ranktide {

struct StoreError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The disk or the quota is used up. Its own type because the store can spend its reserve and try once more.
struct StoreFull : StoreError {
  using StoreError::StoreError;
};

// What a column holds and what a parameter takes: NULL, integer, real, text.
using Value = std::variant<std::monostate, int64_t, double, std::string>;

class Statement;

class Connection {
 public:
  enum class Mode { writer, reader };

  // writer creates the file when it is absent; reader is SQLITE_OPEN_READONLY and never checkpoints.
  Connection(const std::filesystem::path& file, Mode mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs one or several statements without parameters.
  void execute(std::string_view sql);
  // Returns: the first column of the first row. Requires: the query gives a row.
  Value value_of(std::string_view sql);
  Statement prepare(std::string_view sql);
  // Returns: rows that the last statement changed.
  int64_t changes() const;
  bool in_transaction() const;
  sqlite3* handle() const { return db_; }
  const std::filesystem::path& file() const { return file_; }
  // Throws: StoreFull or StoreError with `doing` ("commit a turn"), the file and SQLite's message.
  [[noreturn]] void fail(std::string_view doing) const;

 private:
  std::filesystem::path file_;
  sqlite3* db_ = nullptr;
};

// Outlives: nothing; its connection must outlive it.
class Statement {
 public:
  Statement(Connection& connection, std::string_view sql);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Binds values to ?1, ?2, ... after a reset. NaN is bound as NULL (SQLite has no NaN).
  template <class... T>
  Statement& bind(const T&... values) {
    reset();
    int at = 0;
    (set(++at, to_value(values)), ...);
    return *this;
  }
  Statement& bind_all(const std::vector<Value>& values);
  // Returns: whether there is a row to read. A row left unread keeps a read transaction open: read on, or use
  // first().
  bool step();
  // Returns: the first column of the first row, nullopt without rows; the statement is done with then.
  std::optional<Value> first();
  // Binds, runs to the end, and returns the number of rows changed.
  template <class... T>
  int64_t run(const T&... values) {
    bind(values...);
    return finish();
  }

  int column_count() const;
  std::string column_name(int column) const;
  Value value(int column) const;
  int64_t integer(int column) const;   // NULL reads as 0
  double real(int column) const;       // NULL reads as NaN
  std::string text(int column) const;  // NULL reads as ""

 private:
  void reset();
  void set(int at, const Value& value);
  int64_t finish();

  static Value to_value(const Value& v) { return v; }
  static Value to_value(std::string_view s) { return std::string(s); }
  static Value to_value(const std::string& s) { return s; }
  static Value to_value(const char* s) { return std::string(s); }
  static Value to_value(double d) { return d; }
  static Value to_value(bool b) { return int64_t{b}; }
  template <class T>
  requires std::is_integral_v<T>
  static Value to_value(T i) { return static_cast<int64_t>(i); }

  Connection* connection_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace ranktide
