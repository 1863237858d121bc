#include "worker/daemon/artifact_child.h"

#include <spdlog/spdlog.h>
#include <sstream>
#include <utility>

namespace ranktide {
namespace {

constexpr Duration kStartAgainAfter{10'000};
constexpr Duration kTellAgainAfter{600'000};

}  // namespace

ArtifactChild::ArtifactChild(ChildConfig process, const std::filesystem::path& log)
    : process_(std::move(process)) {
  if (!process_.program.empty()) log_.begin(log);
}

void ArtifactChild::send_to(const std::string& endpoint) {
  if (endpoint == endpoint_) return;
  endpoint_ = endpoint;
  child_.reset();
  start_at_ = {};
}

void ArtifactChild::tend(Instant now) {
  if (process_.program.empty() || endpoint_.empty()) return;
  try {
    if (!child_ && now >= start_at_) {
      ChildConfig process = process_;
      process.arguments.insert(process.arguments.end(), {"--bulk", endpoint_});
      start_at_ = now + kStartAgainAfter;
      child_ = std::make_unique<Child>(process);
    }
    if (!child_) return;
    (void)child_->exchange(log_);
    const auto end = child_->take_end(log_);
    tell_what_is_new(now);
    if (!end) return;
    spdlog::error("the process that sends artifacts ended: {}", end->message);
    child_.reset();
  } catch (const ChildError& error) {
    spdlog::error("{}", error.what());
  }
}

// A coordinator that is away is said at every look: once is enough for a while, and not for good.
void ArtifactChild::tell_what_is_new(Instant now) {
  std::istringstream lines(log_.take_new_lines());
  for (std::string line; std::getline(lines, line);) {
    if (line == told_last_ && now < tell_again_at_) continue;
    spdlog::info("artifacts: {}", line);
    told_last_ = line;
    tell_again_at_ = now + kTellAgainAfter;
  }
}

std::vector<pollfd> ArtifactChild::pollfds() const {
  return child_ ? child_->pollfds() : std::vector<pollfd>{};
}

}  // namespace ranktide
