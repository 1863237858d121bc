#include "coordinator/core/race.h"

#include <algorithm>
#include <cmath>
#include <limits>

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
