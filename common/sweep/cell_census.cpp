#include "common/sweep/cell_census.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "common/sweep/taken_trials.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr uint32_t kNoGroup = std::numeric_limits<uint32_t>::max();

// Every bit of a hash in every bit of what comes of it (SplitMix64's last step).
uint64_t mixed(uint64_t hash) {
  hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
  return hash ^ hash >> 31;
}

}  // namespace

// Equal cells stand side by side once they are sorted, the one that runs first.
CellCensus::CellCensus(const Grid& grid, const std::vector<Telling>& tellings) : grid_(grid) {
  const CellTeller teller(tellings);
  Grid::SeenCells seen;
  const auto cells = static_cast<size_t>(grid.raw_count_) / grid.spec_.seeds.size();
  seen.cells.reserve(cells);
  seen.told.assign(tellings.size(), std::vector<uint64_t>(cells));
  for (size_t block = 0; block < grid.blocks_.size(); ++block)
    counts_.push_back(grid.count_of(block, teller, seen));
  std::sort(seen.cells.begin(), seen.cells.end());
  count_up(seen.cells);
  for (const auto& told : seen.told) groupings_.push_back(grouped(seen.cells, told));
  const auto is_equal = [](const SeenCell& a, const SeenCell& b) { return a.print == b.print; };
  seen.cells.erase(std::unique(seen.cells.begin(), seen.cells.end(), is_equal), seen.cells.end());
  cells_ = std::move(seen.cells);
}

void CellCensus::count_up(const std::vector<SeenCell>& seen) {
  size_t first = 0;
  for (size_t i = 0; i < seen.size(); ++i) {
    if (seen[i].print != seen[first].print) first = i;
    BlockCount& own = counts_[grid_.block_of(seen[i].cell)];
    if (i == first)
      own.trials += grid_.taken_of(seen[i].cell);
    else
      ++own.equal_to[grid_.spec_.blocks[grid_.block_of(seen[first].cell)].name];
  }
}

// Every later block adds its view of a cell to the trial, by the first of its cells that is equal.
CellCensus::Grouping CellCensus::grouped(const std::vector<SeenCell>& seen,
                                         const std::vector<uint64_t>& told) const {
  Grouping out{.groups = {}, .of = std::vector<uint32_t>(told.size(), kNoGroup)};
  std::unordered_map<uint64_t, uint32_t> by_key;
  for (size_t i = 0, end = 0; i < seen.size(); i = end) {
    size_t block = grid_.block_of(seen[i].cell);
    uint64_t key = mixed(block) + told[static_cast<size_t>(seen[i].cell)];
    for (end = i + 1; end < seen.size() && seen[end].print == seen[i].print; ++end)
      if (const size_t own = grid_.block_of(seen[end].cell); own != block) {
        key = mixed(mixed(key) + own) + told[static_cast<size_t>(seen[end].cell)];
        block = own;
      }
    const int64_t trials = grid_.taken_of(seen[i].cell);
    if (trials == 0) continue;
    const auto [place, is_new] = by_key.try_emplace(key, static_cast<uint32_t>(out.groups.size()));
    if (is_new) out.groups.push_back({.sample = seen[i].cell});
    TrialsAlike& group = out.groups[place->second];
    group.trials += trials;
    group.sample = std::min(group.sample, seen[i].cell);
    out.of[static_cast<size_t>(seen[i].cell)] = place->second;
  }
  order(out);
  return out;
}

// Samples are cells until here.
void CellCensus::order(Grouping& grouping) const {
  const std::vector<TrialsAlike>& groups = grouping.groups;
  std::vector<uint32_t> order(groups.size()), place(groups.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return groups[a].sample < groups[b].sample; });
  std::vector<TrialsAlike> ordered;
  ordered.reserve(groups.size());
  for (const uint32_t group : order) {
    place[group] = static_cast<uint32_t>(ordered.size());
    ordered.push_back(groups[group]);
    int64_t& sample = ordered.back().sample;
    sample *= static_cast<int64_t>(grid_.spec_.seeds.size());
    while (!takes(grid_.spec_, sample)) ++sample;
  }
  grouping.groups = std::move(ordered);
  for (uint32_t& group : grouping.of)
    if (group != kNoGroup) group = place[group];
}

std::optional<int64_t> CellCensus::find(const CellPrint& print) const {
  const auto found = std::lower_bound(cells_.begin(), cells_.end(), print,
                                      [](const SeenCell& seen, const CellPrint& p) { return seen.print < p; });
  if (found == cells_.end() || found->print != print) return std::nullopt;
  return found->cell;
}

const std::vector<TrialsAlike>& CellCensus::groups(size_t telling) const {
  RT_CHECK(telling < groupings_.size());
  return groupings_[telling].groups;
}

bool CellCensus::lists(int64_t cell) const {
  RT_CHECK(!groupings_.empty());
  RT_CHECK(cell >= 0);
  RT_CHECK(static_cast<size_t>(cell) < groupings_[0].of.size());
  return groupings_[0].of[static_cast<size_t>(cell)] != kNoGroup;
}

size_t CellCensus::group_of(int64_t cell, size_t telling) const {
  RT_CHECK(telling < groupings_.size());
  RT_CHECK(lists(cell));
  return groupings_[telling].of[static_cast<size_t>(cell)];
}

std::vector<uint64_t> CellCensus::seeds_taken(int64_t cell) const {
  std::vector<uint64_t> out;
  const auto seeds = static_cast<int64_t>(grid_.spec_.seeds.size());
  for (int64_t seed = 0; seed < seeds; ++seed)
    if (takes(grid_.spec_, cell * seeds + seed)) out.push_back(grid_.spec_.seeds[static_cast<size_t>(seed)]);
  std::sort(out.begin(), out.end());
  return out;
}

int64_t trials_of_both(const CellCensus& a, const CellCensus& b) {
  const bool take_all = !a.grid_.spec().taken && !b.grid_.spec().taken;
  const auto both_seeds = [&](int64_t in_a, int64_t in_b) {
    const auto of_a = a.seeds_taken(in_a), of_b = b.seeds_taken(in_b);
    std::vector<uint64_t> both;
    std::set_intersection(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(), std::back_inserter(both));
    return std::ssize(both);
  };
  std::optional<int64_t> of_each;  // where each cell has all of its seeds
  int64_t out = 0;
  auto other = b.cells_.begin();
  for (const auto& own : a.cells_) {
    while (other != b.cells_.end() && other->print < own.print) ++other;
    if (other == b.cells_.end()) break;
    if (other->print != own.print) continue;
    if (!take_all || !of_each) of_each = both_seeds(own.cell, other->cell);
    out += *of_each;
  }
  return out;
}

SweepTrial sample_of(const Grid& grid, const TrialsAlike& alike) {
  auto trial = grid.at(alike.sample);
  if (!trial)
    throw SpecError(
        "trial " + std::to_string(alike.sample) +
        " of the grid was counted and is none; that is a fault of ranktide and not of the file: please "
        "report it, with the file");
  return *std::move(trial);
}

}  // namespace ranktide
