#include "common/sweep/grid.h"

#include <algorithm>

#include "common/sweep/overrides.h"
#include "common/sweep/resolve.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/taken_trials.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

bool has_eval(const std::vector<EvalTask>& evals, const EvalTask& task) {
  return std::any_of(evals.begin(), evals.end(), [&](const EvalTask& e) {
    if (e.name != task.name) return false;
    if (e.role == task.role && e.spec_id == task.spec_id) return true;
    throw SpecError("eval " + task.name +
                    " is defined in two ways by blocks that share a cell; give one another name");
  });
}

SpecError in_block(const Block& block, const std::string& message) {
  return SpecError("block " + block.name + ": " + message);
}

}  // namespace

Grid::Grid(SweepSpec spec) : spec_(std::move(spec)) {
  validate(spec_);
  int64_t cells = 0;
  for (const auto& block : spec_.blocks) {
    blocks_.emplace_back(block, spec_.random);
    first_cell_.push_back(cells);
    cells += blocks_.back().count();
    listed_.push_back(listed_in(blocks_.size() - 1));
  }
  raw_count_ = cells * static_cast<int64_t>(spec_.seeds.size());
  RT_CHECK(raw_count_ == raw_trials(spec_) || (spec_.random && raw_count_ < raw_trials(spec_)));
  if (spec_.taken) check_taken(*spec_.taken, raw_count_);
}

std::optional<Grid::Found> Grid::find(size_t block, int64_t number) const {
  try {
    auto cell = blocks_[block].at(number);
    if (!cell) return std::nullopt;
    Found out{.block = block, .number = number, .cell = *std::move(cell), .excluded_by = {}, .values = {}};
    out.excluded_by = blocks_[block].excluded_by(out.cell);
    if (!out.excluded_by) out.values = complete(out.cell.set);
    return out;
  } catch (const ExpressionError& e) {
    throw in_block(blocks_[block].block(), e.what());
  } catch (const SpecError& e) {
    throw in_block(blocks_[block].block(), e.what());
  }
}

