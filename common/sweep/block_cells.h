#pragma once
// One block's cells by number: those that its axes give, or a random search draws from them, then those that
// are included. A crossed cell is a mixed-radix number, so that cell n's settings come from n alone. Says also
// whether a rule drops it, and where an equal cell stands. Knows no other block, no seeds and no ids. Const
// after construction, safe from any thread.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/cell_draw.h"
#include "common/sweep/expression.h"
#include "common/sweep/settings.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

// What one cell sets, before defaults.
struct CellSettings {
  SettingValues set;
  std::map<std::string, std::string> labels;  // axis -> label, of axes that count in this cell
  bool is_included = false;                   // no exclude rule of the file holds for it
  std::vector<const Setting*> derived{};      // of `set`: what the block's derivations gave
};

// Draws that may be no new cell before a search takes what it has: rules can leave it less than it wants, and
// the coordinator draws between two messages. Journals hang on it.
inline constexpr int64_t kMissesMax = 20'000;
inline constexpr int64_t kDrawnCellsMax = 10'000;  // of one block

// Whether an included cell says nothing of an axis, as it does where the axis has no value.
inline bool is_unnamed(const AxisPoint& point) {
  return point.label.empty() && point.set.empty();
}

// Returns: how many cells the axes give. Requires: no axis is drawn, and the sweep was validated.
int64_t crossed_cells(const Block& block);

class BlockCells {
 public:
  // Throws: SpecError naming the block for a rule that does not parse, names what does not exist, or derives in
  // a circle; with a search also when a cell that is drawn does not resolve.
  explicit BlockCells(Block block, const std::optional<RandomSearch>& search = {});

  const Block& block() const { return block_; }

  // Returns: cells before any rule, the included ones among them, saturated at 2^63 - 1: a product is refused,
  // never wrapped.
  int64_t count() const { return count_; }

  // Returns: how many of them are not included: numbers from here on are.
  int64_t own_count() const { return own_count_; }

  // Returns: how many different draws a search has of this block; nullopt for a range of numbers.
  // Requires: is_drawn().
  std::optional<int64_t> drawn_of() const;
  bool is_drawn() const { return draw_.has_value(); }

  // Returns: the cell's settings; nullopt where a `when` is false and the axis is not at its first point: no
  // cell. Requires: 0 <= cell < count(). Throws: SpecError when a derivation fails, or an included cell has a
  // value on an axis that has none there.
  std::optional<CellSettings> at(int64_t cell) const;

  // Returns: as at(), before what is derived is laid in: a derivation reads its words in this cell, an exclude
  // rule in that of at(). Requires: cell < own_count().
  std::optional<CellSettings> underived_at(int64_t cell) const;

  // Returns: the first exclude rule that drops it; an included one is dropped by --only alone.
  // Throws: SpecError when a rule cannot be evaluated.
  std::optional<size_t> excluded_by(const CellSettings& cell) const;

  // Returns: what a word of a rule means in a cell of at(), or one of a derivation in a cell of underived_at();
  // nullopt: it is no name here. Throws: SpecError or
  // ExpressionError when a derivation fails.
  std::optional<Json> meaning(const std::string& word, const CellSettings& cell) const;

  // Returns: the lowest crossed cell below `below` that no rule drops and that `matches`. `target` is the
  // complete settings (resolve.h) looked for: only axis points that can give them are followed, so this costs
  // no walk over the block. Requires: !is_drawn().
  using Matches = std::function<bool(const CellSettings&)>;
  std::optional<int64_t> first_equal(const SettingValues& target, int64_t below, const Matches& matches) const;

 private:
  // Where a cell stands on every axis; `made` holds the points that no axis has.
  struct Points {
    std::vector<const AxisPoint*> on;  // beside block_.axes
    std::vector<bool> is_first;        // likewise: the point that stands for an axis without a value
    std::vector<AxisPoint> made;
  };
  Points crossed_points(int64_t cell) const;
  Points drawn_points(int64_t draw) const;
  Points points_of(int64_t cell) const;
  CellSettings included(int64_t cell) const;
  std::optional<CellSettings> settings_at(const Points& points) const;
  std::optional<CellSettings> underived_at(const Points& points) const;
  void derive(CellSettings& cell) const;
  std::vector<int64_t> drawn(int64_t wanted) const;
  void add_keys(const Expression& rule);
  Json value_of(const std::string& key, CellSettings& cell, std::vector<std::string>& deriving) const;
  std::optional<Json> lookup(const std::string& name, CellSettings& cell,
                             std::vector<std::string>& deriving) const;
  std::optional<Json> named(const std::string& name, const std::string* key, CellSettings& cell,
                            std::vector<std::string>& deriving) const;
  bool may_give(const AxisPoint& point, const SettingValues& target) const;
  std::vector<std::vector<size_t>> candidates(const SettingValues& target) const;

  Block block_;
  std::vector<std::optional<Expression>> when_;  // beside block_.axes
  std::map<std::string, Expression> derive_;     // by key
  std::vector<Expression> exclude_;              // beside block_.exclude
  std::map<std::string, std::string> keys_;      // of the names that rules may use
  std::optional<CellDraw> draw_;
  std::vector<int64_t> drawn_;  // the draws that were taken, by cell
  int64_t own_count_ = 1;
  int64_t count_ = 1;
};

}  // namespace ranktide
