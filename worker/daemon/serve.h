#pragma once
// A worker as one object: folder, keys, link, spool, trainer children and the agent that decides, on one
// thread. `ranktide run` holds one in its process. Thread
// rule: every method from any thread; drain() and stop_now() are also safe in a signal handler.

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/vocabulary/protocol.h"

namespace ranktide {

struct WorkerServiceConfig {
  std::filesystem::path
      work_folder;  // spool, logs, keys, and what the trainers keep; locked while the service lives
  std::filesystem::path keys_folder;  // holds worker.secret; empty: <work_folder>/keys
  std::string coordinator_endpoint;
  std::string coordinator_key;                 // public
  std::filesystem::path trainer;               // program
  std::vector<std::string> trainer_arguments;  // after `serve --work-dir DIR --threads N`
  std::vector<Slot> slots;                     // devices.h makes them
  std::string version;
};

class WorkerService {
 public:
  // Locks the folder, loads or makes the keys, starts to connect and serves on a thread of its own.
  // Throws: WorkFolderError, KeyError, LinkError or SpoolError; nothing runs then.
  explicit WorkerService(const WorkerServiceConfig& config);
  // As stop_now() and wait().
  ~WorkerService();
  WorkerService(const WorkerService&) = delete;
  WorkerService& operator=(const WorkerService&) = delete;

  // Takes no new work, checkpoints what runs, sends what is spooled, says Drain, then ends.
  void drain();
  // Kills the trainers and ends. What is spooled stays on disk and is sent by the folder's next worker.
  void stop_now();
  // Returns when the thread has ended. Requires: called by one thread.
  void wait();
  bool has_ended() const { return ended_; }

 private:
  struct Parts;
  enum Wish : int { kServe, kDrain, kStop };
  void serve(Parts& parts);
  void wish(Wish wish);

  int wake_fd_ = -1;
  std::atomic<int> wish_{kServe};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

// Returns: the public key of the worker with this keys folder; makes the pair when it is absent, so that a
// worker can be enrolled before it is started. Throws: KeyError.
std::string worker_public_key(const std::filesystem::path& keys_folder);

}  // namespace ranktide
