#include "coordinator/edge/query_past.h"

#include <algorithm>

#include "common/vocabulary/protocol.h"
#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

constexpr const char* kStandings =
    "SELECT t.id, g.state, coalesce(g.checkpoint_step, 0), coalesce(a.keep, ''),"
    " coalesce((SELECT group_concat(substr(e.spec, 1, ?3)) FROM eval e"
    "   WHERE e.subject=g.id AND e.step=g.to_step AND e.state='finished'), ''),"
    " CASE WHEN ?4 THEN t.params ELSE '' END,"
    " coalesce((SELECT group_concat(w.name || ' ' || s.policy) FROM stopped_cell s JOIN sweep w ON w.id=s.sweep"
    "   WHERE s.cell=t.cell), '')"
    " FROM trial t"
    " JOIN stage g ON g.number=t.stage LEFT JOIN attempt a ON a.unit=g.id AND a.attempt=g.attempt"
    " WHERE t.id > ?1 ORDER BY t.id LIMIT ?2";

// What the slot was, is read here: the reader's connection lets no table-valued function be made.
constexpr const char* kMeasured =
    "SELECT v.params, v.tokens, v.seconds, coalesce(w.slots, '[]'), coalesce(a.slots, ''),"
    " coalesce(v.memory_peak_bytes, 0)"
    " FROM v_trial v LEFT JOIN attempt a ON a.unit=v.stage AND a.attempt=v.attempts"
    " LEFT JOIN worker w ON w.name=a.worker"
    " WHERE v.state = 'completed' AND v.attempts = 1 AND v.seconds > 0 LIMIT 200";

// slots: of the worker; taken: of the attempt. Returns: "cpu", or the GPU's model, or "gpu" where it is not
// told.
std::string device_of(const std::string& slots, const std::string& taken) {
  for (const Slot& slot : from_json<std::vector<Slot>>(parse_json(slots))) {
    if (std::to_string(slot.index) != taken.substr(0, taken.find(','))) continue;
    if (slot.device != "cpu") return slot.model.empty() ? "gpu" : slot.model;
  }
  return "cpu";
}

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin < list.size(); begin = std::min(list.find(',', begin), list.size()) + 1)
    out.push_back(list.substr(begin, list.find(',', begin) - begin));
  return out;
}

}  // namespace

std::string stopped_by(const std::string& sweep, const std::string& policy) {
  return sweep + " " + policy;
}

std::vector<TrialStanding> trials_after(const Reader& reader, const std::string& trial, int64_t count,
                                        Told told) {
  std::vector<TrialStanding> out;
  const int64_t with_settings = told == Told::settings ? 1 : 0;
  const Selection found =
      reader.select(kStandings, {trial, count, static_cast<int64_t>(kEvalDigits), with_settings});
  for (const auto& row : found.rows) {
    out.push_back({.trial = std::get<std::string>(row[0]),
                   .state = std::get<std::string>(row[1]),
                   .checkpoint_step = std::get<int64_t>(row[2]),
                   .keep = std::get<std::string>(row[3]),
                   .evals = parts_of(std::get<std::string>(row[4])),
                   .settings = {},
                   .stopped_by = parts_of(std::get<std::string>(row[6]))});
    if (told == Told::settings)
      out.back().settings = from_json<TrialSettings>(parse_json(std::get<std::string>(row[5])));
  }
  return out;
}

std::vector<MeasuredTrial> measured_trials(const Reader& reader) {
  std::vector<MeasuredTrial> out;
  for (const auto& row : reader.select(kMeasured).rows)
    out.push_back({.settings = from_json<TrialSettings>(parse_json(std::get<std::string>(row[0]))),
                   .tokens = std::get<int64_t>(row[1]),
                   .seconds = std::get<double>(row[2]),
                   .device = device_of(std::get<std::string>(row[3]), std::get<std::string>(row[4])),
                   .memory_peak_bytes = std::get<int64_t>(row[5])});
  return out;
}

}  // namespace ranktide
