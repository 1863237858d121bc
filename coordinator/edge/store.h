#pragma once
// The data folder's one writer: commits a turn, replays the journal. Not a place for decisions
// (coordinator/core) and not for reading results (reader.h): it writes what it is told, all of it or nothing.
// Belongs to one thread. It is the only connection that writes and the only one that checkpoints, because
// SQLite before 3.51.3 can lose commits when two connections do (docs/views.md).

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/core/records.h"
#include "coordinator/edge/store_sql.h"

namespace ranktide {

class FolderLock;
class Mirror;
class Reserve;

// Names inside a data folder; permanent.
std::filesystem::path database_file(const std::filesystem::path& data_folder);
std::filesystem::path artifacts_folder(const std::filesystem::path& data_folder, const TrialId& trial);

class Store {
 public:
  enum class Open {
    existing,  // refuses a folder without a database: never start empty by accident
    create,    // makes folder and database when they are absent
  };

  // Takes the folder's lock, opens or creates the database, checks its version and, after an unclean stop, its
  // pages. Throws: StoreError when another coordinator holds the folder, the folder cannot be written, the
  // database is foreign, damaged or of a newer version. Nothing is changed in those cases.
  Store(const std::filesystem::path& data_folder, Open how);
  // Checkpoints once more and lets the folder go.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Makes a turn durable: journal rows, query tables and points in one transaction with synchronous=FULL.
  // wall_ms stamps the rows (Unix time, for eyes only). Points that are there already change nothing; one that
  // comes again with another value leaves the first and an event.
  // Throws: StoreError; the store must not be used again, and the process must end without speaking (exit 74).
  void commit(const std::vector<Record>& records, const std::vector<PointBatch>& points, int64_t wall_ms);

  // Calls visit with every committed record, oldest first.
  void replay(const std::function<void(const Record&)>& visit);

  // Moves the write-ahead log into the database and shortens it. For a turn in which nothing else is to do; a
  // reader in its way makes it do less, never wait.
  void checkpoint_when_idle();

  const std::filesystem::path& data_folder() const { return folder_; }

 private:
  void open_database();
  void try_turn(const std::vector<Record>& records, const std::vector<PointBatch>& points, int64_t wall_ms);
  void write_turn(const std::vector<Record>& records, const std::vector<PointBatch>& points, int64_t wall_ms);
  void check_foreign_commit();
  void checkpoint(int mode);

  std::filesystem::path folder_;
  std::unique_ptr<FolderLock> lock_;  // taken first, let go last
  std::unique_ptr<Reserve> reserve_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Mirror> mirror_;
  int64_t data_version_ = 0;
  int wal_pages_ = 0;  // in the write-ahead log, as SQLite's commit hook says
  int wal_pages_at_checkpoint_ = 0;
  bool reserve_spent_ = false;  // and the event that says so is not written yet
  bool failed_ = false;
};

}  // namespace ranktide
