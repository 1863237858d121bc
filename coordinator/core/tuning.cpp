#include "coordinator/core/tuning.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "common/sweep/axis_step.h"
#include "common/sweep/expression.h"
#include "common/sweep/identity.h"
#include "common/sweep/spec_difference.h"
#include "common/sweep/trial_values.h"
#include "common/sweep/tuning_check.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

// ---- which settings a group shares

// Returns: the tuned keys and all that the block derives from them.
std::set<std::string> tuned_keys(const SweepSpec& spec, const Block& block) {
  return with_derived({spec.tune->axes.begin(), spec.tune->axes.end()}, block);
}

// Returns: the object that holds a key's last part; nullptr where the trial has no such section.
Json* section_of(Json& settings, const std::string& key) {
  const size_t dot = key.find('.');
  if (dot == std::string::npos) return &settings;
  const auto it = settings.find(key.substr(0, dot));
  return it != settings.end() && it->is_object() ? &*it : nullptr;
}

std::string last_part(const std::string& key) {
  return key.substr(key.find('.') + 1);
}

// A length is its steps or its share; beside given steps stands the default's share.
double number_in(const Json& value) {
  if (value.is_number()) return value.get<double>();
  for (const char* unit : {"steps", "share"})
    if (value.is_object() && value.contains(unit) && value[unit].is_number()) return value[unit].get<double>();
  return 0;  // without effect in this trial: the axis has one value there
}

const Block* block_named(const SweepSpec& spec, const std::string& name) {
  const auto found =
      std::find_if(spec.blocks.begin(), spec.blocks.end(), [&](const Block& b) { return b.name == name; });
  return found == spec.blocks.end() ? nullptr : &*found;
}

// Returns: the name of the group that the trial is in as one of the block's.
std::string group_in(const SweepSpec& spec, const Block& block, const TrialSettings& trial) {
  Json settings = to_json(trial);
  settings.erase("seed");
  for (const std::string& key : tuned_keys(spec, block))
    if (Json* section = section_of(settings, key)) section->erase(last_part(key));
  return sha256_hex(canonical_json(settings));
}

// ---- how the trials of a group stand

bool has_ended(const State& state, const Sweep& sweep, const UnitId& id) {
  const Unit* unit = state.find_unit(id);
  return !unit || is_terminal(unit->life) || sweep.dropped.contains(id);
}

bool has_ended(const State& state, const Sweep& sweep, const TunedTrial& trial) {
  if (!has_ended(state, sweep, trial.unit)) return false;
  return std::all_of(trial.evals.begin(), trial.evals.end(), [&](const TunedEval& e) {
    return has_ended(state, sweep, unit_of(e.own)) && has_ended(state, sweep, unit_of(e.base));
  });
}

std::optional<double> score_of(const State& state, const EvalId& id) {
  const auto found = state.evals().find(id);
  if (found == state.evals().end() || !found->second.is_finished) return std::nullopt;
  const double score = found->second.sign * found->second.value;
  return std::isfinite(score) ? std::optional(score) : std::nullopt;
}

bool is_loss(const State& state, const EvalId& id) {
  return state.evals().at(id).sign < 0;
}

// What one trial says of its values.
struct Verdict {
  bool is_diverged = false;
  std::optional<double> merit;  // higher is better; absent: it is in no mean
};

// By the metric's own direction: a loss enters as minus its value, forgetting as minus itself.
double merit_of(const std::string& by, const std::vector<const TunedEval*>& evals,
                const std::map<EvalId, double>& scores) {
  double sum = 0;
  int n = 0;
  for (const TunedEval* e : evals) {
    const bool is_of_base = by == "gain" || by == "forgetting";
    sum += scores.at(e->own) - (is_of_base ? scores.at(e->base) : 0);
    ++n;
  }
  return sum / n;
}

std::vector<const TunedEval*> evals_judged(const TunedTrial& trial, const std::string& by) {
  std::vector<const TunedEval*> out;
  const bool is_learn = by.empty() || by == "learning" || by == "gain";
  const bool is_retain = by == "retained" || by == "forgetting";
  for (const TunedEval& e : trial.evals)
    if (is_learn ? e.role == EvalRole::learn : is_retain ? e.role == EvalRole::retain : e.name == by)
      out.push_back(&e);
  return out;
}

