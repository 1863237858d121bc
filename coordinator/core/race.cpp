#include "coordinator/core/race.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/sweep/identity.h"
#include "common/vocabulary/check.h"

namespace ranktide {

RungStanding standing_of(const StageId& stage, const RungScores& scores) {
  const double own = scores.at(stage);
  RungStanding out{.place = 1, .of = static_cast<int>(scores.size())};
  for (const auto& [other, score] : scores) out.place += score > own ? 1 : 0;
  return out;
}

bool is_behind(const RungStanding& standing, int eta) {
  RT_CHECK(eta >= 2);
  return standing.of >= eta && standing.place > std::max(1, standing.of / eta);
}

void Races::enter(const StageId& stage, Scout scout) {
  if (const auto known = scouts.find(stage); known != scouts.end() && known->second.contests != scout.contests)
    for (const std::string& contest : known->second.contests) {
      fields[contest].erase(stage);
      for (const auto& [k, at] : known->second.rungs)
        if (const auto found = scores.find({contest, k}); found != scores.end()) found->second.erase(stage);
    }
  for (const std::string& contest : scout.contests) fields[contest].insert(stage);
  for (const auto& [k, at] : scout.rungs)
    rung_evals[eval_id(stage, at, scout.spec_id)] = {.stage = stage, .k = k, .at = at};
  scouts.insert_or_assign(stage, std::move(scout));
}

// An eval that an earlier revision compared by, of other data under the same name, says nothing here.
std::optional<RungPlace> Races::place_of(const EvalId& eval) const {
  const auto rung = rung_evals.find(eval);
  if (rung == rung_evals.end()) return std::nullopt;
  const auto scout = scouts.find(rung->second.stage);
  if (scout == scouts.end() || eval_id(scout->first, rung->second.at, scout->second.spec_id) != eval)
    return std::nullopt;
  return rung->second;
}

void Races::keep_listed() {
  if (!std::exchange(has_kept, false)) return;
  const auto is_gone = [&](const StageId& stage) { return !cells.contains(stage); };
  std::erase_if(scouts, [&](const auto& scout) { return is_gone(scout.first); });
  std::erase_if(rung_evals, [&](const auto& rung) { return !place_of(rung.first); });
  for (auto& [contest, stages] : fields) std::erase_if(stages, is_gone);
  for (auto& [where, shown] : scores)
    std::erase_if(shown, [&](const auto& score) { return is_gone(score.first); });
}

void Races::stop(const StageId& stage, bool is_completed) {
  if (stopped.emplace(stage, is_completed).second && is_completed) ++stopped_completed;
}

void Races::go_on(const StageId& stage) {
  const auto found = stopped.find(stage);
  if (found == stopped.end()) return;
  if (found->second) --stopped_completed;
  stopped.erase(found);
}

bool Races::has_score(const StageId& stage, int k) const {
  const auto found = scores.find({scouts.at(stage).contests.front(), k});
  return found != scores.end() && found->second.contains(stage);
}

void Races::add_score(const RungPlace& rung, double score) {
  const double known = std::isnan(score) ? -std::numeric_limits<double>::infinity() : score;
  for (const std::string& contest : scouts.at(rung.stage).contests)
    scores[{contest, rung.k}].insert_or_assign(rung.stage, known);
}

}  // namespace ranktide
