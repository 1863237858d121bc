#pragma once
// One block's cells as a mixed-radix number: cell n's settings from n alone, whether a rule drops it, and where
// an equal cell stands. Knows no other block, no seeds and no ids. Const after construction, safe from any
// thread.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/expression.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

// What one cell sets, before defaults.
struct CellSettings {
  SettingValues set;
  std::map<std::string, std::string> labels;  // axis -> label, of axes that count in this cell
};

class BlockCells {
 public:
  // Throws: SpecError naming the block for a rule that does not parse, names what does not exist, or derives in
  // a circle.
  explicit BlockCells(Block block);

  const Block& block() const { return block_; }

  // Returns: cells before any rule, saturated at 2^63 - 1: a product is refused, never wrapped.
  int64_t count() const { return count_; }

  // Returns: the cell's settings; nullopt where a `when` is false and the axis is not at its first point: no
  // cell. Requires: 0 <= cell < count(). Throws: SpecError when a derivation fails.
  std::optional<CellSettings> at(int64_t cell) const;

  // Returns: the first exclude rule that drops it. Throws: SpecError when a rule cannot be evaluated.
  std::optional<size_t> excluded_by(const CellSettings& cell) const;

  // Returns: the lowest cell below `below` that no rule drops and that `matches`. `target` is the complete
  // settings (resolve.h) looked for: only axis points that can give them are followed, so this costs no walk
  // over the block.
  using Matches = std::function<bool(const CellSettings&)>;
  std::optional<int64_t> first_equal(const SettingValues& target, int64_t below, const Matches& matches) const;

 private:
  std::vector<size_t> coordinates(int64_t cell) const;
  Json value_of(const std::string& key, CellSettings& cell, std::vector<std::string>& deriving) const;
  std::optional<Json> lookup(const std::string& name, CellSettings& cell,
                             std::vector<std::string>& deriving) const;
  bool may_give(const AxisPoint& point, const SettingValues& target) const;
  std::vector<std::vector<size_t>> candidates(const SettingValues& target) const;

  Block block_;
  std::vector<std::optional<Expression>> when_;  // beside block_.axes
  std::map<std::string, Expression> derive_;     // by key
  std::vector<Expression> exclude_;              // beside block_.exclude
  int64_t count_ = 1;
};

}  // namespace ranktide
