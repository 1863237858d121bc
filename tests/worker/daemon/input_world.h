#pragma once
// A worker's folder and a coordinator that serves files, for tests of what lies between them. One verb per
// function.

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>

#include "common/content/manifest.h"
#include "common/net/keys.h"
#include "common/net/worker_keys.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/edge/blob_store.h"
#include "coordinator/edge/bulk_door.h"
#include "tests/temporary_folder.h"
#include "worker/daemon/bulk_client.h"

namespace ranktide {

inline std::string text_of_file(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

inline void write_file(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// The client's folder is the one that the settings name; a worker may see it or not.
class InputWorld {
  TemporaryFolder folder_;

 public:
  InputWorld() { keys_of_worker(); }

  std::filesystem::path shared(const std::string& name) const { return folder_.path() / "shared" / name; }
  std::filesystem::path work() const { return folder_.path() / "work"; }
  std::filesystem::path blobs() const { return folder_.path() / "data/blobs"; }
  std::filesystem::path table() const { return folder_.path() / "data/keys/workers"; }

  // Returns: the manifest of one file, which exists nowhere yet.
  Manifest file(const std::string& name, const std::string& text) const {
    return {.root = shared(name).string(),
            .files = {{.name = "", .content = {sha256_hex(text), static_cast<int64_t>(text.size())}}}};
  }
  void upload(const std::string& text) const { write_file(blobs() / sha256_hex(text), text); }
  void start_coordinator() {
    std::filesystem::create_directories(blobs());
    store.emplace(blobs());
    shelf.emplace(ArtifactShelfConfig{.folder = folder_.path() / "data/artifacts",
                                      .arriving = folder_.path() / "data/arriving",
                                      .hashes = folder_.path() / "data/cache",
                                      .limits = arriving_limits,
                                      .has_finished = [this](const WorkerName&, const std::string& trial) {
                                        when_asked_for(trial);
                                        return has_finished;
                                      }});
    logs.emplace(
        LogShelfConfig{.folder = folder_.path() / "data/logs",
                       .was_granted = [this](const WorkerName&, const Lease&) { return was_granted; }});
    door.emplace(BulkDoorConfig{.keys = keys, .worker_keys = table()}, *store, *shelf, *logs);
  }
  BulkClientConfig client() const {
    return {.endpoint = door->endpoint(),
            .coordinator_key = keys.public_key,
            .keys = load_key_pair(work() / "keys", "worker"),
            .ask_again = Duration(1'000),
            .silence_max = Duration(20'000)};
  }

  std::filesystem::path data() const { return folder_.path() / "data"; }

  KeyPair keys = make_key_pair();  // the coordinator's
  BlobLimits arriving_limits{};    // of artifacts; before start_coordinator()
  bool has_finished = true;        // as the coordinator knows of every trial and of w1
  // Called in the coordinator's thread when it is offered a trial's artifact.
  std::function<void(const std::string& trial)> when_asked_for = [](const std::string&) {};
  bool was_granted = true;
  std::optional<BlobStore> store;
  std::optional<ArtifactShelf> shelf;
  std::optional<LogShelf> logs;
  std::optional<BulkDoor> door;

 private:
  void keys_of_worker() const {
    std::filesystem::create_directories(work());
    std::filesystem::create_directories(table().parent_path());
    std::filesystem::permissions(table().parent_path(), std::filesystem::perms::owner_all);
    authorise_worker(table(), load_or_make_key_pair(work() / "keys", "worker").public_key, WorkerName{"w1"});
  }
};

}  // namespace ranktide
