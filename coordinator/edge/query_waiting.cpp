#include "coordinator/edge/query_waiting.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "common/vocabulary/readable.h"
#include "coordinator/core/needs.h"

namespace ranktide {

namespace {

struct ReadyUnit {
  std::string id;
  int64_t predicted_bytes = 0;
  bool is_trial = true;
  bool is_bound = false;  // to where the weights lie that it needs
};

// What another sweep asks for, of the units that it wants too.
struct OtherWish {
  SlotNeeds needs;
  std::set<std::string> units;
};

SlotNeeds needs_in(const Value& column) {
  return from_json<SlotNeeds>(parse_json(std::get<std::string>(column)));
}

std::vector<Slot> slots_here(const Reader& reader) {
  std::vector<Slot> out;
  for (const auto& row : reader.select("SELECT slots FROM worker WHERE state='joined' ORDER BY name").rows)
    for (Slot& slot : from_json<std::vector<Slot>>(parse_json(std::get<std::string>(row[0]))))
      out.push_back(std::move(slot));
  return out;
}

constexpr const char* kReadyStages =
    "SELECT DISTINCT g.id, g.train_bytes, t.model_from IS NOT NULL FROM listed l JOIN sweep w ON w.id=l.sweep"
    " JOIN stage g ON g.number=l.stage JOIN trial t ON t.id=l.trial"
    " WHERE w.name=?1 AND g.state='ready' AND NOT l.cancelled";
// Those that start from what a worker has that is not here, and its name. `trial:` comes before the source's
// id.
constexpr const char* kAwaySources =
    "SELECT count(DISTINCT g.id), coalesce(group_concat(DISTINCT a.worker), '') FROM listed l"
    " JOIN sweep w ON w.id=l.sweep JOIN stage g ON g.number=l.stage JOIN trial t ON t.id=l.trial"
    " JOIN trial s ON s.id=substr(t.model_from, 7, 64) JOIN stage k ON k.number=s.stage"
    " JOIN attempt a ON a.unit=k.id AND a.attempt=k.attempt"
    " LEFT JOIN worker h ON h.name=a.worker AND h.state='joined'"
    " WHERE w.name=?1 AND g.state='ready' AND NOT l.cancelled AND h.name IS NULL";
// Of the untouched base, and of stages that ended before somebody asked.
constexpr const char* kReadyEvals =
    "SELECT e.id, max(g.forward_bytes), e.subject<>t.base FROM listed_eval l JOIN sweep w ON w.id=l.sweep JOIN "
    "eval e ON "
    "e.id=l.eval JOIN trial t ON t.id=l.trial JOIN stage g ON g.number=t.stage"
    " WHERE w.name=?1 AND e.state='wanted' AND NOT l.cancelled AND (e.subject=t.base OR e.subject=g.id AND "
    "g.state='completed')"
    " AND NOT EXISTS(SELECT 1 FROM attempt a WHERE a.unit=e.id AND a.ended IS NULL) GROUP BY e.id";

std::vector<ReadyUnit> ready_units(const Reader& reader, const std::string& sweep) {
  std::vector<ReadyUnit> out;
  for (const bool is_trial : {true, false})
    for (const auto& row : reader.select(is_trial ? kReadyStages : kReadyEvals, {sweep}).rows)
      out.push_back({.id = std::get<std::string>(row[0]),
                     .predicted_bytes = std::get<int64_t>(row[1]),
                     .is_trial = is_trial,
                     .is_bound = std::get<int64_t>(row[2]) != 0});
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
  if (unit.is_bound) return needs_of_bound(unit.is_trial ? WorkKind::train : WorkKind::evaluate, needs);
  return needs;
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

std::string waiting_message(const WaitingUnits& w) {
  const bool is_one = w.trials + w.evals == 1;
  const bool is_memory_alone = w.labels.empty() && w.gpus == 0;
  std::string out = fmt::format("{} {} for a slot that fits: {} {}; ", subject_of(w), is_one ? "waits" : "wait",
                                is_one ? "it needs" : "they need", needs_text(w));
  if (is_memory_alone && w.slots == 1)
    return out + fmt::format("the only slot has {} (run.needs.memory sets another figure)",
                             bytes_text(static_cast<double>(w.slot_bytes_max)));
  if (is_memory_alone)
    return out + fmt::format("the largest of {} slots has {} (run.needs.memory sets another figure)", w.slots,
                             bytes_text(static_cast<double>(w.slot_bytes_max)));
  const std::string which = w.slots == 1 ? "the only slot lacks some of that"
                                         : fmt::format("none of {} slots has all of that", w.slots);
  return out + which + " (see run.needs of the sweep)";
}

std::optional<WaitingUnits> waiting_for_sources(const Reader& reader, const std::string& sweep, int64_t slots) {
  const auto row = reader.select(kAwaySources, {sweep}).rows.at(0);
  WaitingUnits waiting{.trials = std::get<int64_t>(row[0]), .slots = slots};
  if (waiting.trials == 0) return std::nullopt;
  const std::string workers = std::get<std::string>(row[1]);
  const bool is_one = workers.find(',') == std::string::npos;
  waiting.message = fmt::format("{} {} for {} {}, which {} what {} from and {} not here",
                                counted(waiting.trials, "trial"), waiting.trials == 1 ? "waits" : "wait",
                                is_one ? "worker" : "workers", workers, is_one ? "has" : "have",
                                waiting.trials == 1 ? "it starts" : "they start", is_one ? "is" : "are");
  return waiting;
}

}  // namespace

std::optional<WaitingUnits> waiting_units(const Reader& reader, const std::string& sweep) {
  const std::vector<Slot> slots = slots_here(reader);
  if (slots.empty()) return std::nullopt;
  const SlotNeeds own = needs_in(reader.select("SELECT needs FROM sweep WHERE name=?1", {sweep}).rows.at(0)[0]);
  const std::vector<OtherWish> others = other_wishes(reader, sweep);
  WaitingUnits waiting{.slots = static_cast<int64_t>(slots.size())};
  for (const Slot& slot : slots) waiting.slot_bytes_max = std::max(waiting.slot_bytes_max, slot.memory_bytes);
  for (const ReadyUnit& unit : ready_units(reader, sweep)) {
    const SlotNeeds needs = needs_of(unit, own, others);
    const bool fits = std::any_of(slots.begin(), slots.end(),
                                  [&](const Slot& slot) { return has(slot, needs, unit.predicted_bytes); });
    if (!fits) add(waiting, unit, needs);
  }
  if (waiting.trials + waiting.evals == 0) return waiting_for_sources(reader, sweep, std::ssize(slots));
  waiting.message = waiting_message(waiting);
  return waiting;
}

}  // namespace ranktide
