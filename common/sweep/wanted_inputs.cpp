// Which models, data and eval files a sweep names, without walking its whole grid.
#include <algorithm>
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

// Returns: a block with every combination of inputs of the given one and few other cells. Conditions are left
// out, so an input that only excluded cells name is read too: better than one that is missed.
Block inputs_of(Block block) {
  block.exclude.clear();
  const bool derives_inputs = std::any_of(block.derive.begin(), block.derive.end(),
                                          [](auto& rule) { return is_input_key(rule.first); });
  for (auto& axis : block.axes) {
    axis.when.clear();
    if (!derives_inputs && !names_inputs(axis)) axis.points.resize(1);
  }
  return block;
}

class Collector {
 public:
  explicit Collector(WantedInputs& out) : out_(out) {}

  void add(const CellSettings& cell) {
    const TrialSettings settings = trial_settings(complete(cell.set));
    if (seen_.insert("model " + model_key(settings.model)).second) out_.models.push_back(settings.model);
    const std::string data = data_key(settings.data, model_key(settings.model));
    if (seen_.insert("data " + data).second) out_.data.push_back({settings.model, settings.data});
    const std::string& from = settings.model.from;
    if (!from.empty() && seen_.insert("source " + from).second) out_.sources.push_back(from);
    for (const auto& task : evals_of(cell.set, {})) add(task.spec, settings.model);
  }

 private:
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
    const BlockCells cells = spec.random ? BlockCells(block, spec.random) : BlockCells(inputs_of(block));
    for (int64_t number = 0; number < cells.count(); ++number) try {
        if (const auto cell = cells.at(number)) collector.add(*cell);
      } catch (const ExpressionError&) {
        continue;  // no cell of the grid: a condition that was left out keeps it away, or Grid says what is
                   // wrong
      } catch (const SpecError&) {
        continue;  // likewise
      }
  }
  std::sort(out.files.begin(), out.files.end());
  std::sort(out.sources.begin(), out.sources.end());
  return out;
}

}  // namespace ranktide
