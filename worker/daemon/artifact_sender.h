#pragma once
// The process that leaves with the coordinator what finished trials left here (kept_artifacts.h), and the logs
// of running ones (log_sender.h). It looks for new ones by itself, so that nothing has to be told or
// remembered. The worker keeps its own copy, up to a limit. It may be killed at any time; the next one goes on.
// Checkpoints stay where they are. An artifact that the coordinator does not take, or that cannot be read, is
// said once, keeps no other one waiting and is tried again later; so is room that cannot be made.

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "common/content/hash_cache.h"
#include "common/net/clock.h"
#include "common/vocabulary/time.h"
#include "worker/daemon/bulk_client.h"
#include "worker/daemon/input_process.h"
#include "worker/daemon/kept_artifacts.h"
#include "worker/daemon/log_sender.h"

namespace ranktide {

// One thread.
class ArtifactSender {
 public:
  ArtifactSender(std::filesystem::path work_folder, int64_t bytes_max, const BulkClientConfig& coordinator,
                 std::function<Instant()> clock = boot_clock_now);

  // Sends what is new and makes room. Throws: std::runtime_error when the coordinator is away, or the disk
  // refuses a mark; the next call goes on.
  void send_all();

 private:
  struct Refusal {  // of an artifact
    int count = 0;
    Instant try_again;
    bool is_said = false;
  };
  void try_to_send(const std::filesystem::path& artifact);
  void send(const std::filesystem::path& artifact);
  ShelveArtifact described(const std::filesystem::path& artifact);
  void wait_to_finish(const std::filesystem::path& artifact, const std::string& why);
  void leave(const std::filesystem::path& artifact, const std::string& why);
  void make_room();
  void say_room_fault(const std::string& why);
  void send_logs();
  void send_logs_if_due();

  std::filesystem::path work_folder_;
  int64_t bytes_max_;
  HashCache hashes_;
  BulkClient coordinator_;
  LogSender logs_;
  std::function<Instant()> clock_;
  Instant logs_sent_at_{};
  std::map<std::filesystem::path, Refusal> refused_;
  Instant make_room_again_{};    // unless something is sent before; other processes fetch meanwhile
  std::string room_fault_said_;  // until there is room
};

// Sends until the command pipe ends. Requires: config.bulk_endpoint. Returns: the exit code.
int send_artifacts(const InputProcessConfig& config);

}  // namespace ranktide
