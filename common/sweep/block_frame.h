#pragma once
// What the crossed cells of a block have in common, worked out once, so that one trial costs only what varies:
// the settings that hang on no axis (axis_reach.h), their part of the identity's text, their typed form, the
// evals. Not whether an equal cell stands elsewhere: Grid looks for that. Const after construction, safe from
// any thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/block_cells.h"
#include "common/sweep/identity.h"
#include "common/sweep/resolve.h"
#include "common/sweep/sweep_spec.h"
#include "common/sweep/sweep_trial.h"

namespace ranktide {

// What varies in one cell.
struct FramedCell {
  bool is_unsure = false;  // look at the cell itself
  bool exists = false;     // and no rule drops it
  CellSettings cell;       // as far as it varies
  SettingValues values;    // likewise, complete
};

class BlockFrame {
 public:
  // Throws: SpecError when what is common does not resolve. Requires: validate() accepts the block; none of its
  // axes is drawn.
  BlockFrame(const Block& block, const Inputs& inputs);

  FramedCell at(int64_t cell) const;

  // Returns: the cell's complete settings (resolve.h).
  SettingValues whole(const FramedCell& cell) const;

  // Returns: the trial of one seed as the block by itself has it; nullopt when the cell itself has to be looked
  // at. Index and seed are the caller's.
  std::optional<SweepTrial> trial(const FramedCell& cell, uint64_t seed, const Inputs& inputs) const;

  // Returns: whether every two crossed cells train differently: each axis shows in a setting of its own.
  bool has_no_equals() const { return has_no_equals_; }

  // Returns: whether a setting that is common to each tells every cell of the one from every cell of the other.
  friend bool differ(const BlockFrame& a, const BlockFrame& b);

 private:
  void add_common(const Block& block, const Inputs& inputs);
  void add_inputs(const TrialInputs& inputs, SweepTrial& trial) const;
  IdentityText identity_text(const std::map<std::string, std::string>& varying) const;

  std::optional<BlockCells> varying_;     // every axis, and of the settings what varies or is asked for
  std::vector<const Setting*> settings_;  // of identities, that vary
  SettingValues common_;                  // complete
  std::map<std::string, std::string> common_text_;  // setting -> its part of the identity's text
  SweepTrial pattern_;
  std::string regime_;
  std::optional<DataInput> data_;
  bool inputs_vary_ = false;
  bool evals_vary_ = false;
  bool budget_varies_ = false;
  bool has_no_equals_ = false;
};

}  // namespace ranktide
