#include "worker/daemon/input_slot.h"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

#include "common/vocabulary/check.h"
#include "common/vocabulary/hub_name.h"

namespace ranktide {

void InputSlot::fetch_from(const std::string& endpoint) {
  if (endpoint == endpoint_) return;
  endpoint_ = endpoint;
  is_outdated_ = true;
}

bool InputSlot::is_needed_by(const Work& work) const {
  const bool has_hub_name = is_hub_text(work.model.path) || is_hub_text(work.model.tokenizer);
  const bool has_artifacts = work.stage && !artifacts_needed(work.kind, *work.stage).empty();
  return !process_.program.empty() && (has_hub_name || has_artifacts || !work.inputs.empty());
}

void InputSlot::begin(const RunWork& run) {
  RT_CHECK(!busy_);
  if (std::exchange(is_outdated_, false)) cancel();
  busy_ = run.lease;
  try {
    if (!child_) {
      ChildConfig process = process_;
      if (!endpoint_.empty()) process.arguments.insert(process.arguments.end(), {"--bulk", endpoint_});
      child_ = std::make_unique<Child>(process);
    }
    child_->send(run);
  } catch (const ChildError& error) {
    failed_ = error.what();
  }
}

void InputSlot::cancel() {
  busy_.reset();
  failed_.reset();
  if (!child_) return;
  child_->kill();
  dying_.push_back(std::move(child_));
}

std::vector<pollfd> InputSlot::pollfds() const {
  return child_ ? child_->pollfds() : std::vector<pollfd>{};
}

std::vector<TrainerReport> InputSlot::take_reports(ChildLog& log) {
  std::vector<TrainerReport> out;
  bury(log);
  if (failed_) end_with(*std::exchange(failed_, std::nullopt), out);
  if (!child_) return out;
  try {
    for (TrainerReport& report : child_->exchange(log)) hear(std::move(report), out);
  } catch (const ProtocolError& error) {
    end_with(std::string("the process that looks for inputs speaks nonsense: ") + error.what(), out);
    return cancel(), out;
  }
  if (const auto end = child_->take_end(log)) {
    child_.reset();
    end_with("the process that looks for inputs ended: " + end->message, out);
  }
  return out;
}

void InputSlot::hear(TrainerReport report, std::vector<TrainerReport>& out) {
  const auto lease = std::visit(
      []<class R>(const R& r) {
        if constexpr (std::is_same_v<R, WorkProgress>)
          return std::optional(r.progress.lease);
        else if constexpr (std::is_same_v<R, WorkPrepared> || std::is_same_v<R, WorkEnded>)
          return std::optional(r.lease);
        else
          return std::optional<Lease>();
      },
      report);
  if (!lease || lease != busy_) return;
  if (!std::holds_alternative<WorkProgress>(report)) busy_.reset();
  out.push_back(std::move(report));
}

void InputSlot::end_with(const std::string& message, std::vector<TrainerReport>& out) {
  spdlog::error("{}", message);
  if (!busy_) return;
  Outcome outcome;
  outcome.kind = OutcomeKind::failed;
  outcome.message = message;
  out.emplace_back(WorkEnded{*std::exchange(busy_, std::nullopt), outcome});
}

void InputSlot::bury(ChildLog& log) {
  std::erase_if(dying_, [&](const auto& child) { return child->take_end(log).has_value(); });
}

}  // namespace ranktide
