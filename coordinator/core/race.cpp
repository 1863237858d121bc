#include "coordinator/core/race.h"

#include <cmath>
#include <limits>

#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/core/tuning.h"

namespace ranktide {
namespace {

std::optional<double> score_at_rung(const State& state, const EvalId& id) {
  const EvalState& eval = state.evals().at(id);
  if (!eval.is_finished) return std::nullopt;
  const double score = eval.sign * eval.value;
  return std::isnan(score) ? -std::numeric_limits<double>::infinity() : score;
}

}  // namespace

std::string race_group(const SweepSpec& spec, const SweepTrial& trial) {
  RT_CHECK(spec.tune);
  RT_CHECK(trial.race);
  return sha256_hex(tuned_group(spec, trial) + "/" + std::to_string(trial.settings.seed) + "/" +
                    trial.race->task.spec_id);
}

std::optional<RungStanding> standing_at(const State& state, const Sweep& sweep, const EvalId& eval) {
  const auto racer = sweep.racers.find(eval);
  if (racer == sweep.racers.end()) return std::nullopt;
  const auto own = score_at_rung(state, eval);
  if (!own) return std::nullopt;
  RungStanding out{.place = 1, .of = 0, .is_behind = false};
  for (const EvalId& each : sweep.rungs.at({racer->second.group, racer->second.rung})) {
    const auto score = score_at_rung(state, each);
    if (!score) continue;
    ++out.of;
    if (*score > *own) ++out.place;
  }
  const int eta = sweep.run.stop_early ? sweep.run.stop_early->eta : 0;
  out.is_behind = eta > 0 && out.of >= eta && out.place > out.of / eta;
  return out;
}

}  // namespace ranktide