std::vector<std::pair<CellPrint, int64_t>> Grid::listed_in(size_t block) const {
  const BlockCells& cells = blocks_[block];
  std::vector<std::pair<CellPrint, int64_t>> out;
  for (int64_t number = cells.is_drawn() ? 0 : cells.own_count(); number < cells.count(); ++number)
    if (const auto found = find(block, number); found && !found->excluded_by)
      out.emplace_back(print_of(identity_of(found->values, spec_.inputs).settings), number);
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<int64_t> Grid::listed_equal(size_t block, int64_t below, const Found& found) const {
  if (listed_[block].empty()) return std::nullopt;
  const Json own = identity_of(found.values, spec_.inputs).settings;
  const CellPrint print = print_of(own);
  auto it = std::lower_bound(listed_[block].begin(), listed_[block].end(), std::pair(print, int64_t{0}));
  for (; it != listed_[block].end() && it->first == print && it->second < below; ++it) {
    const auto other = blocks_[block].at(it->second);
    if (identity_of(complete(other->set), spec_.inputs).settings == own) return it->second;
  }
  return std::nullopt;
}

// Returns: the lowest cell of the block below `below` that trains the same.
// An identity costs more than all the rest, and most cells have no other that could be equal.
std::optional<int64_t> Grid::equal_in(size_t block, int64_t below, const Found& found) const {
  const BlockCells& cells = blocks_[block];
  if (cells.is_drawn()) return listed_equal(block, below, found);
  std::optional<TrialIdentity> own;
  const auto crossed =
      cells.first_equal(found.values, std::min(below, cells.own_count()), [&](const CellSettings& other) {
        if (!own) own = identity_of(found.values, spec_.inputs);
        return identity_of(complete(other.set), spec_.inputs).settings == own->settings;
      });
  return crossed ? crossed : listed_equal(block, below, found);
}

// Returns: the block with an equal cell at a lower index, its own included.
std::optional<size_t> Grid::earlier_equal(const Found& found) const {
  for (size_t block = 0; block <= found.block; ++block) {
    const int64_t below = block == found.block ? found.number : blocks_[block].count();
    if (equal_in(block, below, found)) return block;
  }
  return std::nullopt;
}

const DataInput* Grid::data_of(const TrialSettings& settings) const {
  const auto model = spec_.inputs.models.find(model_key(settings.model));
  if (model == spec_.inputs.models.end()) return nullptr;
  const auto data = spec_.inputs.data.find(data_key(settings.data, model->second.tokenizer_sha256));
  return data == spec_.inputs.data.end() ? nullptr : &data->second;
}

void Grid::add_view_of_block(const CellSettings& cell, const DataInput* data, SweepTrial& trial) const {
  for (auto& task : evals_of(cell.set, spec_.inputs))
    if (!has_eval(trial.evals, task)) trial.evals.push_back(std::move(task));
  if (trial.steps == 0) return;  // no step is known while the data is unread
  for (const Step step : eval_steps(cell.set, trial.settings, data, trial.steps)) trial.eval_at.push_back(step);
  std::sort(trial.eval_at.begin(), trial.eval_at.end());
  trial.eval_at.erase(std::unique(trial.eval_at.begin(), trial.eval_at.end()), trial.eval_at.end());
}

std::optional<SweepTrial> Grid::at(int64_t raw) const {
  RT_CHECK(raw >= 0);
  RT_CHECK(raw < raw_count_);
  if (!takes(spec_, raw)) return std::nullopt;
  const auto seeds = static_cast<int64_t>(spec_.seeds.size());
  const int64_t cell = raw / seeds;
  const auto after = std::upper_bound(first_cell_.begin(), first_cell_.end(), cell);
  const auto block = static_cast<size_t>(after - first_cell_.begin()) - 1;
  auto found = find(block, cell - first_cell_[block]);
  if (!found || found->excluded_by || earlier_equal(*found)) return std::nullopt;

  SweepTrial trial;
  trial.index = raw;
  trial.settings = trial_settings(found->values);
  trial.settings.seed = spec_.seeds[static_cast<size_t>(raw % seeds)];
  const DataInput* data = data_of(trial.settings);
  trial.steps = steps_of(trial.settings, data);
  if (trial.steps == 0 && data)
    throw in_block(spec_.blocks[block], trial.settings.data.train[0].path + " has no rows to train on");
  TrialIdentity identity = identity_of(found->values, spec_.inputs);
  identity.settings["seed"] = trial.settings.seed;
  trial.id = trial_id(identity);
  trial.cell = cell_id(identity);
  trial.stage = stage_id(identity, 0, trial.steps);
  trial.provisional = identity.provisional;
  if (const auto model = spec_.inputs.models.find(model_key(trial.settings.model));
      model != spec_.inputs.models.end()) {
    trial.base = model->second.base;
    trial.tokenizer_sha256 = model->second.tokenizer_sha256;
  }
  if (data) trial.data_sha256 = data->sha256;

  trial.labels = found->cell.labels;
  trial.labels.try_emplace("regime", regime_label(trial.settings.data));
  if (trial.settings.lora) trial.labels["lora.target"] = found->values.at("lora.target").get<std::string>();
  trial.blocks.push_back(spec_.blocks[block].name);
  add_view_of_block(found->cell, data, trial);
  for (size_t later = block + 1; later < blocks_.size(); ++later) {
    const auto number = equal_in(later, blocks_[later].count(), *found);
    if (!number) continue;
    trial.blocks.push_back(spec_.blocks[later].name);
    add_view_of_block(*blocks_[later].at(*number), data, trial);
  }
  return trial;
}

BaseId base_subject(const SweepTrial& trial) {
  const bool reads_its_own = trial.settings.model.tokenizer.empty();
  return reads_its_own ? trial.base : base_read_by(trial.base, trial.tokenizer_sha256);
}

}  // namespace ranktide
