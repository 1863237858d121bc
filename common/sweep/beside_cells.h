#pragma once
// The crossed cells of a block that stand beside each other: on the same point of every axis but those that set
// the budget. Of their trials some may begin alike (trunk.h). Numbers are those of the block. Const after
// construction, safe from any thread.

#include <cstdint>
#include <utility>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

inline constexpr size_t kBesideCellsMax = 256;  // that are looked at for one trunk

// Whether any point of the axis sets a budget.
bool sets_budget(const Axis& axis);

class BesideCells {
 public:
  // Requires: no axis of the block is drawn.
  explicit BesideCells(const Block& block);

  // Returns: the lowest of the cells that stand beside this one.
  int64_t first_of(int64_t cell) const;

  // Returns: from the first to each of them, rising; 0 alone where no budget varies, or are_too_many().
  const std::vector<int64_t>& offsets() const { return offsets_; }

  // Returns: whether more than kBesideCellsMax stand beside each other: of these none is looked at.
  bool are_too_many() const { return are_too_many_; }

 private:
  std::vector<std::pair<int64_t, int64_t>> axes_;  // of budgets: cells from point to point, and points
  std::vector<int64_t> offsets_{0};
  bool are_too_many_ = false;
};

}  // namespace ranktide
