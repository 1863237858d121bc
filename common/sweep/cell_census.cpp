#include "common/sweep/cell_census.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include "common/sweep/axis_reach.h"
#include "common/sweep/taken_trials.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr uint32_t kNoGroup = std::numeric_limits<uint32_t>::max();

// Cells of a block by where they stand on some of its axes. A cell that no axis leads to stands by itself.
class Likeness {
 public:
  Likeness(const Block& block, const BlockCells& cells, const std::set<std::string>& told_apart)
      : own_count_(cells.is_drawn() ? 0 : cells.own_count()) {
    if (cells.is_drawn()) return;
    const AxisReach reach(block);
    Reach told;
    for (const std::string& key : told_apart) told.add(reach.of_setting(key));
    int64_t stride = 1;
    for (size_t axis = block.axes.size(); axis-- > 0;) {
      const auto points = static_cast<int64_t>(block.axes[axis].points.size());
      if (points > 1 && (told.axes >> axis & 1)) steps_.push_back({.stride = stride, .points = points});
      stride *= points;
    }
  }

  // Returns: below count() of the block; equal for cells that are alike.
  int64_t of(int64_t number) const {
    if (number >= own_count_) return number;
    int64_t out = 0;
    for (const Step& step : steps_) out = out * step.points + number / step.stride % step.points;
    return out;
  }

 private:
  struct Step {
    int64_t stride = 1;
    int64_t points = 1;
  };
  std::vector<Step> steps_;
  int64_t own_count_ = 0;
};

}  // namespace

// Equal cells stand side by side once they are sorted, the one that runs first.
CellCensus::CellCensus(const Grid& grid, const std::set<std::string>& told_apart) : grid_(grid) {
  std::vector<SeenCell> seen;
  const auto cells = static_cast<size_t>(grid.raw_count_) / grid.spec_.seeds.size();
  seen.reserve(cells);
  for (size_t block = 0; block < grid.blocks_.size(); ++block) counts_.push_back(grid.count_of(block, seen));
  std::sort(seen.begin(), seen.end());
  group_of_.assign(cells, kNoGroup);
  count_up(seen);
  group(seen, told_apart);
  order_groups();
  const auto is_equal = [](const SeenCell& a, const SeenCell& b) { return a.print == b.print; };
  seen.erase(std::unique(seen.begin(), seen.end(), is_equal), seen.end());
  cells_ = std::move(seen);
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
void CellCensus::group(const std::vector<SeenCell>& seen, const std::set<std::string>& told_apart) {
  std::vector<Likeness> likeness;
  for (size_t block = 0; block < grid_.blocks_.size(); ++block)
    likeness.emplace_back(grid_.spec_.blocks[block], grid_.blocks_[block], told_apart);
  const auto key_of = [&](int64_t cell) {
    const size_t block = grid_.block_of(cell);
    return grid_.first_cell_[block] + likeness[block].of(cell - grid_.first_cell_[block]);
  };
  std::vector<uint32_t> of_one_block(group_of_.size(), kNoGroup);
  std::map<std::vector<int64_t>, uint32_t> of_several;
  for (size_t i = 0, end = 0; i < seen.size(); i = end) {
    std::vector<int64_t> later;
    size_t block = grid_.block_of(seen[i].cell);
    for (end = i + 1; end < seen.size() && seen[end].print == seen[i].print; ++end)
      if (const size_t own = grid_.block_of(seen[end].cell); own != block)
        later.push_back(key_of(seen[end].cell)), block = own;
    const int64_t trials = grid_.taken_of(seen[i].cell);
    if (trials == 0) continue;
    const int64_t key = key_of(seen[i].cell);
    if (!later.empty()) later.push_back(key);
    uint32_t& group = later.empty() ? of_one_block[static_cast<size_t>(key)]
                                    : of_several.try_emplace(later, kNoGroup).first->second;
    if (group == kNoGroup) {
      group = static_cast<uint32_t>(groups_.size());
      groups_.push_back({.sample = seen[i].cell});
    }
    groups_[group].trials += trials;
    groups_[group].sample = std::min(groups_[group].sample, seen[i].cell);
    group_of_[static_cast<size_t>(seen[i].cell)] = group;
  }
}

// Samples are cells until here.
void CellCensus::order_groups() {
  std::vector<uint32_t> order(groups_.size()), place(groups_.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return groups_[a].sample < groups_[b].sample; });
  std::vector<TrialsAlike> ordered;
  ordered.reserve(groups_.size());
  for (const uint32_t group : order) {
    place[group] = static_cast<uint32_t>(ordered.size());
    ordered.push_back(groups_[group]);
    int64_t& sample = ordered.back().sample;
    sample *= static_cast<int64_t>(grid_.spec_.seeds.size());
    while (!takes(grid_.spec_, sample)) ++sample;
  }
  groups_ = std::move(ordered);
  for (uint32_t& group : group_of_)
    if (group != kNoGroup) group = place[group];
}

std::optional<int64_t> CellCensus::find(const CellPrint& print) const {
  const auto found = std::lower_bound(cells_.begin(), cells_.end(), print,
                                      [](const SeenCell& seen, const CellPrint& p) { return seen.print < p; });
  if (found == cells_.end() || found->print != print) return std::nullopt;
  return found->cell;
}

size_t CellCensus::group_of(int64_t cell) const {
  RT_CHECK(cell >= 0);
  RT_CHECK(static_cast<size_t>(cell) < group_of_.size());
  const uint32_t group = group_of_[static_cast<size_t>(cell)];
  RT_CHECK(group != kNoGroup);
  return group;
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

}  // namespace ranktide
