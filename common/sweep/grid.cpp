#include "common/sweep/grid.h"

#include <algorithm>

#include "common/sweep/early_stop.h"
#include "common/sweep/overrides.h"
#include "common/sweep/resolve.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/taken_trials.h"
#include "common/sweep/warm_start.h"
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

// 0 and -0.0, and 10^16 and 1e16, are two numbers to an id and one to Json.
bool trains_same(const Json& identity, const Json& other) {
  return identity == other && canonical_json(identity) == canonical_json(other);
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
    frames_.push_back(frame_of(blocks_.size() - 1));
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
    if (out.excluded_by) return out;
    out.values = complete(out.cell.set);
    if (out.values.contains(kSourceKey)) start_of(trial_settings(out.values), spec_.inputs);  // throws
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
    if (trains_same(identity_of(complete(other->set), spec_.inputs).settings, own)) return it->second;
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
        return trains_same(identity_of(complete(other.set), spec_.inputs).settings, own->settings);
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

void Grid::add_view_of_block(const CellSettings& cell, const DataInput* data, SweepTrial& trial) const {
  for (auto& task : evals_of(cell.set, spec_.inputs))
    if (!has_eval(trial.evals, task)) trial.evals.push_back(std::move(task));
  if (trial.steps == 0) return;  // no step is known while the data is unread
  for (const Step step : eval_steps(cell.set, trial.settings, data, trial.steps)) trial.eval_at.push_back(step);
  std::sort(trial.eval_at.begin(), trial.eval_at.end());
  trial.eval_at.erase(std::unique(trial.eval_at.begin(), trial.eval_at.end()), trial.eval_at.end());
}

size_t Grid::block_of(int64_t cell) const {
  const auto after = std::upper_bound(first_cell_.begin(), first_cell_.end(), cell);
  return static_cast<size_t>(after - first_cell_.begin()) - 1;
}

Grid::Place Grid::place_of(int64_t raw) const {
  const auto seeds = static_cast<int64_t>(spec_.seeds.size());
  const int64_t cell = raw / seeds;
  const size_t block = block_of(cell);
  return {.block = block,
          .number = cell - first_cell_[block],
          .seed = spec_.seeds[static_cast<size_t>(raw % seeds)]};
}

// What is wrong with such a block is said of a cell, by whoever looks at it.
std::optional<BlockFrame> Grid::frame_of(size_t block) const {
  if (blocks_[block].is_drawn() || names_source(spec_.blocks[block])) return std::nullopt;
  try {
    return BlockFrame(spec_.blocks[block], spec_.inputs);
  } catch (const ExpressionError&) {
    return std::nullopt;
  } catch (const SpecError&) {
    return std::nullopt;
  }
}

// Whether a crossed cell of the one may be equal to any cell of the other. An included cell may be anything.
bool Grid::may_meet(size_t block, size_t other) const {
  if (other > block && !listed_[other].empty()) return true;
  if (other < block && blocks_[other].own_count() < blocks_[other].count()) return true;
  return other == block ? !frames_[block]->has_no_equals()
                        : !frames_[other] || !differ(*frames_[block], *frames_[other]);
}

Grid::Standing Grid::standing(const Place& place, const FramedCell& cell) const {
  std::optional<Found> found;
  for (size_t other = 0; other < blocks_.size(); ++other) {
    if (!may_meet(place.block, other)) continue;
    if (!found)
      found = Found{.block = place.block,
                    .number = place.number,
                    .cell = {},
                    .excluded_by = {},
                    .values = frames_[place.block]->whole(cell)};
    const int64_t below = other == place.block ? place.number : blocks_[other].count();
    if (equal_in(other, below, *found)) return other <= place.block ? Standing::merged : Standing::first;
  }
  return Standing::alone;
}

std::optional<SweepTrial> Grid::at(int64_t raw) const {
  RT_CHECK(raw >= 0);
  RT_CHECK(raw < raw_count_);
  if (!takes(spec_, raw)) return std::nullopt;
  const Place place = place_of(raw);
  std::optional<SweepTrial> trial;
  const auto& frame = frames_[place.block];
  if (frame && place.number < blocks_[place.block].own_count()) {
    const FramedCell cell = frame->at(place.number);
    const bool is_no_trial = !cell.is_unsure && !cell.exists;
    if (is_no_trial) return std::nullopt;
    const Standing own = cell.is_unsure ? Standing::first : standing(place, cell);
    if (own == Standing::merged) return std::nullopt;
    if (own == Standing::alone) {
      trial = frame->trial(cell, place.seed, spec_.inputs);
      if (trial && spec_.run.stop_early)
        trial->race = race_of(spec_, *trial, {contest_of(spec_, spec_.blocks[place.block], trial->labels)});
    }
  }
  if (!trial) trial = looked_up(place);
  if (trial) trial->index = raw;
  return trial;
}

bool Grid::lists_cell_of(const Grid& cell) const {
  const auto found = cell.find(0, 0);
  RT_CHECK(found.has_value());
  RT_CHECK(!found->excluded_by);
  for (size_t block = 0; block < blocks_.size(); ++block)
    if (const auto number = equal_in(block, blocks_[block].count(), *found))
      return taken_of(first_cell_[block] + *number) > 0;
  return false;
}

// The whole cell, and every block that has it.
std::optional<SweepTrial> Grid::looked_up(const Place& place) const {
  const size_t block = place.block;
  const auto found = find(block, place.number);
  if (!found || found->excluded_by || earlier_equal(*found)) return std::nullopt;

  SweepTrial trial;
  trial.settings = trial_settings(found->values);
  trial.settings.seed = place.seed;
  trial.start = start_of(trial.settings, spec_.inputs);
  if (trial.start) trial.settings.model.from = source_text(trial.start->trial, trial.start->step);
  const TrialInputs read = inputs_of(trial.settings, spec_.inputs);
  trial.steps = steps_of(trial.settings, read.data);
  if (trial.steps == 0 && read.data)
    throw in_block(spec_.blocks[block], trial.settings.data.train[0].path + " has no rows to train on");
  TrialIdentity identity = identity_of(found->values, spec_.inputs);
  identity.settings["seed"] = trial.settings.seed;
  trial.id = trial_id(identity);
  trial.cell = cell_id(identity);
  trial.stage = stage_id(identity, 0, trial.steps);
  trial.provisional = identity.provisional;
  if (read.model) trial.base = read.model->base, trial.tokenizer_sha256 = read.model->tokenizer_sha256;
  if (read.data) trial.data_sha256 = read.data->sha256;

  trial.labels = found->cell.labels;
  trial.labels.try_emplace("regime", regime_label(trial.settings.data));
  if (trial.settings.lora) trial.labels["lora.target"] = found->values.at("lora.target").get<std::string>();
  trial.blocks.push_back(spec_.blocks[block].name);
  std::vector<std::string> contests;
  if (spec_.run.stop_early) contests.push_back(contest_of(spec_, spec_.blocks[block], trial.labels));
  add_view_of_block(found->cell, read.data, trial);
  for (size_t later = block + 1; later < blocks_.size(); ++later) {
    const auto number = equal_in(later, blocks_[later].count(), *found);
    if (!number) continue;
    trial.blocks.push_back(spec_.blocks[later].name);
    const CellSettings equal = *blocks_[later].at(*number);
    if (spec_.run.stop_early) contests.push_back(contest_of(spec_, spec_.blocks[later], equal.labels));
    add_view_of_block(equal, read.data, trial);
  }
  if (spec_.run.stop_early) trial.race = race_of(spec_, trial, std::move(contests));
  return trial;
}

BaseId base_subject(const SweepTrial& trial) {
  const bool reads_its_own = trial.settings.model.tokenizer.empty();
  const BaseId base = reads_its_own ? trial.base : base_read_by(trial.base, trial.tokenizer_sha256);
  return trial.settings.engine ? base_computed_by(base, *trial.settings.engine) : base;
}

}  // namespace ranktide
