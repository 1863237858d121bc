#include "coordinator/edge/query_past.h"

#include <algorithm>

#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

constexpr const char* kStandings =
    "SELECT t.id, g.state, coalesce(g.checkpoint_step, 0), coalesce(a.keep, ''),"
    " coalesce((SELECT group_concat(substr(e.spec, 1, ?3)) FROM eval e"
    "   WHERE e.subject=g.id AND e.step=g.to_step AND e.state='finished'), '')"
    " FROM trial t"
    " JOIN stage g ON g.number=t.stage LEFT JOIN attempt a ON a.unit=g.id AND a.attempt=g.attempt"
    " WHERE t.id > ?1 ORDER BY t.id LIMIT ?2";

constexpr const char* kMeasured =
    "SELECT v.params, v.tokens, v.seconds, coalesce((SELECT CASE WHEN json_extract(s.value, '$.device')='cpu'"
    "     THEN 'cpu' ELSE coalesce(nullif(json_extract(s.value, '$.model'), ''), 'gpu') END"
    "   FROM attempt a JOIN worker w ON w.name=a.worker, json_each(w.slots) s"
    "   WHERE a.unit=v.stage AND a.attempt=v.attempts"
    "     AND json_extract(s.value, '$.index')=CAST(a.slots AS INTEGER)), 'cpu')"
    " FROM v_trial v WHERE v.state = 'completed' AND v.attempts = 1 AND v.seconds > 0 LIMIT 200";

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin < list.size(); begin = std::min(list.find(',', begin), list.size()) + 1)
    out.push_back(list.substr(begin, list.find(',', begin) - begin));
  return out;
}

}  // namespace

std::vector<TrialStanding> trials_after(const Reader& reader, const std::string& trial, int64_t count) {
  std::vector<TrialStanding> out;
  for (const auto& row : reader.select(kStandings, {trial, count, static_cast<int64_t>(kEvalDigits)}).rows)
    out.push_back({.trial = std::get<std::string>(row[0]),
                   .state = std::get<std::string>(row[1]),
                   .checkpoint_step = std::get<int64_t>(row[2]),
                   .keep = std::get<std::string>(row[3]),
                   .evals = parts_of(std::get<std::string>(row[4]))});
  return out;
}

std::vector<MeasuredTrial> measured_trials(const Reader& reader) {
  std::vector<MeasuredTrial> out;
  for (const auto& row : reader.select(kMeasured).rows)
    out.push_back({.settings = from_json<TrialSettings>(parse_json(std::get<std::string>(row[0]))),
                   .tokens = std::get<int64_t>(row[1]),
                   .seconds = std::get<double>(row[2]),
                   .device = std::get<std::string>(row[3])});
  return out;
}

}  // namespace ranktide
