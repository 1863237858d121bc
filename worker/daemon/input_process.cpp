#include "worker/daemon/input_process.h"

#include <array>
#include <cerrno>
#include <iostream>
#include <optional>
#include <unistd.h>

#include "common/content/hub_cache.h"
#include "common/net/clock.h"
#include "common/vocabulary/trainer_protocol.h"
#include "worker/daemon/input_finder.h"
#include "worker/daemon/source_artifacts.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

constexpr Duration kProgressEvery{500};

struct PipeEnded {};  // thrown: the worker has gone

void say(const TrainerReport& report) {
  const std::string bytes = encode(report);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(kTrainerReportFd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw PipeEnded{};
    done += static_cast<size_t>(n);
  }
}

TrainerCommand next_command(std::string& buffer) {
  for (;;) {
    if (auto command = take_command(buffer)) return std::move(*command);
    std::array<char, 64 << 10> bytes;
    const ssize_t n = ::read(kTrainerCommandFd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw PipeEnded{};
    buffer.append(bytes.data(), static_cast<size_t>(n));
  }
}

InputPlaces places_of(const InputProcessConfig& config) {
  InputPlaces places{.hub_cache = hub_cache_folder(),
                     .copies = config.work_folder / "inputs",
                     .hashes = config.work_folder / "cache",
                     .copies_bytes_max = config.copies_bytes_max,
                     .coordinator = {}};
  if (!config.bulk_endpoint.empty())
    places.coordinator = BulkClientConfig{.endpoint = config.bulk_endpoint,
                                          .coordinator_key = config.coordinator_key,
                                          .keys = load_key_pair(config.keys_folder, "worker")};
  return places;
}

class ProgressTeller {
 public:
  explicit ProgressTeller(const Lease& lease) : lease_(lease) {}
  void operator()(const std::string& phase) {
    const Instant now = boot_clock_now();
    if (said_ && now < *said_ + kProgressEvery) return;
    said_ = now;
    Progress progress;
    progress.lease = lease_;
    progress.phase = phase;
    say(WorkProgress{progress});
  }

 private:
  Lease lease_;
  std::optional<Instant> said_;
};

// What trains here for the first time may find it with another worker, so that it is given back; evals that are
// asked for where nobody has the weights fail at once, and their trainer says why. It knows, too, whether a
// checkpoint is one to go on from.
void miss(const Work& work, const TrialId& trial, const fs::path& work_folder, const std::string& why) {
  if (work.kind == WorkKind::train && !may_go_on_without(trial, work, work_folder))
    throw SourceMissing("what trial " + trial.brief() + " left is not here, and " + why);
  std::cerr << "what trial " << trial.brief() << " left is not here, and " << why << "\n";
}

void bring_artifacts(const Work& work, const fs::path& work_folder,
                     const std::optional<BulkClientConfig>& coordinator, ProgressTeller on_progress) {
  const std::vector<TrialId> missing = missing_artifacts(work, work_folder);
  if (missing.empty()) return;
  if (!coordinator) {
    for (const TrialId& trial : missing) miss(work, trial, work_folder, "the coordinator serves no files");
    return;
  }
  BulkClient client(*coordinator);
  for (const TrialId& trial : missing)
    if (!bring_artifact(trial, work_folder, client, on_progress))
      miss(work, trial, work_folder, "the coordinator does not have it either");
}

TrainerReport answer_to(const RunWork& run, InputFinder& finder, const fs::path& work_folder,
                        const std::optional<BulkClientConfig>& coordinator) {
  try {
    bring_artifacts(run.work, work_folder, coordinator, ProgressTeller(run.lease));
    const auto placed = finder.find(manifests_of(run.work), ProgressTeller(run.lease));
    return WorkPrepared{run.lease, relocated(run.work, placed)};
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";  // the log of the attempt
    Outcome outcome;
    outcome.kind = OutcomeKind::refused;
    outcome.message = error.what();
    return WorkEnded{run.lease, outcome};
  }
}

}  // namespace

int serve_inputs(const InputProcessConfig& config) {
  try {
    const InputPlaces places = places_of(config);
    InputFinder finder(places);
    std::string buffer;
    for (;;) {
      const TrainerCommand command = next_command(buffer);
      if (const auto* run = std::get_if<RunWork>(&command))
        say(answer_to(*run, finder, config.work_folder, places.coordinator));
    }
  } catch (const PipeEnded&) {
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 78;  // sysexits EX_CONFIG: no key, or a folder that cannot be written
  }
}

}  // namespace ranktide
