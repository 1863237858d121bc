#include "coordinator/edge/turn_measures.h"

namespace ranktide {

void TurnMeasures::committed(const Effects& effects, Instant now, std::chrono::nanoseconds took) {
  committed_at = now;
  commit_seconds.observe(std::chrono::duration<double>(took).count());
  for (const Record& record : effects.records) {
    if (std::holds_alternative<LeaseExpired>(record)) ++leases_expired;
    const auto* finished = std::get_if<UnitFinished>(&record);
    if (finished && !finished->outcome.weights_sha256.empty())  // a trained stage, not evals alone
      trial_seconds.observe(finished->outcome.seconds);
  }
}

void TurnMeasures::said(const Effects& effects) {
  for (const ToWorker& message : effects.messages)
    if (std::holds_alternative<Fenced>(message.message))
      ++fenced;
    else if (std::holds_alternative<Ack>(message.message))
      ++acks;
}

}  // namespace ranktide
