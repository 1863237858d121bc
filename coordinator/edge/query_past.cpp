#include "coordinator/edge/query_past.h"

#include <algorithm>
#include <charconv>

#include "common/vocabulary/protocol.h"
#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

constexpr const char* kStandings =
    "SELECT t.id, g.state, coalesce(g.checkpoint_step, 0), coalesce(a.keep, ''),"
    " coalesce((SELECT group_concat(substr(e.spec, 1, ?3)) FROM eval e"
    "   WHERE e.subject=g.id AND e.step=g.to_step AND e.state='finished'), ''),"
    " CASE WHEN ?4 THEN t.params ELSE '' END,"
    " coalesce((SELECT group_concat(s.rung || ' ' || coalesce(printf('%!.17g', s.score), '') || ' ' || w.name"
    "   || ' ' || s.policy) FROM stopped_cell s JOIN sweep w ON w.id=s.sweep WHERE s.cell=t.cell), ''),"
    " CASE WHEN EXISTS(SELECT 1 FROM stopped_cell) THEN coalesce((SELECT"
    "   group_concat(substr(e.spec, 1, ?3) || ' ' || e.step || ' ' || printf('%!.17g', e.sign*e.value))"
    "   FROM eval e WHERE e.subject=g.id AND e.step>0 AND e.step<g.to_step AND e.state='finished'"
    "   AND e.value IS NOT NULL), '') ELSE '' END"
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

// Takes a word off the front of what a row tells, as the statements above join them.
std::string next_word(std::string& text) {
  const size_t end = std::min(text.find(' '), text.size());
  std::string out = text.substr(0, end);
  text.erase(0, end + 1);
  return out;
}

double double_of(const std::string& text) {
  double out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::vector<StandingVerdict> verdicts_of(const std::string& list) {
  std::vector<StandingVerdict> out;
  for (std::string text : parts_of(list)) {
    const int rung = std::stoi(next_word(text));
    const std::string score = next_word(text);
    out.push_back({.by = text, .rung = rung, .score = {}});
    if (!score.empty()) out.back().score = double_of(score);
  }
  return out;
}

std::vector<StandingScore> scores_of(const std::string& list) {
  std::vector<StandingScore> out;
  for (std::string text : parts_of(list)) {
    std::string spec = next_word(text);
    const Step step = std::stoll(next_word(text));
    out.push_back({.spec = std::move(spec), .step = step, .score = double_of(text)});
  }
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
                   .verdicts = verdicts_of(std::get<std::string>(row[6])),
                   .shown = scores_of(std::get<std::string>(row[7]))});
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
