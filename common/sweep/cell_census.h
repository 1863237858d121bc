#pragma once
// Every cell of a grid looked at once, and what is then known of all of them: how many there are, which stands
// where, and which trials agree in some settings, so that what hangs on these alone is worked out for one of
// them and counted for all. Resolves no trial. About 30 bytes a cell, 4 for each telling and, until it is made,
// 8 for each thing that is told; 32 a group. Const after construction, safe from any thread.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/sweep/cell_print.h"
#include "common/sweep/cell_telling.h"
#include "common/sweep/grid.h"

namespace ranktide {

// Trials that are listed by the same blocks and tell the same (cell_telling.h).
struct TrialsAlike {
  int64_t sample = 0;  // raw index of the first of them
  int64_t trials = 0;
  // What they tell, and what they tell apart: groups of which one of these is equal are listed by the same
  // blocks and agree in that. 0 where a telling has no such thing.
  std::array<uint64_t, 2> told{};
};

class CellCensus {
 public:
  // Trials are grouped once by each telling. Groups may be more than are needed where one value is written in
  // two ways. Outlives: the grid outlives this. Throws: SpecError, as Grid::counts.
  explicit CellCensus(const Grid& grid, const std::vector<Telling>& tellings = {});

  const std::vector<BlockCount>& counts() const { return counts_; }

  // Returns: every trial that the spec takes is in one of them; by rising sample. Requires: there are so many
  // tellings; likewise below.
  const std::vector<TrialsAlike>& groups(size_t telling = 0) const;

  // Returns: the number over all blocks of the cell that trains so: of equal ones the first.
  std::optional<int64_t> find(const CellPrint& print) const;

  // Returns: whether a trial of the cell is listed: the spec takes one, and no equal cell has a lower number.
  bool lists(int64_t cell) const;

  // Returns: the place in groups() of the trials of a cell. Requires: lists(cell).
  size_t group_of(int64_t cell, size_t telling = 0) const;

  // Returns: trials of both grids, by what they train.
  friend int64_t trials_of_both(const CellCensus& a, const CellCensus& b);

 private:
  using SeenCell = Grid::SeenCell;
  struct Grouping {
    std::vector<TrialsAlike> groups;
    std::vector<uint32_t> of;  // by number of a cell; kNoGroup where none of its trials is listed
  };
  // By number: walks over what cells tell go from one to the next.
  struct Distinct {
    std::vector<bool> is_first;                      // of the cells that are equal to it
    std::vector<std::pair<int64_t, int64_t>> equal;  // rising: the first, and another
  };
  static Distinct distinct_of(const std::vector<SeenCell>& seen, size_t cells);
  void count_up(const std::vector<SeenCell>& seen);
  Grouping grouped(const Distinct& distinct, std::span<const std::vector<uint64_t>> told) const;
  int64_t first_taken(int64_t cell) const;
  std::vector<uint64_t> seeds_taken(int64_t cell) const;

  const Grid& grid_;
  std::vector<BlockCount> counts_;
  std::vector<SeenCell> cells_;      // distinct, by print
  std::vector<Grouping> groupings_;  // beside the tellings
};

// Returns: the trial that stands for the others. Throws: SpecError, as Grid::at; and where it is none, which no
// spec is known to bring about: people read that better than the line of a check.
SweepTrial sample_of(const Grid& grid, const TrialsAlike& alike);

}  // namespace ranktide