Verdict verdict_of(const State& state, const TunedTrial& trial, const std::string& by) {
  const Unit* unit = state.find_unit(trial.unit);
  RT_CHECK(unit != nullptr);
  if (unit->life == UnitLife::diverged) return {.is_diverged = true, .merit = {}};
  if (unit->life != UnitLife::completed) return {};
  std::map<EvalId, double> scores;
  for (const TunedEval& e : trial.evals)
    for (const EvalId& id : {e.own, e.base}) {
      const auto score = score_of(state, id);
      if (!score) return {};
      scores[id] = *score;
    }
  for (const TunedEval& e : trial.evals)
    if (e.role == EvalRole::learn && is_loss(state, e.own) && scores.at(e.own) < scores.at(e.base))
      return {.is_diverged = true, .merit = {}};
  const auto judged = evals_judged(trial, by);
  if (judged.empty()) return {};
  return {.is_diverged = false, .merit = merit_of(by, judged, scores)};
}

// ---- which value is best, and whether it stands at an end

struct Tried {
  double sum = 0;
  int n = 0;
  bool is_out = false;  // of one that diverged, or was stopped early, the other seeds say too much
  const TunedTrial* trial = nullptr;  // one of its seeds
};

// After a retry its value is out no more, and its other seeds stay stopped.
bool is_stopped_early(const Sweep& sweep, const TunedTrial& trial) {
  return sweep.races.verdicts.contains(trial.cell) || sweep.races.stopped.contains(StageId{trial.unit.text});
}

const TunedTrial* best_of(const State& state, const Sweep& sweep, const std::vector<TunedTrial>& group) {
  const std::string& by = sweep.grid.spec().tune->by;
  std::map<std::vector<double>, Tried> tried;
  for (const TunedTrial& trial : group) {
    const Verdict verdict = verdict_of(state, trial, by);
    Tried& value = tried[trial.values];
    value.trial = &trial;
    value.is_out = value.is_out || verdict.is_diverged || is_stopped_early(sweep, trial);
    if (!verdict.merit) continue;
    value.sum += *verdict.merit;
    ++value.n;
  }
  const TunedTrial* best = nullptr;
  double highest = 0;
  for (const auto& [values, t] : tried) {
    if (t.is_out || t.n == 0 || (best && t.sum / t.n <= highest)) continue;
    highest = t.sum / t.n;
    best = t.trial;
  }
  return best;
}

std::optional<AxisEnd> end_of(const std::vector<TunedTrial>& group, const TunedTrial& best, size_t axis) {
  double lowest = best.values[axis];
  double highest = lowest;
  for (const TunedTrial& trial : group) {
    lowest = std::min(lowest, trial.values[axis]);
    highest = std::max(highest, trial.values[axis]);
  }
  if (lowest == highest) return std::nullopt;
  if (best.values[axis] == highest) return AxisEnd::highest;
  return best.values[axis] == lowest ? std::optional(AxisEnd::lowest) : std::nullopt;
}

// ---- the cell that comes next

// Returns: the cell's place among Sweep::added; nullopt for a cell of the grid.
std::optional<size_t> added_place(const Sweep& sweep, int64_t raw) {
  const int64_t beyond = raw - sweep.grid.raw_count();
  if (beyond < 0) return std::nullopt;
  return static_cast<size_t>(beyond) / sweep.grid.spec().seeds.size();
}

int steps_taken(const Sweep& sweep, const std::vector<TunedTrial>& group, const std::string& axis) {
  std::set<size_t> cells;
  for (const TunedTrial& trial : group)
    if (const auto place = added_place(sweep, trial.index); place && sweep.added.at(*place).axis == axis)
      cells.insert(*place);
  return static_cast<int>(cells.size());
}

bool has_labels(const Block& block, const IncludedCell& cell, const SweepTrial& trial) {
  for (size_t axis = 0; axis < block.axes.size(); ++axis) {
    const auto label = trial.labels.find(block.axes[axis].name);
    if (label != trial.labels.end() && label->second != cell.points[axis].label) return false;
  }
  return true;
}

bool has_settings(const SettingValues& settings, const AxisPoint& point) {
  return !point.set.empty() && std::all_of(point.set.begin(), point.set.end(), [&](const auto& item) {
    const auto own = settings.find(item.first);
    return own != settings.end() && own->second == item.second;
  });
}

// A trial's labels are its first block's. Returns: where it stands on another's axes; nullopt where its
// settings do not say.
std::optional<std::vector<AxisPoint>> points_by_settings(const Block& block, const SweepTrial& trial) {
  const SettingValues settings = values_of(trial.settings);
  std::vector<AxisPoint> out;
  for (const Axis& axis : block.axes) {
    const auto found = std::find_if(axis.points.begin(), axis.points.end(),
                                    [&](const AxisPoint& p) { return has_settings(settings, p); });
    if (found == axis.points.end()) return std::nullopt;
    out.push_back(*found);
  }
  return out;
}

