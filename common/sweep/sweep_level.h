#pragma once
// One level of a sweep file (plain keys; common axes; a block; the command line) and how a higher level is laid
// over what stands below it: the one place where precedence is decided. Not YAML. Plain data.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/sweep/included_cells.h"
#include "common/sweep/spec_error.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

struct Level {
  SettingValues constants;
  std::vector<Axis> axes;
  std::map<std::string, std::string> derive;             // key -> expression
  std::map<std::string, std::vector<std::string>> pins;  // rows or zip axis below -> the labels that are kept
  std::vector<Rule> exclude;
  std::vector<IncludeEntry> include;       // placed when all levels and overrides are laid over the block
  std::map<std::string, Place> set_at;     // every key set by this level
  std::map<std::string, Place> pinned_at;  // beside pins
  std::vector<Place> exclude_at;           // beside exclude
  std::set<std::string>
      unread;  // rows and zips that could not be read, so that nothing can be said of their pins
};

// Lays a level over a block: a key that it sets is no longer varied or derived below, an axis that then sets
// nothing is none, a budget of one kind replaces the other kinds, an axis of the same name is replaced where it
// stands. Pins are not laid: only the highest level that has one for an axis says which labels are kept.
void lay_over(Block& block, const Level& level);

// Keeps these labels of the axis, where the block has it. Requires: it has them.
void pin(Block& block, const std::string& name, const std::vector<std::string>& labels);

// Returns: whether anything says the method; where nothing does, nothing can be said of effects.
bool has_method(const Block& block);

// Returns: whether the key can have an effect in some cell of the block: false only where a constant rules it
// out.
bool may_have_effect(const Setting& setting, const Block& block);

// Returns: `method: full`, the constant (or default) that leaves a setting without effect in the block.
std::string effect_ruled_out_by(const Setting& setting, const Block& block);

}  // namespace ranktide
