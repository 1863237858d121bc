#include "coordinator/edge/query_waiting.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <map>
#include <set>

#include "common/model/admitted_bytes.h"
#include "common/vocabulary/readable.h"
#include "coordinator/core/needs.h"

namespace ranktide {

namespace {

struct ReadyUnit {
  std::string id;
  WorkKind kind = WorkKind::train;
  PredictedMemory memory{};
  std::string home{};    // the worker where the weights lie that it needs; empty: any worker may run it
  std::string source{};  // the trial that left them
};

using SlotsByWorker = std::map<std::string, std::vector<Slot>>;  // of those that are here

// What another sweep asks for, of the units that it wants too.
struct OtherWish {
  SlotNeeds needs;
  std::set<std::string> units;
};

struct Wishes {
  SlotNeeds own;
  std::vector<OtherWish> others;
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

constexpr int64_t kWithoutEnd = std::numeric_limits<int64_t>::max();

// `trial:` comes before the source's id. What a trial needs where bf16 is multiplied as it is stands in the
// record that listed it: read, for texts are slow, for those alone that may not fit.
constexpr const char* kReadyStages =
    "SELECT DISTINCT g.id, g.train_bytes, coalesce(a.worker, ''), coalesce(s.id, ''),"
    " CASE WHEN g.train_bytes + g.train_bytes / 20 > ?2 THEN (SELECT json_extract(r.body, "
    "'$.memory.as_it_is_bytes') FROM record r"
    " WHERE r.seq=t.listed_in) END FROM listed l JOIN sweep w ON w.id=l.sweep"
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

// Of a trial that is admitted with more than `told_above` bytes it is told what it takes on either kind of
// slot.
std::vector<ReadyUnit> ready_trials(const Reader& reader, const std::string& sweep, int64_t told_above) {
  std::vector<ReadyUnit> out;
  for (const auto& row : reader.select(kReadyStages, {sweep, told_above}).rows) {
    out.push_back({.id = std::get<std::string>(row[0]),
                   .kind = WorkKind::train,
                   .memory = {.train_bytes = std::get<int64_t>(row[1])},
                   .home = std::get<std::string>(row[2]),
                   .source = std::get<std::string>(row[3])});
    if (const auto* as_it_is = std::get_if<int64_t>(&row[4])) out.back().memory.as_it_is_bytes = *as_it_is;
  }
  return out;
}

std::vector<ReadyUnit> ready_units(const Reader& reader, const std::string& sweep,
                                   int64_t told_above = kWithoutEnd) {
  std::vector<ReadyUnit> out = ready_trials(reader, sweep, told_above);
  for (const auto& row : reader.select(kReadyEvals, {sweep}).rows)
    out.push_back({.id = std::get<std::string>(row[0]),
                   .kind = WorkKind::evaluate,
                   .memory = {.forward_bytes = std::get<int64_t>(row[1])},
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
SlotNeeds most_demanding(const SlotNeeds& a, const SlotNeeds& b, int64_t otherwise) {
  SlotNeeds out{
      .memory_bytes = std::max(a.memory_bytes.value_or(otherwise), b.memory_bytes.value_or(otherwise)),
      .labels = a.labels,
      .gpus = std::max(a.gpus, b.gpus)};
  for (const std::string& label : b.labels)
    if (std::find(out.labels.begin(), out.labels.end(), label) == out.labels.end()) out.labels.push_back(label);
  return out;
}

SlotNeeds needs_of(const ReadyUnit& unit, const Wishes& wishes, int64_t predicted_bytes) {
  SlotNeeds needs = wishes.own;
  for (const OtherWish& other : wishes.others)
    if (other.units.contains(unit.id))
      needs = most_demanding(needs, other.needs, admitted_bytes(predicted_bytes));
  if (!unit.home.empty()) return needs_of_bound(unit.kind, needs);
  return needs;
}

void add(WaitingUnits& waiting, const ReadyUnit& unit, const SlotNeeds& needs, int64_t predicted_bytes) {
  const int64_t bytes = needs.memory_bytes.value_or(admitted_bytes(predicted_bytes));
  const bool is_first = waiting.trials + waiting.evals == 0;
  waiting.memory_bytes_min = is_first ? bytes : std::min(waiting.memory_bytes_min, bytes);
  waiting.memory_bytes_max = std::max(waiting.memory_bytes_max, bytes);
  waiting.labels = most_demanding({.labels = waiting.labels}, needs, 0).labels;
  waiting.gpus = std::max(waiting.gpus, needs.gpus);
  ++(unit.kind == WorkKind::train ? waiting.trials : waiting.evals);
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

bool may_run_on(const ReadyUnit& unit, const std::string& worker) {
  return unit.home.empty() || unit.home == worker;
}

bool has_slot_for(const ReadyUnit& unit, const Wishes& wishes, const SlotsByWorker& here) {
  std::map<int64_t, SlotNeeds> needs;  // by what is predicted, of which there are two at most
  const auto fits = [&](const Slot& slot) {
    const int64_t bytes = predicted_bytes(unit.kind, unit.memory, slot);
    if (!needs.contains(bytes)) needs.emplace(bytes, needs_of(unit, wishes, bytes));
    return has(slot, needs.at(bytes), bytes);
  };
  return std::any_of(here.begin(), here.end(), [&](const auto& worker) {
    return may_run_on(unit, worker.first) && std::any_of(worker.second.begin(), worker.second.end(), fits);
  });
}

// Returns: what is predicted of it on the largest slot, which people are told of.
int64_t bytes_on_largest(const ReadyUnit& unit, const SlotsByWorker& here) {
  Slot largest;
  for (const auto& [worker, slots] : here)
    for (const Slot& slot : slots)
      if (may_run_on(unit, worker) && slot.memory_bytes >= largest.memory_bytes) largest = slot;
  return predicted_bytes(unit.kind, unit.memory, largest);
}

// Where all slots are that large, what a trial takes is not asked further.
int64_t least_slot_bytes(const SlotsByWorker& here) {
  int64_t least = kWithoutEnd;
  for (const auto& [worker, slots] : here)
    for (const Slot& slot : slots)
      if (slot.memory_bytes > 0) least = std::min(least, slot.memory_bytes);
  return least;
}

// Where the weights lie that a unit needs it may run, and anywhere once the coordinator has them too.
Found look_through(const Reader& reader, const std::string& sweep, const SlotsByWorker& here) {
  const Wishes wishes{
      .own = needs_in(reader.select("SELECT needs FROM sweep WHERE name=?1", {sweep}).rows.at(0)[0]),
      .others = other_wishes(reader, sweep)};
  Found out;
  for (ReadyUnit& unit : ready_units(reader, sweep, least_slot_bytes(here))) {
    if (has_slot_for(unit, wishes, here)) continue;
    const bool is_away = !unit.home.empty() && !here.contains(unit.home);
    if (!unit.home.empty() && has_artifacts(reader, unit.source)) {
      unit.home.clear();
    } else if (is_away) {
      ++(unit.kind == WorkKind::train ? out.away.trials : out.away.evals);
      out.away.workers.insert(unit.home);
      continue;
    }
    if (has_slot_for(unit, wishes, here)) continue;
    const int64_t predicted = bytes_on_largest(unit, here);
    add(out.misfits, unit, needs_of(unit, wishes, predicted), predicted);
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
