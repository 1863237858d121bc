#include "worker/daemon/artifact_sender.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <poll.h>

#include "common/content/hash_cache.h"
#include "common/content/manifest.h"
#include "common/net/clock.h"
#include "common/vocabulary/trainer_protocol.h"
#include "worker/daemon/bulk_client.h"
#include "worker/daemon/log_sender.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr Duration kLookEvery{2'000};
constexpr int kAsksMax =
    30;  // for a trial that the coordinator says is not ours: its Done may still be on the way

fs::path mark_of(const fs::path& artifact) {
  return artifact.string() + ".sent";
}

// A trial that was trained again leaves another artifact under the same name.
std::string stamp_of(const fs::path& artifact) {
  return std::to_string(fs::last_write_time(artifact).time_since_epoch().count());
}

bool is_marked(const fs::path& artifact) {
  std::ifstream in(mark_of(artifact));
  std::string stamp;
  return in >> stamp && stamp == stamp_of(artifact);
}

void mark(const fs::path& artifact) {
  std::ofstream(mark_of(artifact)) << stamp_of(artifact) << "\n";
}

class Sender {
 public:
  explicit Sender(const InputProcessConfig& config)
      : work_folder_(config.work_folder),
        hashes_(config.work_folder / "cache"),
        coordinator_({.endpoint = config.bulk_endpoint,
                      .coordinator_key = config.coordinator_key,
                      .keys = load_key_pair(config.keys_folder, "worker")}),
        logs_(work_folder_, coordinator_) {}

  void send_all() {
    send_logs();
    for (const fs::path& artifact : unsent_artifacts(work_folder_)) {
      try {
        send(artifact);
        mark(artifact);
      } catch (const BulkNotYours&) {
        if (++asked_[artifact] >= kAsksMax) mark(artifact);
      }
    }
  }

 private:
  ShelveArtifact described(const fs::path& artifact) {
    ShelveArtifact out{.trial = artifact.filename().string(), .files = {}};
    for (const auto& entry : fs::recursive_directory_iterator(artifact))
      if (entry.is_regular_file())
        out.files.push_back({entry.path().lexically_relative(artifact).generic_string(),
                             hashes_.sha256_of(entry.path()), static_cast<int64_t>(entry.file_size())});
    return out;
  }

  void send_logs() {
    logs_.send_new();
    logs_sent_at_ = boot_clock_now();
  }

  // People follow logs: they do not wait until gigabytes of weights have left.
  void send_logs_if_due() {
    if (boot_clock_now() - logs_sent_at_ >= kLookEvery) send_logs();
  }

  void send(const fs::path& artifact) {
    const ShelveArtifact described_as = described(artifact);
    if (coordinator_.shelve(described_as)) return;
    for (const InputFile& file : described_as.files)
      coordinator_.store({file.sha256, file.bytes}, artifact / file.path,
                         [this](int64_t) { send_logs_if_due(); });
    if (!coordinator_.shelve(described_as)) throw BulkError(artifact.string() + ": changed while it was sent");
  }

  fs::path work_folder_;
  HashCache hashes_;
  BulkClient coordinator_;
  LogSender logs_;
  Instant logs_sent_at_{};
  std::map<fs::path, int> asked_;
};

bool has_pipe_ended(int timeout_ms) {
  pollfd item{.fd = kTrainerCommandFd, .events = POLLIN, .revents = 0};
  return ::poll(&item, 1, timeout_ms) > 0;  // nothing is ever said over it
}

}  // namespace

std::vector<fs::path> unsent_artifacts(const fs::path& work_folder) {
  std::vector<fs::path> out;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(work_folder / "artifacts", absent))
    if (is_sha256_text(entry.path().filename().string()) && entry.is_directory(absent) &&
        !is_marked(entry.path()))
      out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

int send_artifacts(const InputProcessConfig& config) {
  try {
    Sender sender(config);
    while (!has_pipe_ended(static_cast<int>(kLookEvery.count()))) {
      try {
        sender.send_all();
      } catch (const std::runtime_error& error) {  // the coordinator is away, or a disk is full: later again
        std::cerr << error.what() << "\n";
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 78;  // sysexits EX_CONFIG: no key, or an endpoint that is none
  }
}

}  // namespace ranktide
