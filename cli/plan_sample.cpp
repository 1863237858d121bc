#include "cli/plan_sample.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

namespace ranktide::cli {
namespace {

// Beside the census's groups: the place among them of the one whose trial stands for the group's.
using StandIns = std::vector<uint32_t>;

// Where rates are sampled each sample has a group of its own for every length.
constexpr int64_t kLengthsMax = 64;

// What a step takes, and how many there are, are worked out by themselves, as many trials agree in one of them:
// with four budgets there are four times as many kinds as there are rates.
struct Chosen {
  StandIns rates, lengths;
  StandIns drawn{};                // empty where none is: one trial stands for all of a stretch ...
  bool are_lengths_drawn = false;  // ... by its length, too
};

// Returns: of each group the first that tells the same; nullopt where they tell more than so many things.
std::optional<StandIns> first_of_each(const std::vector<TrialsAlike>& groups, size_t thing, int64_t most) {
  std::unordered_map<uint64_t, uint32_t> first;
  StandIns out;
  for (const TrialsAlike& group : groups) {
    out.push_back(first.try_emplace(group.told[thing], static_cast<uint32_t>(out.size())).first->second);
    if (std::ssize(first) > most) return std::nullopt;
  }
  return out;
}

// Groups that stand beside each other and for which one trial is worked out.
struct Stretch {
  size_t begin = 0, end = 0;
  int64_t trials = 0;
};

// Of one block each, so that no trial counts as another's. A block's first and last kind stand for no others:
// where values rise along the axes they cost least and most.
std::vector<Stretch> stretches_of(const std::vector<TrialsAlike>& groups, const Grid& grid, int64_t most) {
  const int64_t every = (std::ssize(groups) + most - 1) / most;
  const auto block = [&](size_t group) { return grid.block_at(groups[group].sample); };
  std::vector<Stretch> out;
  int64_t room = 0;  // groups that still go to the last of out
  for (size_t i = 0; i < groups.size(); ++i) {
    const bool is_first = i == 0 || block(i) != block(i - 1);
    const bool is_last = i + 1 == groups.size() || block(i) != block(i + 1);
    if (room == 0 || is_first || is_last) {
      out.push_back({.begin = i});
      room = is_first || is_last ? 1 : every;
    }
    out.back().end = i + 1;
    out.back().trials += groups[i].trials;
    --room;
  }
  return out;
}

// By chance as a hash has it, as no axis does: else one of them might keep step with the choice. Each trial is
// as likely, so that in the mean sums are those of all trials.
uint32_t drawn_from(const std::vector<TrialsAlike>& groups, const Stretch& stretch) {
  auto hash = static_cast<uint64_t>(groups[stretch.begin].sample) * 0x9e3779b97f4a7c15;
  hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
  auto at = static_cast<int64_t>((hash ^ hash >> 31) % static_cast<uint64_t>(stretch.trials));
  size_t i = stretch.begin;
  while (at >= groups[i].trials) at -= groups[i++].trials;
  return static_cast<uint32_t>(i);
}

StandIns drawn_of(const std::vector<TrialsAlike>& groups, const Grid& grid, int64_t most) {
  StandIns out(groups.size());
  for (const Stretch& stretch : stretches_of(groups, grid, most))
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(stretch.begin),
              out.begin() + static_cast<std::ptrdiff_t>(stretch.end), drawn_from(groups, stretch));
  return out;
}

// Of more kinds than are worked out half as many are drawn: a plan that is an estimate need not be dearer than
// one that is none.
Chosen chosen_of(const std::vector<TrialsAlike>& groups, const Grid& grid, int64_t most) {
  const auto rates = first_of_each(groups, 0, most), lengths = first_of_each(groups, 1, most);
  if (rates && lengths) return {.rates = *rates, .lengths = *lengths};
  Chosen out{.rates = {}, .lengths = {}, .drawn = drawn_of(groups, grid, std::max<int64_t>(1, most / 2))};
  for (const uint32_t drawn : out.drawn) out.rates.push_back(rates ? (*rates)[drawn] : drawn);
  const auto few = rates ? std::nullopt : first_of_each(groups, 1, kLengthsMax);
  out.are_lengths_drawn = !few;
  out.lengths = few ? *few : out.drawn;
  return out;
}

// Lengths of trials, each resolved once.
class Lengths {
 public:
  Lengths(const SweepPlan& plan, const Grid& grid, const std::vector<TrialsAlike>& groups)
      : plan_(plan), grid_(grid), groups_(groups) {}

  const TrialLength& of(uint32_t group) {
    const auto [known, is_new] = known_.try_emplace(group);
    if (!is_new) return known->second;
    const auto sample = plan_.samples.find(groups_[group].sample);
    known->second = own_length(
        sample != plan_.samples.end() ? sample->second : sample_of(grid_, groups_[group]), plan_.spec.run);
    return known->second;
  }

