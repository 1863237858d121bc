// Which models, data and eval files a sweep names, without walking its whole grid.
#include <algorithm>
#include <map>
#include <set>

#include "common/sweep/expression.h"
#include "common/sweep/grid.h"
#include "common/sweep/resolve.h"

namespace ranktide {
namespace {

bool is_input_key(const std::string& key) {
  return key.starts_with("model.") || key.starts_with("data.") || key.starts_with("eval.");
}

bool names_inputs(const Axis& axis) {
  return std::any_of(axis.points.begin(), axis.points.end(), [](const AxisPoint& point) {
    return std::any_of(point.set.begin(), point.set.end(), [](auto& item) { return is_input_key(item.first); });
  });
}

bool derives_inputs(const Block& block) {
  return std::any_of(block.derive.begin(), block.derive.end(),
                     [](auto& rule) { return is_input_key(rule.first); });
}

using Conditions = std::vector<bool>;  // by axis: whether its `when` holds

// Returns: the block where every `when` holds as `conditions` says. No cell is excluded, so an input that only
// excluded cells name is read too: better than one that is missed.
Block with(const Conditions& conditions, Block block) {
  block.exclude.clear();
  for (size_t axis = 0; axis < block.axes.size(); ++axis) {
    std::string& when = block.axes[axis].when;
    if (!when.empty()) when = conditions[axis] ? "true" : "false";
    if (!conditions[axis]) block.axes[axis].points.resize(1);  // the others are no cells
  }
  return block;
}

// Returns: the block with one point of each axis that inputs do not depend on, without included cells.
Block inputs_of(Block block) {
  block.include.clear();
  if (!derives_inputs(block))
    for (Axis& axis : block.axes)
      if (!names_inputs(axis)) axis.points.resize(1);
  return block;
}

// The axes whose `when` decides which inputs a cell has: where it does not hold, the constant counts that the
// axis stands for.
std::vector<size_t> deciding_axes(const Block& block) {
  std::vector<size_t> out;
  for (size_t axis = 0; axis < block.axes.size(); ++axis)
    if (!block.axes[axis].when.empty() && (derives_inputs(block) || names_inputs(block.axes[axis])))
      out.push_back(axis);
  return out;
}

// Whether every way in which the conditions can turn out makes no more cells than there are in the block.
bool is_less_than_all(const Block& block) {
  double few = 1;
  double all = 1;
  const Block inputs = inputs_of(block);
  for (const Axis& axis : inputs.axes) few *= static_cast<double>(axis.points.size());
  for (const size_t axis : deciding_axes(block)) {
    const auto points = static_cast<double>(inputs.axes[axis].points.size());
    few *= (points + 1) / points;
  }
  for (const Axis& axis : block.axes) all *= static_cast<double>(axis.points.size());
  return few <= all;
}

// Returns: whether a `when` holds in the cell, which says nothing of the axes that have no value in it.
Conditions conditions_in(const IncludedCell& cell) {
  Conditions out;
  for (const AxisPoint& point : cell.points) out.push_back(!is_unnamed(point));
  return out;
}

class Collector {
 public:
  explicit Collector(WantedInputs& out) : out_(out) {}

  void add(const BlockCells& cells, int64_t from = 0) {
    for (int64_t number = from; number < cells.count(); ++number) try {
        if (const auto cell = cells.at(number)) add(*cell);
      } catch (const ExpressionError&) {
        continue;  // no cell of the grid: a condition that was taken to hold keeps it away, or Grid says what
                   // is wrong
      } catch (const SpecError&) {
        continue;  // likewise
      }
  }

  void add_crossed(const Block& block) {
    const Block inputs = inputs_of(block);
    const std::vector<size_t> deciding = deciding_axes(block);
    Conditions conditions(block.axes.size(), true);
    for (size_t axis = 0;; axis = 0) {
      add(BlockCells(with(conditions, inputs)));
      while (axis < deciding.size() && !conditions[deciding[axis]]) conditions[deciding[axis++]] = true;
      if (axis == deciding.size()) return;
      conditions[deciding[axis]] = false;
    }
  }

  void add_included(const Block& block) {
    std::map<Conditions, std::vector<IncludedCell>> alike;
    for (const IncludedCell& cell : block.include) alike[conditions_in(cell)].push_back(cell);
    Block one = block;
    for (Axis& axis : one.axes) axis.points.resize(1);
    for (auto& [conditions, cells] : alike) {
      one.include = std::move(cells);
      add(BlockCells(with(conditions, one)), 1);
    }
  }

 private:
  void add(const CellSettings& cell) {
    const TrialSettings settings = trial_settings(complete(cell.set));
    if (seen_.insert("model " + model_key(settings.model)).second) out_.models.push_back(settings.model);
    const std::string data = data_key(settings.data, model_key(settings.model));
    if (seen_.insert("data " + data).second) out_.data.push_back({settings.model, settings.data});
    const std::string& from = settings.model.from;
    if (!from.empty() && seen_.insert("source " + from).second) out_.sources.push_back(from);
    for (const auto& task : evals_of(cell.set, {})) add(task.spec, settings.model);
  }

  void add(const EvalSpec& spec, const ModelSettings& model) {
    if (seen_.insert("file " + spec.data).second) out_.files.push_back(spec.data);
    const std::string& tokenizer = model.tokenizer.empty() ? model.path : model.tokenizer;
    if (seen_.insert("eval " + tokenizer + " " + to_json(spec).dump()).second)
      out_.evals.push_back({model, spec});
  }

  WantedInputs& out_;
  std::set<std::string> seen_;
};

}  // namespace

WantedInputs wanted_inputs(const SweepSpec& spec) {
  WantedInputs out;
  Collector collector(out);
  for (const auto& block : spec.blocks) {
    // What a search draws hangs on the whole block, and is little.
    if (spec.random || !is_less_than_all(block)) {
      collector.add(BlockCells(block, spec.random));
      continue;
    }
    collector.add_crossed(block);
    collector.add_included(block);
  }
  std::sort(out.files.begin(), out.files.end());
  std::sort(out.sources.begin(), out.sources.end());
  return out;
}

}  // namespace ranktide
