#pragma once
// A worker as one object: keys, link, spools, trainer children and the agent that decides, on one thread.
// `ranktide run` holds one in its process, `ranktide worker` is one and a wait for signals.
// Thread rule: every method from any thread; drain() and stop_now() are also safe in a signal handler.

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/vocabulary/protocol.h"

namespace ranktide {

struct WorkerServiceConfig {
  std::filesystem::path work_folder;  // spools, logs, checkpoints; locked while the service lives
  std::filesystem::path keys_folder;  // this worker's key pair; empty: <work_folder>/keys
  std::string coordinator_endpoint;
  std::string coordinator_key;                 // public
  std::filesystem::path trainer;               // program
  std::vector<std::string> trainer_arguments;  // after `serve --work-dir DIR --threads N`
  std::vector<Slot> slots;                     // devices.h makes them
  int64_t spool_bytes_max = 1LL << 30;         // over it trainers are paused, nothing is dropped
};

class WorkerService {
 public:
  // Locks the folder, loads or makes the keys, starts the thread.
  // Throws: KeyError, LinkError, SpoolError or ChildError; nothing runs then.
  explicit WorkerService(WorkerServiceConfig config);
  ~WorkerService();
  WorkerService(const WorkerService&) = delete;
  WorkerService& operator=(const WorkerService&) = delete;

  // Returns: the key to enrol on the coordinator.
  const std::string& public_key() const { return public_key_; }

  // Takes no new work, checkpoints what runs, sends what is spooled, says Drain, then ends.
  void drain();
  // Kills the trainers and ends. What is spooled stays on disk.
  void stop_now();
  // Returns when the thread has ended.
  void wait();
  bool has_ended() const;

 private:
  struct Parts;
  void ring();

  std::string public_key_;
  int wake_fd_ = -1;
  std::atomic<int> wish_{0};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

// Returns: the key that a worker with this folder has or will have; makes it when it is absent. For enrolling a
// worker before it is started.
std::string worker_public_key(const std::filesystem::path& keys_folder);

}  // namespace ranktide
