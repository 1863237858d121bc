#pragma once
// A block's crossed cells taken apart, for walks over many of them. Every setting of an identity and every
// exclude rule hangs on a few axes only (axis_reach.h): what one combination of those gives is asked of
// BlockCells once, on a block of these axes alone, and looked up from then on. What is not certain there, an
// error above all, is left to BlockCells and the whole cell. Not const: its tables fill as they are asked. One
// thread.

#include <cstdint>
#include <optional>
#include <vector>

#include "common/sweep/axis_reach.h"
#include "common/sweep/block_cells.h"
#include "common/sweep/cell_look.h"
#include "common/sweep/rule_words.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

class CellFactors {
 public:
  // Outlives: block, inputs and teller outlive this. Requires: the block's rules have been checked; no axis of
  // it is drawn.
  CellFactors(const Block& block, const Inputs& inputs, const CellTeller& teller);

  // `stands`: the point on every axis. Returns: the same as BlockCells and resolve.h would say, or unsure.
  CellLook at(const std::vector<uint32_t>& stands);

 private:
  struct Answer {
    CellLook::Kind kind = CellLook::Kind::unsure;
    bool is_known = false;
    CellPrint print{};
    CellTold told{};
  };
  // What the settings of a factor are asked for.
  enum class Asked {
    identity,
    evals,   // they tell apart, and train nothing
    source,  // whether the trial may start from the one that model.from names
  };
  // An expression that is worked out in each cell.
  struct WorkedOut {
    RuleWords words;
    const Setting* setting = nullptr;  // that it is derived for; nullptr: it is an exclude rule
    std::string key{};                 // of the setting
    const CellTeller::Key* told_as = nullptr;
  };
  struct Factor {
    std::vector<std::pair<size_t, int64_t>> strides;  // axis of the whole block -> cells from point to point
    BlockCells cells;
    std::vector<const Setting*> settings;  // whose values it gives
    Asked asked = Asked::identity;
    std::vector<Answer> answers;        // by cell; empty where a table is not worth its memory
    std::vector<WorkedOut> by_words{};  // without such a table: the rule, or all that the settings give
  };
  Factor factor(const Reach& reach, std::vector<const Setting*> settings, std::vector<Rule> exclude);
  Factor rule_factor(const AxisReach& reach, const Rule& rule);
  Factor settings_factor(const AxisReach& reach, const Reach& own, std::vector<const Setting*> settings);
  Answer ask(const Factor& factor, int64_t cell) const;
  void add_settings_of(const Factor& factor, const CellSettings& found, Answer& out) const;
  std::vector<const Setting*> derived_alone(const AxisReach& reach,
                                            const std::vector<const Setting*>& settings) const;
  Answer ask_words(Factor& factor, const std::vector<uint32_t>& stands) const;
  static bool add_derived(WorkedOut& derived, const std::vector<uint32_t>& stands, Answer& out);
  Answer answer(Factor& factor, const std::vector<uint32_t>& stands) const;
  void add_settings(const AxisReach& reach);
  void add_evals(const AxisReach& reach);
  void add_source(const AxisReach& reach);

  const Block& block_;
  const Inputs& inputs_;
  const CellTeller& teller_;
  int64_t room_;                 // how many answers tables may still hold
  std::vector<Factor> factors_;  // of identities
  std::vector<Factor> rules_;    // beside Block::exclude
};

}  // namespace ranktide
