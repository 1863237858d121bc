#pragma once
// A sweep's trials, by index. The grid is held as its spec: trial i is computed from i alone, so a million
// trials cost nothing until they are touched. Raw indices run over blocks, then cells (included ones last),
// then seeds (the seed varies fastest); they count cells before exclusion and merging, so that an index never
// moves when another cell is excluded. A random search draws when the grid is made. Not an id: the same trial
// has another index in another sweep. Const after construction, safe from any thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/block_cells.h"
#include "common/sweep/block_frame.h"
#include "common/sweep/cell_look.h"
#include "common/sweep/identity.h"
#include "common/sweep/sweep_spec.h"
#include "common/sweep/sweep_trial.h"
#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

// What `plan` prints of a block, in cells (without seeds).
struct BlockCount {
  std::string block;
  std::vector<std::string> axes;      // "lora.rank{3}", "train.lr{1e-05..0.001}"
  int64_t cells = 0;                  // after exclusion, the included ones among them
  int64_t included = 0;               // of `cells`: those that `include` adds
  bool is_drawn = false;              // the others were drawn at random ...
  std::optional<int64_t> drawn_of{};  // ... from so many; nullopt: from ranges of numbers, or it is a grid
  int64_t excluded = 0;               // not of a random search: it draws again
  std::map<std::string, int64_t> equal_to;  // earlier block -> cells that are already in it
  std::vector<int64_t> excluded_by_rule;    // beside Block::exclude; 0 deserves a warning
  int64_t trials = 0;  // of the cells that no earlier block has, as far as the spec takes them
  int64_t distinct() const;
};

class Grid {
 public:
  // Throws: SpecError when the product is larger than max_trials (checked before anything is expanded), when a
  // block has an axis without values, or when validate() refuses the spec.
  explicit Grid(SweepSpec spec);

  int64_t raw_count() const { return raw_count_; }

  // Returns: the trial; nullopt when its cell is excluded or equal to a cell with a lower index, or the spec
  // does not take it. Throws: SpecError naming block and key when the cell does not resolve (a required key
  // missing, a value out of range after derivation). Requires: 0 <= raw < raw_count().
  std::optional<SweepTrial> at(int64_t raw) const;

  // Returns: the place in SweepSpec::blocks of the block that the trial of this raw index, if there is one, is of.
  // Requires: 0 <= raw < raw_count().
  size_t block_at(int64_t raw) const { return place_of(raw).block; }

  // Returns: whether it lists a trial that trains the same as the first one of `cell` but for the seed, whatever
  // its block. Requires: `cell` has one cell, and the same inputs.
  bool lists_cell_of(const Grid& cell) const;

  // Looks at every cell once. Throws: SpecError as at(), or when a rule empties a whole block.
  std::vector<BlockCount> counts() const;

  const SweepSpec& spec() const { return spec_; }

 private:
  friend class CellCensus;

  struct Found {  // a cell that exists, and what it is
    size_t block = 0;
    int64_t number = 0;
    CellSettings cell;
    std::optional<size_t> excluded_by;  // rule
    SettingValues values;               // complete, without seed; empty when excluded
  };

  struct Place {
    size_t block = 0;
    int64_t number = 0;  // of the cell in it
    uint64_t seed = 0;
  };
  enum class Standing { alone, first, merged };  // a cell among those that train the same
  Place place_of(int64_t raw) const;
  size_t block_of(int64_t cell) const;
  std::optional<BlockFrame> frame_of(size_t block) const;
  bool may_meet(size_t block, size_t other) const;
  Standing standing(const Place& place, const FramedCell& cell) const;
  std::optional<SweepTrial> looked_up(const Place& place) const;
  std::optional<Found> find(size_t block, int64_t number) const;
  std::vector<std::pair<CellPrint, int64_t>> listed_in(size_t block) const;
  CellLook look(size_t block, int64_t number, const CellTeller& teller) const;
  struct SeenCell {
    CellPrint print;
    int64_t cell = 0;  // its number over all blocks
    friend auto operator<=>(const SeenCell&, const SeenCell&) = default;
  };
  struct SeenCells {
    std::vector<SeenCell> cells{};
    std::vector<std::vector<uint64_t>> told{};  // beside what cells tell, by number of a cell
    void add(const CellLook& look, int64_t cell);
  };
  BlockCount count_of(size_t block, const CellTeller& teller, SeenCells& seen) const;
  std::optional<int64_t> listed_equal(size_t block, int64_t below, const Found& found) const;
  std::optional<int64_t> equal_in(size_t block, int64_t below, const Found& found) const;
  std::optional<size_t> earlier_equal(const Found& found) const;
  int64_t taken_of(int64_t cell) const;
  void add_view_of_block(const CellSettings& cell, const DataInput* data, SweepTrial& trial) const;

  SweepSpec spec_;
  std::vector<BlockCells> blocks_;
  std::vector<std::optional<BlockFrame>>
      frames_;                       // beside blocks_, where all of a block's cells can be looked at so
  std::vector<int64_t> first_cell_;  // beside blocks_: cells before it
  // Beside blocks_, sorted: the cells that no axis leads to, drawn or included, by what they train.
  std::vector<std::vector<std::pair<CellPrint, int64_t>>> listed_;
  int64_t raw_count_ = 0;
};

// Returns: distinct trials that the spec takes. `counts` from Grid::counts of this spec.
int64_t trial_count(const SweepSpec& spec, const std::vector<BlockCount>& counts);

// Returns: what deserves a warning: exclude rules that remove nothing, trials without a last eval. `counts` from
// Grid::counts.
std::vector<std::string> warnings_of(const Grid& grid, const std::vector<BlockCount>& counts);

// What has to be read before ids are final.
struct WantedData {
  ModelSettings model;  // whose tokenizer reads the data
  DataSettings data;
};
struct WantedEval {
  ModelSettings model;  // whose tokenizer reads the items
  EvalSpec spec;
};
struct WantedInputs {
  std::vector<ModelSettings> models;  // distinct by model_key
  std::vector<WantedData> data;       // distinct
  std::vector<WantedEval> evals;      // distinct by tokenizer and spec
  std::vector<std::string> files;     // eval data, absolute, sorted
  std::vector<std::string> sources;   // of model.from, sorted
};

// Returns: the inputs that the grid's trials name. Looks only at axes that set model, data or eval keys.
WantedInputs wanted_inputs(const SweepSpec& spec);

}  // namespace ranktide
