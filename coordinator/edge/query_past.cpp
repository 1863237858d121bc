#include "coordinator/edge/query_past.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "common/vocabulary/numerics.h"
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

// Of each kind the newest: a sweep of hundreds of trials on cores must not hide the few that came after it on a
// GPU. A trial counts once, whichever sweeps list it. Settings are read of the newest alone, for that is slow.
// What the slot was, is read in C++: the reader's connection lets no table-valued function be made.
constexpr const char* kMeasured =
    "WITH newest AS (SELECT g.number, a.ended FROM stage g JOIN attempt a ON a.unit=g.id AND "
    "a.attempt=g.attempt"
    "   WHERE g.state='completed' AND g.attempt=1 AND g.seconds>0 AND g.exact AND g.numerics=?1"
    "   ORDER BY a.ended DESC, g.number DESC LIMIT ?2),"
    " measured AS (SELECT n.ended, t.params, t.method, g.tokens, g.seconds, a.boot,"
    "   a.slots AS taken, coalesce(g.memory_peak_bytes, 0) AS peak, coalesce(g.device, '') AS device"
    "   FROM newest n JOIN stage g ON g.number=n.number JOIN trial t ON t.stage=g.number"
    "   JOIN attempt a ON a.unit=g.id AND a.attempt=g.attempt),"
    " placed AS (SELECT *, row_number() OVER (PARTITION BY json_extract(params, '$.model.path'),"
    "   json_extract(params, '$.model.dtype'), json_extract(params, '$.data.max_tokens'), method, device"
    "   ORDER BY ended DESC) AS place FROM measured)"
    " SELECT params, tokens, seconds, boot, taken, peak, device FROM placed WHERE place<=?3"
    " ORDER BY place, ended DESC LIMIT ?4";

constexpr int64_t kMeasuredLookedAt = 20'000;  // the newest
constexpr int64_t kMeasuredMax = 1'000;        // about a kilobyte each

// The slots of a life of a worker, by its boot. The worker's next life may have cut its cores otherwise.
using Lives = std::map<std::string, std::vector<Slot>>;

Lives lives_of(const Reader& reader, const std::set<std::string>& boots) {
  Lives out;
  const Selection joined = reader.select(
      "SELECT json_extract(body, '$.boot'), json_extract(body, '$.slots') FROM record WHERE kind='WorkerJoined'"
      " ORDER BY seq");
  for (const auto& row : joined.rows)
    if (const auto& boot = std::get<std::string>(row[0]); boots.contains(boot))
      out[boot] = from_json<std::vector<Slot>>(parse_json(std::get<std::string>(row[1])));
  return out;
}

// taken: of the attempt. Returns: the first of them, or one of which nothing is told.
Slot slot_of(const Lives& lives, const std::string& boot, const std::string& taken) {
  const auto life = lives.find(boot);
  const std::string first = taken.substr(0, taken.find(','));
  if (life != lives.end())
    for (const Slot& slot : life->second)
      if (std::to_string(slot.index) == first) return slot;
  return {.index = 0, .device = "cpu", .threads = 0};
}

// told: by the trainer. Returns: "cpu", or the GPU's model, or "gpu" where it is not told.
std::string device_of(const std::string& told, const Slot& slot) {
  if (told.starts_with("cpu")) return "cpu";
  if (slot.device != "cpu") return slot.model.empty() ? "gpu" : slot.model;
  return told.empty() ? "cpu" : "gpu";
}

MeasuredTrial measured_on(const Slot& slot, const std::vector<Value>& row) {
  MeasuredTrial out{.settings = from_json<TrialSettings>(parse_json(std::get<std::string>(row[0]))),
                    .tokens = std::get<int64_t>(row[1]),
                    .seconds = std::get<double>(row[2]),
                    .device = device_of(std::get<std::string>(row[6]), slot),
                    .memory_peak_bytes = std::get<int64_t>(row[5])};
  if (out.device == "cpu") {
    out.threads = slot.threads;
    out.processor = slot.processor;
  }
  return out;
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
  const std::vector<Value> limits{int64_t{kNumericsVersion}, kMeasuredLookedAt, kMeasuredPerKind, kMeasuredMax};
  const Selection found = reader.select(kMeasured, limits);
  std::set<std::string> boots;
  for (const auto& row : found.rows) boots.insert(std::get<std::string>(row[3]));
  const Lives lives = lives_of(reader, boots);
  for (const auto& row : found.rows)
    out.push_back(
        measured_on(slot_of(lives, std::get<std::string>(row[3]), std::get<std::string>(row[4])), row));
  return out;
}

}  // namespace ranktide
