#include "common/sweep/shared_work.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <set>
#include <string_view>

#include "common/sweep/axis_reach.h"
#include "common/sweep/beside_cells.h"
#include "common/sweep/taken_trials.h"
#include "common/sweep/trunk.h"

namespace ranktide {
namespace {

bool varies_budget(const Axis& axis) {
  return axis.points.size() > 1 && sets_budget(axis);
}

// What says where a trial leaves a trunk, and how many evals are on it.
bool tells_of_a_trunk(const Setting& setting) {
  static const std::set<std::string_view> kRate{"train.schedule", "train.warmup", "train.cooldown",
                                                "train.batch"};
  for (const std::string_view section : {"budget.", "model.", "data.", "eval."})
    if (setting.key.starts_with(section)) return true;
  return kRate.contains(setting.key);
}

// Whatever else an axis of budgets reaches may keep trials apart that stand beside each other. What it does not
// reach is the same in all of them.
void add_reached(const Block& block, Telling& out) {
  AxisSet budgets = 0;
  for (size_t axis = 0; axis < block.axes.size(); ++axis)
    if (varies_budget(block.axes[axis])) budgets |= AxisSet{1} << axis;
  if (budgets == 0) return;
  const AxisReach reach(block);
  for (const Setting& setting : settings()) {
    const std::string key(setting.key);
    if (setting.part == SettingPart::training && (reach.of_setting(key).axes & budgets))
      out.by_value.insert(key);
  }
}

constexpr uint32_t kNotListed = std::numeric_limits<uint32_t>::max();

// Beside BesideCells::offsets: the group that the cell's trial is of.
using PlaceKind = std::vector<uint32_t>;

// Places of one kind: trials there differ in nothing that a trunk hangs on.
struct AlikePlaces {
  int64_t first = 0;  // the first of them: raw index of its lowest cell, listed or not
  int64_t places = 0;
  std::vector<size_t> listed{};  // of BesideCells::offsets
};

std::vector<size_t> listed_in(const PlaceKind& kind) {
  std::vector<size_t> out;
  for (size_t i = 0; i < kind.size(); ++i)
    if (kind[i] != kNotListed) out.push_back(i);
  return out;
}

// The cells of one block, by number over all of them.
struct BlockSpan {
  const Block& block;
  int64_t first = 0;
};

// Returns: the kinds of places, by the first of each, where two trials or more are listed.
std::vector<AlikePlaces> places_in(const Grid& grid, const CellCensus& census, size_t telling,
                                   const BlockSpan& span, const BesideCells& beside) {
  const SweepSpec& spec = grid.spec();
  const auto seeds = static_cast<int64_t>(spec.seeds.size());
  const int64_t seeds_apart = spec.taken ? seeds : 1;  // else one stands for all
  std::map<PlaceKind, size_t> known;
  std::vector<AlikePlaces> out;
  PlaceKind kind(beside.offsets().size());
  for (int64_t cell = 0; cell < crossed_cells(span.block); ++cell) {
    if (beside.first_of(cell) != cell) continue;
    for (int64_t seed = 0; seed < seeds_apart; ++seed) {
      for (size_t i = 0; i < kind.size(); ++i) {
        const int64_t own = span.first + cell + beside.offsets()[i];
        const bool is_listed = census.lists(own) && takes(spec, own * seeds + seed);
        kind[i] = is_listed ? static_cast<uint32_t>(census.group_of(own, telling)) : kNotListed;
      }
      const auto [place, is_new] = known.try_emplace(kind, out.size());
      if (is_new) out.push_back({.first = (span.first + cell) * seeds + seed, .listed = listed_in(kind)});
      out[place->second].places += seeds / seeds_apart;
    }
  }
  std::erase_if(out, [](const AlikePlaces& places) { return places.listed.size() < 2; });
  return out;
}

std::vector<SweepTrial> trials_at(const Grid& grid, const AlikePlaces& places, const BesideCells& beside) {
  std::vector<SweepTrial> out;
  for (const size_t i : places.listed) {
    const int64_t raw = places.first + beside.offsets()[i] * static_cast<int64_t>(grid.spec().seeds.size());
    out.push_back(grid.at(raw).value());
  }
  return out;
}

// Returns: what their lengths count; of more than one kind they cannot be added up.
std::set<std::string_view> kinds_of_length(const std::vector<SweepTrial>& trials) {
  std::set<std::string_view> out;
  for (const SweepTrial& trial : trials)
    out.insert(trial.steps > 0 ? "steps" : trial.settings.budget.tokens ? "tokens" : "epochs");
  return out;
}

// Of one trunk. Requires: the trials begin alike.
SharedWork work_of(const std::vector<SweepTrial>& trials) {
  SharedWork out{.trunks = 1};
  Step longest = 0;
  for (const SweepTrial& trial : trials) {
    const Step at = *shared_until(trial.settings.train, length_of(trial));
    ++out.trials;
    out.alone += length_of(trial);
    out.shared += length_of(trial) - at;
    longest = std::max(longest, at);
  }
  out.shared += longest;
  return out;
}

// Returns: those that leave a trunk somewhere and begin alike, together.
std::vector<std::vector<SweepTrial>> by_beginning(std::vector<SweepTrial> trials) {
  std::vector<std::vector<SweepTrial>> out;
  std::map<std::string, size_t> places;  // of out
  for (SweepTrial& trial : trials) {
    if (!shared_until(trial.settings.train, length_of(trial))) continue;
    const auto [place, is_new] = places.try_emplace(canonical_json(settings_on_trunk(trial)), out.size());
    if (is_new) out.emplace_back();
    out[place->second].push_back(std::move(trial));
  }
  return out;
}

std::string ratio_text(const SharedWork& work) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1fx", static_cast<double>(work.alone) / static_cast<double>(work.shared));
  return std::string(text) + " less work";
}

std::string names_of_budget_axes(const Block& block) {
  std::string out;
  for (const Axis& axis : block.axes)
    if (varies_budget(axis)) out += (out.empty() ? "" : " and ") + axis.name;
  return out;
}

// The same trials under the schedule that shares most: what a user could have.
std::string advice(std::vector<SweepTrial> trials) {
  for (SweepTrial& trial : trials) {
    trial.settings.train.schedule = Schedule::wsd;
    trial.settings.train.warmup = {.steps = 0, .share = {}};
    trial.settings.train.cooldown = {.steps = {}, .share = 0.2};
  }
  trials = that_begin_as(trials, trials.front());
  if (trials.size() < 2 || kinds_of_length(trials).size() > 1) return "";
  return "; with schedule wsd, warmup in steps and 20 % cooldown: " + ratio_text(work_of(trials)) +
         " on this axis";
}

void note_nothing_shared(const Block& block, const std::vector<SweepTrial>& trials,
                         std::vector<std::string>& lines) {
  const std::string why = why_nothing_shared(trials.front().settings.train);
  if (why.empty()) return;
  const std::string line = "none on " + names_of_budget_axes(block) + " (" + why + ")";
  const bool is_known =
      std::any_of(lines.begin(), lines.end(), [&](auto& each) { return each.starts_with(line); });
  if (!is_known) lines.push_back(line + advice(trials));
}

// Of one axis once: how many there are differs from place to place.
void note_too_much(const Block& block, const std::vector<SweepTrial>& trials, std::vector<std::string>& lines) {
  const std::string why = too_much_for_a_trunk(trials), head = "none on " + names_of_budget_axes(block) + " (";
  const bool is_known = std::any_of(lines.begin(), lines.end(), [&](auto& each) {
    return each.starts_with(head) && each.find(" at most") != std::string::npos;
  });
  if (!why.empty() && !is_known) lines.push_back(head + why + ")");
}

void note_too_many_beside(const Block& block, std::vector<std::string>& lines) {
  const std::string line = "none on " + names_of_budget_axes(block) + " (more than " +
                           std::to_string(kBesideCellsMax) +
                           " cells differ in that alone, and up to so many are looked at for a trunk)";
  if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
}

// Adds what one trunk saves at each of so many places.
void add(SharedWork& out, const SharedWork& trunk, int64_t places, const std::string& block) {
  out.trials += trunk.trials * places;
  out.trunks += trunk.trunks * places;
  out.alone += trunk.alone * places;
  out.shared += trunk.shared * places;
  out.saved[block] += (trunk.alone - trunk.shared) * places;
}

}  // namespace

