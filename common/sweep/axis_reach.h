#pragma once
// How far an axis reaches: on which axes of a block each setting and each rule may hang, through points,
// `when`, derivations, effects and defaults. Never too few; sometimes more than is needed. Looks at no cell.
// Const after construction, safe from any thread.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

using AxisSet = uint32_t;  // bit i: Block::axes[i]
static_assert(kAxesMax <= 32);

// What something is made from: those axes, and the settings that are looked at on the way.
struct Reach {
  AxisSet axes = 0;
  std::set<std::string> keys;
  void add(const Reach& other);
  friend bool operator==(const Reach&, const Reach&) = default;
};

class AxisReach {
 public:
  // Requires: the block's rules parse.
  explicit AxisReach(const Block& block);

  // Returns: what a setting's value hangs on, and whether it has an effect.
  Reach of_setting(const std::string& key) const;
  // Returns: what the expression hangs on.
  Reach of_rule(const std::string& text) const;
  // Returns: what decides whether the axis has a value, and which.
  Reach of_axis(size_t axis) const;

 private:
  Reach of_name(const std::string& name) const;
  Reach found_for(const std::string& key) const;

  const Block& block_;
  std::map<std::string, std::vector<size_t>> setters_;  // key -> axes whose points set it
  std::map<std::string, Reach> settings_;               // by key
  std::vector<Reach> axes_;                             // beside Block::axes
};

// Returns: the block with these axes alone, and of everything else what the keys need. A setting that hangs on
// no other axis has the same value in it.
Block narrowed(const Block& block, const Reach& reach);

}  // namespace ranktide
