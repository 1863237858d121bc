#pragma once
// The one function that opens readers: a read-only connection that can neither checkpoint nor run anything but
// SELECT, and that gives up after five seconds without a row. Not the writer (store.h). Works with and without
// a running coordinator. One thread per reader; open one per thread.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/edge/store_sql.h"

namespace ranktide {

struct Selection {
  std::vector<std::string> names;
  std::vector<std::vector<Value>> rows;
};

class Reader {
 public:
  using Milliseconds = std::chrono::milliseconds;
  static constexpr Milliseconds kWithoutEnd = std::chrono::hours{24 * 365};

  // `lifetime`: for whoever serves others; after it, nothing more is read, however short each query is.
  // Throws: StoreError when the folder has no database, or one of a newer version than this program knows.
  explicit Reader(const std::filesystem::path& data_folder, Milliseconds lifetime = kWithoutEnd);
  ~Reader();

  // Runs one SELECT with ?1, ?2 ... bound to parameters.
  // Throws: StoreError for anything but a SELECT, for more than kRowsMax rows, after kSeconds and after the
  // reader's lifetime.
  Selection select(std::string_view sql, const std::vector<Value>& parameters = {}) const;

  // Calls `on_row` with the rows of one SELECT until it says that it wants no more; only one of them is in
  // memory at a time. For texts of any size and number, as in the journal. on_row must not ask this reader.
  // Throws: StoreError for anything but a SELECT, when a row takes longer than kSeconds to come, and after the
  // reader's lifetime.
  using OnRow = std::function<bool(const std::vector<Value>& row)>;
  void each(std::string_view sql, const std::vector<Value>& parameters, const OnRow& on_row) const;

  // Runs `read` over one unchanging state of the database: all its selects see the same commit.
  template <class F>
  auto snapshot(F read) const {
    const Snapshot held(*this);
    return read();
  }

  const std::filesystem::path& data_folder() const { return folder_; }

  static constexpr int kSeconds = 5;
  static constexpr size_t kRowsMax = 2'000'000;

 private:
  struct Snapshot {
    explicit Snapshot(const Reader& reader);
    ~Snapshot();
    const Reader& reader;
  };
  struct Limits;
  void give_time() const;  // to what is asked next

  std::filesystem::path folder_;
  std::unique_ptr<Limits> limits_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace ranktide
