#include "common/sweep/cell_census.h"

#include <algorithm>
#include <limits>

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

// Which group is whose, by what its trials tell. A table of open places and no std::unordered_map: where there
// is a group for each cell, that takes twice the memory and a call for each.
class GroupPlaces {
 public:
  // Returns: the group's place; of one that is new the next.
  uint32_t of(uint64_t key) {
    if (2 * keys_.size() >= places_.size()) grow();
    uint32_t& place = find(key);
    if (place == kNoGroup) {
      place = static_cast<uint32_t>(keys_.size());
      keys_.push_back(key);
    }
    return place;
  }

 private:
  uint32_t& find(uint64_t key) {
    const size_t last = places_.size() - 1;  // one less than a power of two
    size_t at = mixed(key) & last;
    while (places_[at] != kNoGroup && keys_[places_[at]] != key) at = (at + 1) & last;
    return places_[at];
  }

  void grow() {
    places_.assign(std::max<size_t>(1024, 2 * places_.size()), kNoGroup);
    for (size_t group = 0; group < keys_.size(); ++group) find(keys_[group]) = static_cast<uint32_t>(group);
  }

  std::vector<uint64_t> keys_;    // by group
  std::vector<uint32_t> places_;  // kNoGroup: open
};

}  // namespace

// Equal cells stand side by side once they are sorted, the one that runs first.
CellCensus::CellCensus(const Grid& grid, const std::vector<Telling>& tellings) : grid_(grid) {
  const CellTeller teller(tellings);
  size_t things = 0;
  for (const Telling& telling : tellings) things += things_in(telling);
  Grid::SeenCells seen;
  const auto cells = static_cast<size_t>(grid.raw_count_) / grid.spec_.seeds.size();
  seen.cells.reserve(cells);
  seen.told.assign(things, std::vector<uint64_t>(cells));
  for (size_t block = 0; block < grid.blocks_.size(); ++block)
    counts_.push_back(grid.count_of(block, teller, seen));
  std::sort(seen.cells.begin(), seen.cells.end());
  count_up(seen.cells);
  const Distinct distinct = distinct_of(seen.cells, cells);
  std::span<const std::vector<uint64_t>> told = seen.told;
  for (const Telling& telling : tellings) {
    groupings_.push_back(grouped(distinct, told.first(things_in(telling))));
    told = told.subspan(things_in(telling));
  }
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

CellCensus::Distinct CellCensus::distinct_of(const std::vector<SeenCell>& seen, size_t cells) {
  Distinct out{.is_first = std::vector<bool>(cells), .equal = {}};
  size_t first = 0;
  for (size_t i = 0; i < seen.size(); ++i) {
    if (seen[i].print != seen[first].print) first = i;
    if (i == first)
      out.is_first[static_cast<size_t>(seen[i].cell)] = true;
    else
      out.equal.emplace_back(seen[first].cell, seen[i].cell);
  }
  std::sort(out.equal.begin(), out.equal.end());
  return out;
}

// Every later block adds its view of a cell to the trial, by the first of its cells that is equal.
CellCensus::Grouping CellCensus::grouped(const Distinct& distinct,
                                         std::span<const std::vector<uint64_t>> told) const {
  Grouping out{.groups = {}, .of = std::vector<uint32_t>(told[0].size(), kNoGroup)};
  GroupPlaces places;
  auto equal = distinct.equal.begin();
  for (int64_t cell = 0; cell < std::ssize(out.of); ++cell) {
    const auto number = static_cast<size_t>(cell);
    if (!distinct.is_first[number]) continue;
    size_t block = grid_.block_of(cell);
    std::array<uint64_t, 2> keys{};
    for (size_t thing = 0; thing < told.size(); ++thing) keys[thing] = mixed(block) + told[thing][number];
    for (; equal != distinct.equal.end() && equal->first == cell; ++equal) {
      const size_t own = grid_.block_of(equal->second);
      for (size_t thing = 0; own != block && thing < told.size(); ++thing)
        keys[thing] = mixed(mixed(keys[thing]) + own) + told[thing][static_cast<size_t>(equal->second)];
      block = own;
    }
    const int64_t trials = grid_.taken_of(cell);
    if (trials == 0) continue;
    const uint32_t place = places.of(told.size() == 1 ? keys[0] : mixed(keys[0]) + keys[1]);
    if (place == out.groups.size())
      out.groups.push_back({.sample = first_taken(cell), .trials = 0, .told = keys});
    out.groups[place].trials += trials;
    out.of[number] = place;
  }
  return out;
}

// Returns: raw index of the first trial of the cell that the spec takes. Requires: it takes one.
int64_t CellCensus::first_taken(int64_t cell) const {
  int64_t out = cell * static_cast<int64_t>(grid_.spec_.seeds.size());
  while (!takes(grid_.spec_, out)) ++out;
  return out;
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