// Drawn cells stand beside nothing; rows set by hand are inexact, and a trunk serves by being exact; what may
// be stopped early runs by itself.
std::optional<Telling> telling_for_sharing(const SweepSpec& spec) {
  if (spec.random || spec.run.microbatch || spec.run.stop_early) return std::nullopt;
  const bool varies = std::any_of(spec.blocks.begin(), spec.blocks.end(), [](const Block& block) {
    return std::any_of(block.axes.begin(), block.axes.end(), varies_budget);
  });
  if (!varies) return std::nullopt;
  Telling out;
  for (const Setting& setting : settings())
    if (tells_of_a_trunk(setting)) out.by_value.emplace(setting.key);
  for (const Block& block : spec.blocks) add_reached(block, out);
  return out;
}

SharedWork shared_work(const Grid& grid, const CellCensus& census, size_t telling, int64_t looks_max) {
  SharedWork out;
  std::set<std::string_view> kinds;
  int64_t looks = 0, first = 0;
  for (const Block& block : grid.spec().blocks) {
    const BlockSpan span{.block = block, .first = first};
    first += crossed_cells(block) + static_cast<int64_t>(block.include.size());
    const BesideCells beside(block);
    if (beside.are_too_many()) note_too_many_beside(block, out.nothing_on);
    if (beside.offsets().size() == 1) continue;
    for (const AlikePlaces& places : places_in(grid, census, telling, span, beside)) {
      looks += std::ssize(places.listed);
      out.is_of_all = looks <= looks_max;
      if (!out.is_of_all) break;
      const std::vector<SweepTrial> trials = trials_at(grid, places, beside);
      note_nothing_shared(block, trials, out.nothing_on);
      for (const std::vector<SweepTrial>& sharing : by_beginning(trials)) {
        if (!are_worth_a_trunk(sharing)) {
          note_too_much(block, sharing, out.nothing_on);
          continue;
        }
        add(out, work_of(sharing), places.places, block.name);
        kinds.merge(kinds_of_length(sharing));
      }
    }
    if (!out.is_of_all) break;
  }
  if (kinds.size() > 1) {
    out.alone = out.shared = 0;
    out.saved.clear();
  }
  return out;
}

SharedWork shared_work(const Grid& grid) {
  const auto telling = telling_for_sharing(grid.spec());
  return telling ? shared_work(grid, CellCensus(grid, {*telling}), 0) : SharedWork{};
}

std::vector<std::string> sharing_text(const SharedWork& work) {
  std::vector<std::string> out;
  if (work.trunks > 0)
    out.push_back(std::to_string(work.trials) + " trials begin with " + std::to_string(work.trunks) +
                  (work.trunks == 1 ? " trunk" : " trunks") +
                  (work.shared > 0 ? ": " + ratio_text(work) + " on them" : "") +
                  (work.is_of_all ? "" : ", of those that were looked at"));
  out.insert(out.end(), work.nothing_on.begin(), work.nothing_on.end());
  return out;
}

}  // namespace ranktide