// Returns: where the trial stands on its block's axes; nullopt where its labels do not say.
std::optional<std::vector<AxisPoint>> points_of(const Sweep& sweep, const Block& block,
                                                const SweepTrial& trial) {
  if (const auto place = added_place(sweep, trial.index)) return sweep.added.at(*place).points;
  if (block.name != trial.blocks.front()) return points_by_settings(block, trial);
  std::vector<AxisPoint> out;
  for (const Axis& axis : block.axes) {
    if (axis.points.empty()) return std::nullopt;
    const auto label = trial.labels.find(axis.name);
    const auto found = std::find_if(axis.points.begin(), axis.points.end(), [&](const AxisPoint& p) {
      return label == trial.labels.end() || p.label == label->second;  // an axis that is off has no label
    });
    if (found == axis.points.end()) break;
    out.push_back(*found);
  }
  if (out.size() == block.axes.size()) return out;
  for (const IncludedCell& cell : block.include)
    if (has_labels(block, cell, trial)) return cell.points;
  return std::nullopt;
}

// What tuning is about to add keeps to the block's rules; what a journal has was added, whatever they say.
SweepSpec only_allowed(const SweepSpec& spec, const AddedCell& cell) {
  SweepSpec out = only_cell(spec, cell);
  out.blocks.front().exclude = block_named(spec, cell.block)->exclude;
  return out;
}

// Returns: the cell by itself; nullopt where a rule forbids it or a derivation refuses its values.
std::optional<Grid> allowed_alone(const SweepSpec& spec, const AddedCell& cell) {
  try {
    Grid alone(only_allowed(spec, cell));
    return alone.at(0) ? std::optional(std::move(alone)) : std::nullopt;
  } catch (const SpecError&) {
    return std::nullopt;
  } catch (const ExpressionError&) {
    return std::nullopt;
  }
}

// Returns: the first of the trial's blocks that has the axis and sees the trial in the group; nullptr when none
// does.
const Block* block_with(const SweepSpec& spec, const SweepTrial& trial, const std::string& axis,
                        const std::string& group) {
  for (const std::string& name : trial.blocks) {
    const Block* block = block_named(spec, name);
    RT_CHECK(block != nullptr);
    if (std::any_of(block->axes.begin(), block->axes.end(), [&](const Axis& a) { return a.name == axis; }) &&
        group_in(spec, *block, trial.settings) == group)
      return block;
  }
  return nullptr;
}

std::optional<AddedCell> cell_beyond(const Sweep& sweep, const std::string& group, const TunedTrial& best,
                                     const std::string& name, AxisEnd end) {
  const auto trial = sweep.trial_at(best.index);
  if (!trial) return std::nullopt;  // listed by an older version, whose exclude rules left it in
  const Block* block = block_with(sweep.grid.spec(), *trial, name, group);
  if (!block) return std::nullopt;
  const auto axis =
      std::find_if(block->axes.begin(), block->axes.end(), [&](const Axis& a) { return a.name == name; });
  auto points = points_of(sweep, *block, *trial);
  const auto spacing = spacing_of(*axis);
  if (!points || !spacing) return std::nullopt;
  AxisPoint& point = points->at(static_cast<size_t>(axis - block->axes.begin()));
  const auto value = point.set.find(name);
  if (value == point.set.end()) return std::nullopt;  // an included cell, in which the axis is off
  const auto next = value_beyond(*find_setting(name), *spacing, value->second, end);
  if (!next) return std::nullopt;
  point = {.label = value_text(*next), .set = {{name, *next}}};
  AddedCell out{.block = block->name, .axis = name, .points = *std::move(points)};
  const auto stage = stage_of(sweep.grid.spec(), out);
  return stage && !sweep.units.contains(unit_of(*stage)) ? std::optional(std::move(out)) : std::nullopt;
}

bool has_point(const Axis& axis, const AxisPoint& point) {
  return std::any_of(axis.points.begin(), axis.points.end(),
                     [&](const AxisPoint& p) { return p.set == point.set; });
}

bool still_fits(const AddedCell& cell, const SweepSpec& spec) {
  const Block* block = block_named(spec, cell.block);
  if (!block || block->axes.size() != cell.points.size()) return false;
  const auto is_tuned = [&](const std::string& name) {
    return std::find(spec.tune->axes.begin(), spec.tune->axes.end(), name) != spec.tune->axes.end();
  };
  bool is_beyond = false;
  for (size_t i = 0; i < block->axes.size(); ++i) {
    const Axis& axis = block->axes[i];
    const bool is_own = has_point(axis, cell.points[i]);
    const bool sets_the_same =
        !axis.points.empty() &&
        (cell.points[i].set.empty() || cell.points[i].set.contains(axis.name) || !find_setting(axis.name));
    if (!sets_the_same || (!is_own && !is_tuned(axis.name))) return false;
    is_beyond = is_beyond || !is_own;
  }
  return is_beyond && is_tuned(cell.axis);
}

