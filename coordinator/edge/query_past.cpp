#include "coordinator/edge/query_past.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

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

// By number first, which rises with the listing: to sort a million trainings by their ends takes longer than a
// reader has. The order of the joins is spelled out, for nothing tells SQLite that the newest are few. What the
// slot was, is read in C++: the reader's connection lets no table-valued function be made.
constexpr const char* kTrainings =
    "WITH newest AS (SELECT number, id, coalesce(device, '') AS device FROM stage"
    "   WHERE state='completed' AND attempt=1 AND seconds>0 AND exact AND numerics=?1"
    "   ORDER BY number DESC LIMIT ?2)"
    " SELECT t.id, a.boot, a.slots, n.device, t.method || ' ' || coalesce(json_extract(t.params, "
    "'$.model.dtype'), '')"
    "   || ' ' || coalesce(json_extract(t.params, '$.data.max_tokens'), '')"
    "   || ' ' || coalesce(json_extract(t.params, '$.model.path'), '')"
    ", a.ended"
    " FROM newest n CROSS JOIN attempt a ON a.unit=n.id AND a.attempt=1 CROSS JOIN trial t ON t.stage=n.number";
constexpr const char* kMeasured =
    "SELECT t.params, g.tokens, g.seconds, coalesce(g.memory_peak_bytes, 0)"
    " FROM trial t JOIN stage g ON g.number=t.stage WHERE t.id=?1";

constexpr int64_t kMeasuredLookedAt = 5'000;  // trainings: some 0.1 ms each, and more beside busy trainers
constexpr size_t kMeasuredMax = 1'000;        // about a kilobyte each
constexpr int kJoinsLookedAt = 20'000;        // of workers

// The slots of a life of a worker, by its boot. The worker's next life may have cut its cores otherwise.
struct Lives {
  std::map<std::string, std::vector<Slot>> slots;
  std::set<std::string> unread;  // lives that the journal is too long to be searched for
};

// Most lives are those that go on. The journal, which has all, is read from its end on, as far as it must be.
Lives lives_of(const Reader& reader, std::set<std::string> boots) {
  Lives out;
  const auto take = [&](const std::vector<Value>& row) {
    const auto& boot = std::get<std::string>(row[0]);
    if (boots.erase(boot) > 0)
      out.slots[boot] = from_json<std::vector<Slot>>(parse_json(std::get<std::string>(row[1])));
  };
  const Selection newest = reader.select("SELECT boot, slots FROM worker");
  for (const auto& row : newest.rows) take(row);
  if (boots.empty()) return out;
  int left = kJoinsLookedAt;
  try {
    reader.each(
        "SELECT json_extract(body, '$.boot'), json_extract(body, '$.slots') FROM record WHERE "
        "kind='WorkerJoined' ORDER BY seq DESC",
        {}, [&](const std::vector<Value>& row) {
          take(row);
          return !boots.empty() && --left > 0;
        });
    if (left == 0) out.unread = boots;
  } catch (const StoreError&) {
    out.unread = boots;
  }
  return out;
}

// taken: of the attempt. Returns: the first of them, or one of which nothing is told.
Slot slot_of(const Lives& lives, const std::string& boot, const std::string& taken) {
  const auto life = lives.slots.find(boot);
  const std::string first = taken.substr(0, taken.find(','));
  if (life != lives.slots.end())
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

// A training that tells of others, before its settings are read.
struct Training {
  std::string trial;
  std::string device;
  Slot slot;
  int64_t place = 0;  // among those of its kind; 0: the newest
};

bool is_of_cores(const Training& training) {
  return training.device == "cpu";
}

std::string measured_kind(const Training& training, const std::string& shape) {
  if (!is_of_cores(training)) return training.device + "\n" + shape;
  return std::to_string(training.slot.threads) + " " + training.slot.processor + "\n" + shape;
}

// Returns: rows of kTrainings, those that ended last first. One by one, each with the time of a query.
std::vector<std::vector<Value>> trainings(const Reader& reader) {
  std::vector<std::vector<Value>> out;
  reader.each(kTrainings, {int64_t{kNumericsVersion}, kMeasuredLookedAt}, [&](const std::vector<Value>& row) {
    out.push_back(row);
    return true;
  });
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a[5] > b[5]; });
  return out;
}

// Of each kind the newest: a sweep of hundreds of trials on cores must not hide the few that came after it on a
// GPU, nor those on slots of one thread the ones on slots of eight.
std::vector<Training> newest_trainings(const Reader& reader) {
  const auto rows = trainings(reader);
  std::set<std::string> boots;
  for (const auto& row : rows) boots.insert(std::get<std::string>(row[1]));
  const Lives lives = lives_of(reader, std::move(boots));
  std::vector<Training> out;
  std::map<std::string, int64_t> counts;
  for (const auto& row : rows) {
    const auto& boot = std::get<std::string>(row[1]);
    if (lives.unread.contains(boot)) continue;
    Training training{.trial = std::get<std::string>(row[0]),
                      .device = "",
                      .slot = slot_of(lives, boot, std::get<std::string>(row[2]))};
    training.device = device_of(std::get<std::string>(row[3]), training.slot);
    training.place = counts[measured_kind(training, std::get<std::string>(row[4]))]++;
    if (training.place < kMeasuredPerKind) out.push_back(std::move(training));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Training& a, const Training& b) { return a.place < b.place; });
  if (out.size() > kMeasuredMax) out.resize(kMeasuredMax);
  return out;
}

// Settings are read of what is told alone, for that is slow.
MeasuredTrial measured_of(const Reader& reader, const Training& training) {
  const Selection found = reader.select(kMeasured, {training.trial});
  const std::vector<Value>& row = found.rows.at(0);
  MeasuredTrial out{.settings = from_json<TrialSettings>(parse_json(std::get<std::string>(row[0]))),
                    .tokens = std::get<int64_t>(row[1]),
                    .seconds = std::get<double>(row[2]),
                    .device = training.device,
                    .memory_peak_bytes = std::get<int64_t>(row[3])};
  if (is_of_cores(training)) {
    out.threads = training.slot.threads;
    out.processor = training.slot.processor;
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
  for (const Training& training : newest_trainings(reader)) out.push_back(measured_of(reader, training));
  return out;
}

}  // namespace ranktide