 private:
  const SweepPlan& plan_;
  const Grid& grid_;
  const std::vector<TrialsAlike>& groups_;
  std::unordered_map<uint32_t, TrialLength> known_;
};

// Returns: the trial, resolved once.
const SweepTrial& sample_in(SweepPlan& plan, const Grid& grid, const TrialsAlike& alike) {
  const auto known = plan.samples.find(alike.sample);
  if (known != plan.samples.end()) return known->second;
  return plan.samples.emplace(alike.sample, sample_of(grid, alike)).first->second;
}

struct Counted {
  int64_t trials = 0;
  int64_t scouts = 0;
};
using Fates = std::map<std::pair<Fate, bool>, Counted>;  // by fate and left_less

// Returns: of the trials that the past knows, by place of their group.
std::map<size_t, Fates> fates_of(const SweepPlan& plan, const CellCensus& census) {
  std::map<size_t, Fates> out;
  const auto seeds = static_cast<int64_t>(plan.spec.seeds.size());
  for (const KnownTrial& trial : plan.known) {
    Counted& counted = out[census.group_of(trial.raw / seeds)][{trial.fate, trial.left_less}];
    ++counted.trials;
    counted.scouts += plan.spec.run.stop_early && trial.raw % seeds == 0 ? 1 : 0;
  }
  return out;
}

// Visits as many groups as one kind of trials has fates. A kind has whole cells, so that its scouts need not be
// looked for; of a part of a sweep it has about as many.
template <class Visit>
void for_each_fate(const SweepPlan& plan, const TrialsAlike& all, const Fates& fates, const Visit& visit) {
  const int64_t seeds = plan.spec.run.stop_early ? std::ssize(plan.spec.seeds) : 0;
  Counted fresh{.trials = all.trials, .scouts = seeds > 0 ? all.trials / seeds : 0};
  const auto group = [&](const Counted& counted, Fate fate, bool left_less) {
    return PlannedGroup{
        .blocks = {}, .trials = counted.trials, .scouts = counted.scouts, .fate = fate, .left_less = left_less};
  };
  for (const auto& [fate, counted] : fates) {
    visit(group(counted, fate.first, fate.second));
    fresh.trials -= counted.trials;
    fresh.scouts = std::max<int64_t>(0, fresh.scouts - counted.scouts);
  }
  if (fresh.trials > 0) visit(group(fresh, Fate::fresh, false));
}

// Adds to the group from `begin` on that differs in its number of trials alone, so that there are as many
// groups as were worked out and not as there are kinds.
void count_in(std::vector<PlannedGroup>& groups, size_t begin, PlannedGroup group, const SweepTrial& costed) {
  const auto same = std::find_if(
      groups.begin() + static_cast<std::ptrdiff_t>(begin), groups.end(), [&](const PlannedGroup& each) {
        return each.length == group.length && each.fate == group.fate && each.left_less == group.left_less;
      });
  if (same != groups.end()) {
    same->trials += group.trials;
    same->scouts += group.scouts;
    return;
  }
  group.costs_as = costed.index;
  group.blocks = costed.blocks;
  groups.push_back(std::move(group));
}

}  // namespace

void group_up(SweepPlan& plan, const Grid& grid, const CellCensus& census) {
  const std::vector<TrialsAlike>& kinds = census.groups();
  const Chosen chosen = chosen_of(kinds, grid, plan.costed_max);
  const std::map<size_t, Fates> fates = fates_of(plan, census);
  plan.samples.clear();
  plan.groups.clear();
  plan.drawn_from.clear();
  Lengths lengths(plan, grid, kinds);
  const SweepTrial* costed = nullptr;
  size_t begin = 0;  // of the groups that may be the same
  for (size_t i = 0; i < kinds.size(); ++i) {
    const bool is_drawn_anew = !chosen.drawn.empty() && (i == 0 || chosen.drawn[i] != chosen.drawn[i - 1]);
    if (i == 0 || chosen.rates[i] != chosen.rates[i - 1])
      costed = &sample_in(plan, grid, kinds[chosen.rates[i]]);
    if (is_drawn_anew) plan.drawn_from.push_back(plan.groups.size());
    if (is_drawn_anew || chosen.drawn.empty()) begin = plan.groups.size();
    const TrialLength length = lengths.of(chosen.lengths[i]);
    const auto known = fates.find(i);
    for_each_fate(plan, kinds[i], known == fates.end() ? Fates{} : known->second, [&](PlannedGroup group) {
      group.length = length;
      count_in(plan.groups, begin, std::move(group), *costed);
    });
  }
  plan.kinds = std::ssize(kinds);
  plan.worked_out = chosen.drawn.empty() ? plan.kinds : std::ssize(plan.drawn_from);
  plan.are_lengths_exact = !chosen.are_lengths_drawn;
}

double spread_of_samples(const SweepPlan& plan) {
  double sum = 0, square = 0, before = 0;
  for (size_t drawn = 0; drawn < plan.drawn_from.size(); ++drawn) {
    const bool is_last = drawn + 1 == plan.drawn_from.size();
    const size_t end = is_last ? plan.groups.size() : plan.drawn_from[drawn + 1];
    double amount = 0, price = 0;
    for (size_t i = plan.drawn_from[drawn]; i < end; ++i) {
      const PlannedGroup& group = plan.groups[i];
      if (!group.cost) return 0;
      const double units = plan.are_lengths_exact ? static_cast<double>(group.length.steps) : 1;
      if (amount == 0) price = group.cost->seconds / units;
      amount += static_cast<double>(group.trials) * units;
    }
    const double apart = drawn == 0 ? 0 : amount * (price - before);
    square += apart * apart / 2;
    sum += amount * price;
    before = price;
  }
  return sum > 0 ? 2 * std::sqrt(square) / sum : 0;
}

}  // namespace ranktide::cli
