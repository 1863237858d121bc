#include "worker/daemon/artifact_sender.h"

#include <iostream>
#include <poll.h>
#include <utility>

#include "common/vocabulary/trainer_protocol.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr Duration kLookEvery{2'000};
constexpr int kQuickAsks = 30;             // for a trial that the coordinator says is not ours, at every look
constexpr Duration kSlowAskEvery{20'000};  // from then on
constexpr auto kMayFinish = std::chrono::hours(1);  // an artifact is written before its trial's last evals
constexpr Duration kTryLeftEvery{60'000};  // the coordinator may have room again, or the disk be mended
constexpr Duration kMakeRoomEvery{
    60'000};  // all artifacts are measured, which takes its time where they are many

bool may_finish(const fs::path& artifact) {
  return fs::last_write_time(artifact) + kMayFinish > fs::file_time_type::clock::now();
}

bool has_pipe_ended(int timeout_ms) {
  pollfd item{.fd = kTrainerCommandFd, .events = POLLIN, .revents = 0};
  return ::poll(&item, 1, timeout_ms) > 0;  // nothing is ever said over it
}

}  // namespace

ArtifactSender::ArtifactSender(fs::path work_folder, int64_t bytes_max, const BulkClientConfig& coordinator,
                               std::function<Instant()> clock)
    : work_folder_(std::move(work_folder)),
      bytes_max_(bytes_max),
      hashes_(work_folder_ / "cache"),
      coordinator_(coordinator),
      logs_(work_folder_, coordinator_),
      clock_(std::move(clock)) {}

void ArtifactSender::send_all() {
  send_logs();
  for (const fs::path& artifact : unsent_artifacts(work_folder_)) try_to_send(artifact);
  make_room();
}

void ArtifactSender::try_to_send(const fs::path& artifact) {
  if (const auto refused = refused_.find(artifact);
      refused != refused_.end() && clock_() < refused->second.try_again)
    return;
  try {
    send(artifact);
    mark_artifact(artifact, ArtifactMark::sent);
    refused_.erase(artifact);
    if (room_fault_said_.empty()) make_room_again_ = {};
  } catch (const BulkNotYours& error) {
    wait_to_finish(artifact, error.what());
  } catch (const BulkNotTaken& error) {
    leave(artifact, error.what());
  } catch (const BulkError&) {  // of the coordinator, and so of all artifacts
    throw;
  } catch (const std::runtime_error& error) {  // of this one's files
    leave(artifact, error.what());
  }
}

// Its Done may still be on the way, or its evals to come.
void ArtifactSender::wait_to_finish(const fs::path& artifact, const std::string& why) {
  Refusal& refusal = refused_[artifact];
  if (++refusal.count < kQuickAsks) return;
  if (!may_finish(artifact)) return leave(artifact, why);
  refusal.try_again = clock_() + kSlowAskEvery;
  mark_artifact(artifact, ArtifactMark::early);
}

void ArtifactSender::leave(const fs::path& artifact, const std::string& why) {
  Refusal& refusal = refused_[artifact];
  if (!std::exchange(refusal.is_said, true)) std::cerr << artifact.string() << ": stays here: " << why << "\n";
  refusal.try_again = clock_() + kTryLeftEvery;
  mark_artifact(artifact, ArtifactMark::left);
}

void ArtifactSender::make_room() {
  if (clock_() < make_room_again_) return;
  make_room_again_ = clock_() + kMakeRoomEvery;
  try {
    drop_sent_artifacts(work_folder_, bytes_max_, [](const fs::path& gone) {
      std::cerr << gone.string() << ": dropped here to make room (--artifacts-max); the coordinator has it\n";
    });
    room_fault_said_.clear();
  } catch (const fs::filesystem_error& error) {
    say_room_fault(error.what());
  }
}

void ArtifactSender::say_room_fault(const std::string& why) {
  if (std::exchange(room_fault_said_, why) != why)
    std::cerr << why << ": no room is made for artifacts (--artifacts-max); tried again every minute\n";
}

ShelveArtifact ArtifactSender::described(const fs::path& artifact) {
  ShelveArtifact out{.trial = artifact.filename().string(), .files = {}};
  for (const auto& entry : fs::recursive_directory_iterator(artifact))
    if (entry.is_regular_file())
      out.files.push_back({entry.path().lexically_relative(artifact).generic_string(),
                           hashes_.sha256_of(entry.path()), static_cast<int64_t>(entry.file_size())});
  return out;
}

void ArtifactSender::send(const fs::path& artifact) {
  const ShelveArtifact described_as = described(artifact);
  if (coordinator_.shelve(described_as)) return;
  for (const InputFile& file : described_as.files)
    coordinator_.store({file.sha256, file.bytes}, artifact / file.path,
                       [this](int64_t) { send_logs_if_due(); });
  if (!coordinator_.shelve(described_as)) throw std::runtime_error("it changed while it was sent");
}

void ArtifactSender::send_logs() {
  logs_.send_new(clock_());
  logs_sent_at_ = clock_();
}

// People follow logs: they do not wait until gigabytes of weights have left.
void ArtifactSender::send_logs_if_due() {
  if (clock_() - logs_sent_at_ >= kLookEvery) send_logs();
}

int send_artifacts(const InputProcessConfig& config) {
  try {
    ArtifactSender sender(config.work_folder, config.artifacts_bytes_max,
                          {.endpoint = config.bulk_endpoint,
                           .coordinator_key = config.coordinator_key,
                           .keys = load_key_pair(config.keys_folder, "worker")});
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