// What does not resolve any more is taken for listed, so that it is not added again.
bool is_listed_in(const Grid& grid, const Grid& alone) {
  try {
    return grid.lists_cell_of(alone);
  } catch (const SpecError&) {
    return true;
  } catch (const ExpressionError&) {
    return true;
  }
}

}  // namespace

std::set<std::string> tuned_groups(const SweepSpec& spec, const SweepTrial& trial) {
  std::set<std::string> out;
  for (const std::string& name : trial.blocks) {
    const Block* block = block_named(spec, name);
    RT_CHECK(block != nullptr);
    out.insert(group_in(spec, *block, trial.settings));
  }
  return out;
}

TunedTrial tuned_trial(const SweepSpec& spec, const SweepTrial& trial) {
  TunedTrial out{
      .index = trial.index, .values = {}, .unit = unit_of(trial.stage), .cell = trial.cell, .evals = {}};
  Json settings = to_json(trial.settings);
  for (const std::string& key : spec.tune->axes) {
    const Json* section = section_of(settings, key);
    out.values.push_back(section ? number_in(section->value(last_part(key), Json{})) : 0);
  }
  for (const EvalTask& task : trial.evals)
    out.evals.push_back({.name = task.name,
                         .role = task.role,
                         .own = eval_id(trial.stage, trial.steps, task.spec_id),
                         .base = eval_id(base_subject(trial), task.spec_id)});
  return out;
}

std::vector<AddedCell> next_cells(const State& state, const Sweep& sweep, const std::string& group_name) {
  RT_CHECK(sweep.is_listed);
  const std::vector<TunedTrial>& group = sweep.tuned.at(group_name);
  const Tuning& tune = *sweep.grid.spec().tune;
  const bool is_open = std::any_of(group.begin(), group.end(),
                                   [&](const TunedTrial& trial) { return !has_ended(state, sweep, trial); });
  if (is_open) return {};
  const TunedTrial* best = best_of(state, sweep, group);
  std::vector<AddedCell> out;
  for (size_t axis = 0; best && axis < tune.axes.size(); ++axis) {
    const std::string& name = tune.axes[axis];
    const auto end = end_of(group, *best, axis);
    if (!end || steps_taken(sweep, group, name) >= tune.extend) continue;
    if (auto cell = cell_beyond(sweep, group_name, *best, name, *end)) out.push_back(*std::move(cell));
  }
  return out;
}

std::optional<StageId> stage_of(const SweepSpec& spec, const AddedCell& cell) {
  const auto alone = allowed_alone(spec, cell);
  return alone ? std::optional(alone->at(0)->stage) : std::nullopt;
}

std::vector<AddedCell> still_fitting(const std::vector<AddedCell>& added, const Grid& grid) {
  const SweepSpec& spec = grid.spec();
  std::vector<AddedCell> out;
  if (!spec.tune || spec.tune->extend == 0) return out;
  std::set<CellId> kept;
  for (const AddedCell& cell : added) {
    const auto seeds = static_cast<int64_t>((out.size() + 1) * spec.seeds.size());
    if (!still_fits(cell, spec) || grid.raw_count() + seeds > spec.max_trials) continue;
    const auto alone = allowed_alone(spec, cell);
    if (alone && !is_listed_in(grid, *alone) && kept.insert(alone->at(0)->cell).second) out.push_back(cell);
  }
  return out;
}

SweepSpec only_cell(const SweepSpec& spec, const AddedCell& added) {
  const Block* found = block_named(spec, added.block);
  RT_CHECK(found != nullptr);
  RT_CHECK(found->axes.size() == added.points.size());
  Block block = *found;
  for (size_t i = 0; i < block.axes.size(); ++i) {
    const bool is_off = is_unnamed(added.points[i]) && !found->axes[i].points.empty();
    block.axes[i].points = {is_off ? found->axes[i].points.front() : added.points[i]};
    block.axes[i].drawn.reset();
  }
  block.exclude.clear();
  block.include.clear();
  SweepSpec out = spec;
  out.blocks = {std::move(block)};
  out.inputs.contents.clear();  // for workers, who have the sweep's
  out.random.reset();
  out.taken.reset();
  out.taken_unites.reset();
  out.tune.reset();
  out.run.stop_early.reset();  // of values of tuned axes, and this cell alone has none
  return out;
}

}  // namespace ranktide
