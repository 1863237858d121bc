#pragma once
// Keeps the worker's artifact_sender.h process alive while the coordinator takes files, and passes on to the
// worker's own log what it says: it is about weights that lie here alone, or no longer. A line that it repeats
// is passed on every ten minutes. It decides nothing.
// Thread rule: the daemon's thread.

#include <filesystem>
#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <vector>

#include "common/vocabulary/time.h"
#include "worker/daemon/child.h"
#include "worker/daemon/child_log.h"

namespace ranktide {

class ArtifactChild {
 public:
  // process: without a program nothing is ever sent. Its output goes to `log`.
  ArtifactChild(ChildConfig process, const std::filesystem::path& log);

  // endpoint: of the coordinator's bulk port; empty: it takes none.
  void send_to(const std::string& endpoint);
  // Starts it where it should run and does not, and takes its output.
  void tend(Instant now);
  std::vector<pollfd> pollfds() const;
  bool is_sending() const { return child_ != nullptr; }

 private:
  void tell_what_is_new(Instant now);

  ChildConfig process_;
  std::string endpoint_;
  ChildLog log_;
  std::string told_last_;
  Instant tell_again_at_;  // what was told last
  std::unique_ptr<Child> child_;
  Instant start_at_;
};

}  // namespace ranktide
