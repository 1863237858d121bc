#include "coordinator/edge/query_past.h"

#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

constexpr const char* kStandings =
    "SELECT t.id, g.state, coalesce(g.checkpoint_step, 0), coalesce(a.keep, '') FROM trial t"
    " JOIN stage g ON g.number=t.stage LEFT JOIN attempt a ON a.unit=g.id AND a.attempt=g.attempt"
    " WHERE t.id > ?1 ORDER BY t.id LIMIT ?2";

constexpr const char* kMeasured =
    "SELECT params, tokens, seconds FROM v_trial"
    " WHERE state = 'completed' AND attempts = 1 AND seconds > 0 LIMIT 200";

}  // namespace

std::vector<TrialStanding> trials_after(const Reader& reader, const std::string& trial, int64_t count) {
  std::vector<TrialStanding> out;
  for (const auto& row : reader.select(kStandings, {trial, count}).rows)
    out.push_back({.trial = std::get<std::string>(row[0]),
                   .state = std::get<std::string>(row[1]),
                   .checkpoint_step = std::get<int64_t>(row[2]),
                   .keep = std::get<std::string>(row[3])});
  return out;
}

std::vector<MeasuredTrial> measured_trials(const Reader& reader) {
  std::vector<MeasuredTrial> out;
  for (const auto& row : reader.select(kMeasured).rows)
    out.push_back({.settings = from_json<TrialSettings>(parse_json(std::get<std::string>(row[0]))),
                   .tokens = std::get<int64_t>(row[1]),
                   .seconds = std::get<double>(row[2])});
  return out;
}

}  // namespace ranktide
