#pragma once
// The endless list of cells that a random search looks at in one block, by number. It depends on the search's
// seed, the block's name and its axes by name, and on nothing else: not on other blocks, on the order of keys,
// or on how many cells are wanted. Whether a drawn cell exists, is excluded or was there before is BlockCells'.
// A seed's draws are permanent, as ids are: a test holds some. Const after construction, safe from any thread.

#include <cstdint>
#include <optional>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

class CellDraw {
 public:
  CellDraw(const Block& block, uint64_t seed);

  // Returns: how many draws there are, all different; nullopt for a block that has no end, or nearly none: its
  // draws may meet again.
  std::optional<int64_t> size() const { return size_; }

  // Where draw n stands on an axis: at one of its points, or at a value between its ends.
  struct Stand {
    size_t point = 0;
    double value = 0;  // of an axis that is drawn; rounded
  };
  // Returns: one for every axis of the block. Requires: 0 <= n, and n < size() where it has one.
  std::vector<Stand> at(int64_t n) const;

 private:
  struct DrawnAxis {
    size_t axis = 0;
    uint64_t key = 0;
    uint64_t points = 0;  // 0: anywhere in the range
    std::optional<DrawnRange> range;
    bool is_whole = false;
  };
  Stand stand(const DrawnAxis& axis, int64_t n) const;
  uint64_t permuted(uint64_t n) const;

  std::vector<DrawnAxis> axes_;  // by name
  uint64_t key_ = 0;
  std::optional<int64_t> size_;
};

// Returns: the point of a drawn axis at a value. Requires: the axis is named after a numeric setting.
AxisPoint drawn_point(const Axis& axis, double value);

}  // namespace ranktide
