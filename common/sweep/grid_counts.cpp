// How many cells and trials a grid has. Every cell is looked at, few of them by themselves (cell_factors.h).
#include <algorithm>

#include "common/sweep/cell_census.h"
#include "common/sweep/cell_factors.h"
#include "common/sweep/grid.h"
#include "common/sweep/identity.h"
#include "common/sweep/last_eval.h"
#include "common/sweep/overrides.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/taken_trials.h"

namespace ranktide {
namespace {

bool varies(const Axis& axis) {
  return axis.drawn || axis.points.size() > 1;
}

// Returns: how many values, or which range.
std::string length_text(const Axis& axis) {
  if (!axis.drawn) return std::to_string(axis.points.size());
  return short_number(axis.drawn->min) + ".." + short_number(axis.drawn->max);
}

// --only may empty a block or keep all of it, a rule of the file should do neither.
bool is_only_rule(const Rule& rule) {
  return rule.where == kOnlyRule;
}

// Returns: where the first rule that removes anything stands, as a message begins; empty when nobody knows.
std::string place_of_rules(const Block& block, const BlockCount& count) {
  for (size_t rule = 0; rule < block.exclude.size(); ++rule)
    if (count.excluded_by_rule[rule] > 0 && !block.exclude[rule].where.empty())
      return block.exclude[rule].where + ": ";
  return "";
}

BlockCount begun(const Block& block, const BlockCells& cells) {
  BlockCount out{.block = block.name, .axes = {}, .equal_to = {}, .excluded_by_rule = {}};
  out.excluded_by_rule.resize(block.exclude.size());
  if (cells.is_drawn()) out.is_drawn = true, out.drawn_of = cells.drawn_of();
  for (const auto& axis : block.axes)
    if (varies(axis)) out.axes.push_back(axis.name + "{" + length_text(axis) + "}");
  return out;
}

void check_not_empty(const Block& block, const BlockCount& count) {
  const bool narrowed_on_purpose = std::any_of(block.exclude.begin(), block.exclude.end(), is_only_rule);
  if (count.cells > 0 || narrowed_on_purpose) return;
  if (count.is_drawn)
    throw SpecError("block " + block.name +
                    ": the search draws no cell that its exclude rules keep; drop a rule");
  throw SpecError(place_of_rules(block, count) + "block " + block.name +
                  ": its exclude rules remove all of its " + std::to_string(count.excluded) +
                  " cells; drop the block or a rule");
}

// The next cell in the order of numbers: the last axis varies fastest.
void step(std::vector<uint32_t>& stands, const Block& block) {
  for (size_t axis = stands.size(); axis-- > 0;) {
    if (++stands[axis] < block.axes[axis].points.size()) return;
    stands[axis] = 0;
  }
}

}  // namespace

int64_t BlockCount::distinct() const {
  int64_t equal = 0;
  for (const auto& [earlier, n] : equal_to) equal += n;
  return cells - equal;
}

// Returns: trials of one cell, which is its number over all blocks.
int64_t Grid::taken_of(int64_t cell) const {
  const auto seeds = static_cast<int64_t>(spec_.seeds.size());
  if (!spec_.taken) return seeds;
  int64_t taken = 0;
  for (int64_t raw = cell * seeds; raw < (cell + 1) * seeds; ++raw) taken += takes(spec_, raw) ? 1 : 0;
  return taken;
}

CellLook Grid::look(size_t block, int64_t number, const CellTeller& teller) const {
  const auto found = find(block, number);
  if (!found) return {.kind = CellLook::Kind::none};
  if (found->excluded_by) return {.kind = CellLook::Kind::excluded, .rule = *found->excluded_by};
  CellLook out{.kind = CellLook::Kind::cell,
               .print = print_of(identity_of(found->values, spec_.inputs).settings)};
  teller.add(found->values, out.told);
  teller.add(evals_in(found->cell.set), out.told);
  return out;
}

void Grid::SeenCells::add(const CellLook& look, int64_t cell) {
  cells.push_back({.print = look.print, .cell = cell});
  for (size_t i = 0; i < told.size(); ++i) told[i][static_cast<size_t>(cell)] = look.told[i];
}

// Adds the block's cells to `seen`.
BlockCount Grid::count_of(size_t block, const CellTeller& teller, SeenCells& seen) const {
  const Block& given = spec_.blocks[block];
  const BlockCells& cells = blocks_[block];
  BlockCount out = begun(given, cells);
  std::optional<CellFactors> factors;
  if (!cells.is_drawn()) factors.emplace(given, spec_.inputs, teller);
  std::vector<uint32_t> stands(given.axes.size());
  for (int64_t number = 0; number < cells.count(); ++number) {
    CellLook cell;
    if (factors && number < cells.own_count()) {
      cell = factors->at(stands);
      step(stands, given);
    }
    if (cell.kind == CellLook::Kind::unsure) cell = look(block, number, teller);
    if (cell.kind == CellLook::Kind::excluded) ++out.excluded, ++out.excluded_by_rule[cell.rule];
    if (cell.kind != CellLook::Kind::cell) continue;
    ++out.cells;
    if (number >= cells.own_count()) ++out.included;
    seen.add(cell, first_cell_[block] + number);
  }
  check_not_empty(given, out);
  return out;
}

std::vector<BlockCount> Grid::counts() const {
  return CellCensus(*this).counts();
}

int64_t trial_count(const SweepSpec&, const std::vector<BlockCount>& counts) {
  int64_t trials = 0;
  for (const BlockCount& block : counts) trials += block.trials;
  return trials;
}

std::vector<std::string> warnings_of(const Grid& grid, const std::vector<BlockCount>& counts) {
  std::vector<std::string> out = last_eval_warnings(grid.spec());
  for (size_t b = 0; b < counts.size(); ++b) {
    if (counts[b].is_drawn) {
      if (const auto drawn = counts[b].cells - counts[b].included; drawn < grid.spec().random->cells)
        out.push_back("the search takes all " + std::to_string(drawn) + " cells of block " + counts[b].block +
                      ", fewer than " + std::to_string(grid.spec().random->cells) + " (warning)");
      continue;
    }
    const auto& rules = grid.spec().blocks[b].exclude;
    for (size_t r = 0; r < rules.size(); ++r) {
      if (counts[b].excluded_by_rule[r] > 0 || is_only_rule(rules[r])) continue;
      out.push_back((rules[r].where.empty() ? "" : rules[r].where + ": ") + "exclude rule \"" + rules[r].text +
                    "\" removes 0 of " + std::to_string(counts[b].cells + counts[b].excluded) +
                    " cells of block " + counts[b].block + " (warning)");
    }
  }
  return out;
}

}  // namespace ranktide
