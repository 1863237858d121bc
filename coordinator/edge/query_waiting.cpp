#include "coordinator/edge/query_waiting.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>

#include "common/vocabulary/readable.h"
#include "coordinator/core/needs.h"

namespace ranktide {

namespace {

struct ReadyUnit {
  std::string id;
  int64_t predicted_bytes = 0;
  bool is_trial = true;
  std::string home{};    // the worker where the weights lie that it needs; empty: any worker may run it
  std::string source{};  // the trial that left them
};

using SlotsByWorker = std::map<std::string, std::vector<Slot>>;  // of those that are here

// What another sweep asks for, of the units that it wants too.
struct OtherWish {
  SlotNeeds needs;
  std::set<std::string> units;
};

SlotNeeds needs_in(const Value& column) {
  return from_json<SlotNeeds>(parse_json(std::get<std::string>(column)));
}

SlotsByWorker slots_here(const Reader& reader) {
  SlotsByWorker out;
  for (const auto& row : reader.select("SELECT name, slots FROM worker WHERE state='joined'").rows)
    out[std::get<std::string>(row[0])] =
        from_json<std::vector<Slot>>(parse_json(std::get<std::string>(row[1])));
  return out;
}

// `trial:` comes before the source's id.
constexpr const char* kReadyStages =
    "SELECT DISTINCT g.id, g.train_bytes, coalesce(a.worker, ''), coalesce(s.id, '') FROM listed l JOIN sweep "
    "w ON w.id=l.sweep"
    " JOIN stage g ON g.number=l.stage JOIN trial t ON t.id=l.trial"
    " LEFT JOIN trial s ON s.id=substr(t.model_from, 7, 64) LEFT JOIN stage k ON k.number=s.stage"
    " LEFT JOIN attempt a ON a.unit=k.id AND a.attempt=k.attempt"
    " WHERE w.name=?1 AND g.state='ready' AND NOT l.cancelled";
// Of the untouched base, and of stages that ended before somebody asked.
constexpr const char* kReadyEvals =
    "SELECT e.id, max(g.forward_bytes), max(CASE WHEN e.subject=g.id THEN coalesce(a.worker, '') ELSE '' END),"
    " max(CASE WHEN e.subject=g.id THEN t.id ELSE '' END)"
    " FROM listed_eval l JOIN sweep w ON w.id=l.sweep JOIN eval e ON e.id=l.eval"
    " JOIN trial t ON t.id=l.trial JOIN stage g ON g.number=t.stage"
    " LEFT JOIN attempt a ON a.unit=g.id AND a.attempt=g.attempt"
    " WHERE w.name=?1 AND e.state='wanted' AND NOT l.cancelled AND (e.subject=t.base OR e.subject=g.id AND "
    "g.state='completed')"
    " AND NOT EXISTS(SELECT 1 FROM attempt r WHERE r.unit=e.id AND r.ended IS NULL) GROUP BY e.id";

std::vector<ReadyUnit> ready_units(const Reader& reader, const std::string& sweep) {
  std::vector<ReadyUnit> out;
  for (const bool is_trial : {true, false})
    for (const auto& row : reader.select(is_trial ? kReadyStages : kReadyEvals, {sweep}).rows)
      out.push_back({.id = std::get<std::string>(row[0]),
                     .predicted_bytes = std::get<int64_t>(row[1]),
                     .is_trial = is_trial,
                     .home = std::get<std::string>(row[2]),
                     .source = std::get<std::string>(row[3])});
  return out;
}

// Few sweeps ask for anything, so the others are not looked through.
std::vector<OtherWish> other_wishes(const Reader& reader, const std::string& sweep) {
  std::vector<OtherWish> out;
  const auto sweeps = reader.select(
      "SELECT name, needs FROM sweep WHERE name<>?1 AND needs NOT IN ('{}', ?2) AND state NOT IN ('cancelled', "
      "'stopped')",
      {sweep, to_json(SlotNeeds{}).dump()});
  for (const auto& row : sweeps.rows) {
    OtherWish wish{.needs = needs_in(row[1]), .units = {}};
    for (const ReadyUnit& unit : ready_units(reader, std::get<std::string>(row[0]))) wish.units.insert(unit.id);
    out.push_back(std::move(wish));
  }
  return out;
}

// Each part as the most demanding asks for it.
SlotNeeds most_demanding(const SlotNeeds& a, const SlotNeeds& b, int64_t predicted_bytes) {
  SlotNeeds out{.memory_bytes = std::max(a.memory_bytes.value_or(predicted_bytes),
                                         b.memory_bytes.value_or(predicted_bytes)),
                .labels = a.labels,
                .gpus = std::max(a.gpus, b.gpus)};
  for (const std::string& label : b.labels)
    if (std::find(out.labels.begin(), out.labels.end(), label) == out.labels.end()) out.labels.push_back(label);
  return out;
}

SlotNeeds needs_of(const ReadyUnit& unit, const SlotNeeds& own, const std::vector<OtherWish>& others) {
  SlotNeeds needs = own;
  for (const OtherWish& other : others)
    if (other.units.contains(unit.id)) needs = most_demanding(needs, other.needs, unit.predicted_bytes);
  if (!unit.home.empty()) return needs_of_bound(unit.is_trial ? WorkKind::train : WorkKind::evaluate, needs);
  return needs;
}

bool has_one(const std::vector<Slot>& slots, const SlotNeeds& needs, int64_t predicted_bytes) {
  return std::any_of(slots.begin(), slots.end(),
                     [&](const Slot& slot) { return has(slot, needs, predicted_bytes); });
}

void add(WaitingUnits& waiting, const ReadyUnit& unit, const SlotNeeds& needs) {
  const int64_t bytes = needs.memory_bytes.value_or(unit.predicted_bytes);
  const bool is_first = waiting.trials + waiting.evals == 0;
  waiting.memory_bytes_min = is_first ? bytes : std::min(waiting.memory_bytes_min, bytes);
  waiting.memory_bytes_max = std::max(waiting.memory_bytes_max, bytes);
  waiting.labels = most_demanding({.labels = waiting.labels}, needs, 0).labels;
  waiting.gpus = std::max(waiting.gpus, needs.gpus);
  ++(unit.is_trial ? waiting.trials : waiting.evals);
}

// ---- for people

std::string subject_of(const WaitingUnits& w) {
  std::string out = w.trials > 0 ? counted(w.trials, "trial") : "";
  if (w.evals > 0) out += (out.empty() ? "" : " and ") + counted(w.evals, "eval");
  return out;
}

std::string needs_text(const WaitingUnits& w) {
  std::vector<std::string> parts;
  const std::string most = bytes_text(static_cast<double>(w.memory_bytes_max));
  if (w.memory_bytes_max > 0)
    parts.push_back(bytes_text(static_cast<double>(w.memory_bytes_min)) == most
                        ? most
                        : bytes_text(static_cast<double>(w.memory_bytes_min)) + " to " + most);
  if (!w.labels.empty())
    parts.push_back(fmt::format("{} {}", w.labels.size() == 1 ? "label" : "labels", fmt::join(w.labels, ", ")));
  if (w.gpus > 0) parts.emplace_back("a GPU");
  return fmt::format("{}", fmt::join(parts, " and "));
}

// `homes`: the workers that alone may run all of it; none: anybody may run some of it.
std::string waiting_message(const WaitingUnits& w, const std::set<std::string>& homes) {
  const bool is_one = w.trials + w.evals == 1;
  const bool is_memory_alone = w.labels.empty() && w.gpus == 0;
  std::string of_whom;
  if (!homes.empty())
    of_whom = fmt::format(" of {}, where what {} from lies,", fmt::join(homes, ", "),
                          is_one ? "it starts" : "they start");
  std::string out = fmt::format("{} {} for a slot that fits: {} {}; ", subject_of(w), is_one ? "waits" : "wait",
                                is_one ? "it needs" : "they need", needs_text(w));
  if (is_memory_alone)
    return out + fmt::format("{}{} has {} (run.needs.memory sets another figure)",
                             w.slots == 1 ? "the only slot" : fmt::format("the largest of {} slots", w.slots),
                             of_whom, bytes_text(static_cast<double>(w.slot_bytes_max)));
  const std::string which = w.slots == 1 ? "the only slot" : fmt::format("none of {} slots", w.slots);
  return out + which + of_whom + (w.slots == 1 ? " lacks some of that" : " has all of that") +
         " (see run.needs of the sweep)";
}

// What waits for workers that are not here.
struct Away {
  int64_t trials = 0;
  int64_t evals = 0;
  std::set<std::string> workers;
};

std::string away_message(const Away& away) {
  const bool is_one = away.workers.size() == 1;
  const bool is_one_unit = away.trials + away.evals == 1;
  const std::string needs = away.evals == 0 ? (is_one_unit ? "what it starts from" : "what they start from")
                            : is_one_unit   ? "the weights that it reads"
                                            : "the weights that they need";
  return fmt::format("{} {} for {} {}, which {} {} and {} not here",
                     subject_of({.trials = away.trials, .evals = away.evals}), is_one_unit ? "waits" : "wait",
                     is_one ? "worker" : "workers", fmt::join(away.workers, ", "), is_one ? "has" : "have",
                     needs, is_one ? "is" : "are");
}

// Returns: what `source` left, and the full weights under it where it is an adapter that lies on another
// trial's: as artifacts_needed() names them.
std::vector<std::string> artifacts_under(const Reader& reader, const std::string& source) {
  std::vector<std::string> out{source};
  std::string at = source;
  for (;;) {
    const auto row =
        reader.select("SELECT method, substr(model_from, 7, 64) FROM trial WHERE id=?1", {at}).rows;
    if (row.empty()) return out;
    const bool is_full = std::get<std::string>(row.at(0)[0]) == "full";
    if (is_full && at != source) out.push_back(at);
    if (is_full || !std::holds_alternative<std::string>(row.at(0)[1])) return out;
    at = std::get<std::string>(row.at(0)[1]);
  }
}

// Whoever runs it fetches all of it from there.
bool has_artifacts(const Reader& reader, const std::string& source) {
  const std::vector<std::string> needed = artifacts_under(reader, source);
  return std::all_of(needed.begin(), needed.end(), [&](const std::string& trial) {
    return std::filesystem::is_directory(reader.data_folder() / "artifacts" / trial);
  });
}

void offer(WaitingUnits& waiting, const std::vector<Slot>& slots) {
  waiting.slots += std::ssize(slots);
  for (const Slot& slot : slots) waiting.slot_bytes_max = std::max(waiting.slot_bytes_max, slot.memory_bytes);
}

// What of the sweep nobody can run now.
struct Found {
  WaitingUnits misfits;
  std::set<std::string> homes;  // of these; empty text: anybody's
  Away away;
};

bool has_slot_for(const ReadyUnit& unit, const SlotNeeds& needs, const SlotsByWorker& here) {
  return std::any_of(here.begin(), here.end(), [&](const auto& worker) {
    return (unit.home.empty() || unit.home == worker.first) &&
           has_one(worker.second, needs, unit.predicted_bytes);
  });
}

// Where the weights lie that a unit needs it may run, and anywhere once the coordinator has them too.
Found look_through(const Reader& reader, const std::string& sweep, const SlotsByWorker& here) {
  const SlotNeeds own = needs_in(reader.select("SELECT needs FROM sweep WHERE name=?1", {sweep}).rows.at(0)[0]);
  const std::vector<OtherWish> others = other_wishes(reader, sweep);
  Found out;
  for (ReadyUnit& unit : ready_units(reader, sweep)) {
    if (has_slot_for(unit, needs_of(unit, own, others), here)) continue;
    const bool is_away = !unit.home.empty() && !here.contains(unit.home);
    if (!unit.home.empty() && has_artifacts(reader, unit.source)) {
      unit.home.clear();
    } else if (is_away) {
      ++(unit.is_trial ? out.away.trials : out.away.evals);
      out.away.workers.insert(unit.home);
      continue;
    }
    const SlotNeeds needs = needs_of(unit, own, others);
    if (has_slot_for(unit, needs, here)) continue;
    add(out.misfits, unit, needs);
    out.homes.insert(unit.home);
  }
  return out;
}

}  // namespace

std::optional<WaitingUnits> waiting_units(const Reader& reader, const std::string& sweep) {
  const SlotsByWorker here = slots_here(reader);
  if (here.empty()) return std::nullopt;
  auto [waiting, homes, away] = look_through(reader, sweep, here);
  if (homes.contains("")) homes.clear();
  for (const auto& [worker, slots] : here)
    if (homes.empty() || homes.contains(worker)) offer(waiting, slots);
  if (waiting.trials + waiting.evals > 0) {
    waiting.message = waiting_message(waiting, homes);
    return waiting;
  }
  if (away.trials + away.evals == 0) return std::nullopt;
  waiting.trials = away.trials;
  waiting.evals = away.evals;
  waiting.message = away_message(away);
  return waiting;
}

}  // namespace ranktide
