#pragma once
// Every cell of a grid looked at once, and what is then known of all of them: how many there are, which stands
// where, and which trials agree in some settings, so that what hangs on these alone is worked out for one of
// them and counted for all. Resolves no trial. About 30 bytes a cell. Const after construction, safe from any
// thread.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/sweep/cell_print.h"
#include "common/sweep/grid.h"

namespace ranktide {

// Trials that are listed by the same blocks and agree in some settings.
struct TrialsAlike {
  int64_t sample = 0;  // raw index of the first of them
  int64_t trials = 0;
};

class CellCensus {
 public:
  // `told_apart`: full keys of settings, evals among them; trials of one group have equal values of these. More
  // groups than are needed may come of it, never fewer.
  // Outlives: the grid outlives this. Throws: SpecError, as Grid::counts.
  explicit CellCensus(const Grid& grid, const std::set<std::string>& told_apart = {});

  const std::vector<BlockCount>& counts() const { return counts_; }

  // Returns: every trial that the spec takes is in one of them; by rising sample.
  const std::vector<TrialsAlike>& groups() const { return groups_; }

  // Returns: the number over all blocks of the cell that trains so: of equal ones the first.
  std::optional<int64_t> find(const CellPrint& print) const;

  // Returns: the place in groups() of the trials of a cell. Requires: the spec takes one of them, and no equal
  // cell has a lower number.
  size_t group_of(int64_t cell) const;

  // Returns: trials of both grids, by what they train.
  friend int64_t trials_of_both(const CellCensus& a, const CellCensus& b);

 private:
  using SeenCell = Grid::SeenCell;
  void count_up(const std::vector<SeenCell>& seen);
  void group(const std::vector<SeenCell>& seen, const std::set<std::string>& told_apart);
  void order_groups();
  std::vector<uint64_t> seeds_taken(int64_t cell) const;

  const Grid& grid_;
  std::vector<BlockCount> counts_;
  std::vector<SeenCell> cells_;  // distinct, by print
  std::vector<TrialsAlike> groups_;
  std::vector<uint32_t> group_of_;  // by number of a cell; kNoGroup where none of its trials is listed
};

}  // namespace ranktide
