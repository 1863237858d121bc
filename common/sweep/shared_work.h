#pragma once
// What the trunks of a grid (trunk.h) save, for who plans it. Places of the grid whose trials would share a
// trunk are counted by kinds, from a census: of each kind one is resolved. Pure functions; any thread.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/cell_census.h"
#include "common/sweep/grid.h"

namespace ranktide {

// What a grid's trials cost with and without trunks.
struct SharedWork {
  int64_t trials = 0;  // that begin with a trunk
  int64_t trunks = 0;
  Step alone = 0;                         // steps of these trials, each by itself
  Step shared = 0;                        // steps of the trunks and of what comes after them
  std::map<std::string, Step> saved{};    // of alone, by the block that lists the trials
  std::vector<std::string> nothing_on{};  // of axes of budgets that share nothing: which, why, and what would
  bool is_of_all = true;                  // no trial was left out because of kSharedWorkLooksMax
};

// Trials that are resolved, some 0.1 ms each. There are more kinds of places only where what stands in the way
// is derived from nearly every axis: then the others count as if each trained alone.
inline constexpr int64_t kSharedWorkLooksMax = 20'000;

// Returns: what a census has to be told for shared_work; nullopt where no two trials of the sweep can share.
std::optional<Telling> telling_for_sharing(const SweepSpec& spec);

// `telling`: the place of telling_for_sharing() among those of the census, which is the grid's. Where data is
// unread, steps are parts of a budget.
SharedWork shared_work(const Grid& grid, const CellCensus& census, size_t telling,
                       int64_t looks_max = kSharedWorkLooksMax);
// Returns: the same, from a census of its own.
SharedWork shared_work(const Grid& grid);

// Returns: what `plan` says of sharing, a line for each thing. Empty when no budget varies.
std::vector<std::string> sharing_text(const SharedWork& work);

}  // namespace ranktide
