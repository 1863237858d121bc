#pragma once
// A worker as one object: folder, keys, link, spool, trainer children and the agent that decides, on one
// thread. `ranktide worker` and `ranktide run` hold one in their process. Thread rule: every method from any
// thread; drain() and stop_now() are also safe in a signal handler.

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/vocabulary/protocol.h"
#include "common/vocabulary/time.h"
#include "worker/daemon/input_process.h"
#include "worker/daemon/nvml.h"

namespace ranktide {

// Of a worker whose time is limited from outside, as in a batch job; on the clock of common/net/clock.h.
struct WorkerTime {
  Instant last_work;  // from then on it takes nothing new; it leaves once what runs has ended
  Instant drain;      // from then on it drains, as by drain()
};

struct WorkerServiceConfig {
  std::filesystem::path
      work_folder;  // spool, logs, keys, and what the trainers keep; locked while the service lives
  std::filesystem::path keys_folder;  // holds worker.secret; empty: <work_folder>/keys
  std::string coordinator_endpoint;
  std::string coordinator_key;                 // public
  std::filesystem::path trainer;               // program
  std::vector<std::string> trainer_arguments;  // after `serve --work-dir DIR --threads N`
  // `ranktide` itself, of which `find-inputs` looks for inputs beside each trainer; empty: works go to their
  // trainers as they came.
  std::filesystem::path inputs_program{};
  int64_t input_copies_bytes_max = kInputCopiesBytesMax;
  int64_t artifacts_bytes_max = kArtifactsBytesMax;  // of those that were sent, too (kept_artifacts.h)
  bool sends_artifacts = false;  // to the coordinator, by inputs_program; not where it has this folder itself
  std::vector<Slot> slots;       // devices.h makes them
  std::string gpu_library = kNvmlLibrary;  // by which the memory of those that are GPUs is measured
  std::string version;
  bool once = false;                            // drains by itself after one round of leases (agent.h)
  Duration max_idle{0};                         // drains by itself after that time with nothing to do; 0: never
  Duration unused_looked_for_every{3'600'000};  // of what is kept for resumes (work_folder.h); not at its
                                                // start, when what it is granted first may go on from there
  std::optional<WorkerTime> time{};             // absent: it has all the time there is
  std::function<void()> after_turn;  // on the worker's thread, at least every second; neither waits nor throws
};

enum class WorkerEnd {
  drained,   // with nothing left to do; what no coordinator could take stays in the spool
  stopped,   // by stop_now()
  revoked,   // the coordinator will never listen to its key again
  expired,   // nor to this one until somebody authorises it again
  replaced,  // another process of its key works in its place; what is spooled stays in its folder
  unfit,     // no trainer can start here, the log says why; else as drained
  failed,    // by itself; the log says why
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

  // Takes no new work, checkpoints what runs, sends what is spooled, says Drain, then ends. Where nobody takes
  // what is spooled it waits a while only: the folder's next worker sends it. One that was never connected and
  // has nothing to send ends at once.
  void drain();
  // Kills the trainers and ends. What is spooled stays on disk and is sent by the folder's next worker.
  void stop_now();
  // Returns when the thread has ended. Requires: called by one thread.
  void wait();
  bool has_ended() const { return ended_; }
  // Requires: wait() has returned, or has_ended().
  WorkerEnd end() const { return end_; }

 private:
  struct Parts;
  enum Wish : int { kServe, kDrain, kStop };
  void serve(Parts& parts);
  WorkerEnd serve_to_the_end(Parts& parts);
  bool is_to_drain(Parts& parts) const;
  bool is_over(Instant WorkerTime::*limit) const;
  void wish(Wish wish);

  const Duration max_idle_;
  const std::optional<WorkerTime> time_;
  const std::function<void()> after_turn_;
  int wake_fd_ = -1;
  std::atomic<int> wish_{kServe};
  std::atomic<WorkerEnd> end_{WorkerEnd::failed};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

// Returns: the public key of the worker with this keys folder; makes the pair when it is absent, so that a
// worker can be enrolled before it is started. Throws: KeyError.
std::string worker_public_key(const std::filesystem::path& keys_folder);

}  // namespace ranktide
