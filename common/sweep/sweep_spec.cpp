#include "common/sweep/sweep_spec.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/sweep/block_cells.h"
#include "common/sweep/early_stop.h"
#include "common/sweep/include_yaml.h"
#include "common/sweep/resolve.h"
#include "common/sweep/set_elsewhere.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/setting_error.h"
#include "common/sweep/suggest.h"
#include "common/sweep/tuning_check.h"

namespace ranktide {
namespace {

[[noreturn]] void fail(const Block& block, const std::string& message) {
  throw SpecError("block " + block.name + ": " + message);
}

// What may stand in a block: everything but the sweep's own policy and the seed.
const Setting& block_setting(const Block& block, const std::string& key) {
  const Setting* setting = find_setting(key);
  if (!setting) fail(block, "unknown key \"" + key + "\"" + key_remedy(key));
  if (key == "seed" || key.starts_with("run.")) fail(block, key + " is the whole sweep's, not a block's");
  return *setting;
}

void check_values(const Block& block, const SettingValues& values) {
  for (const auto& [key, value] : values) {
    const auto wrong = refusal(block_setting(block, key), value);
    if (wrong) fail(block, key + " " + *wrong);
  }
}

// The ends of a range as points; what lies between them is of the same type and within the same bounds.
constexpr double kWholeNumberMax = 9007199254740992;  // whole numbers beyond are not exact

std::vector<AxisPoint> ends_of(const Axis& axis) {
  const bool whole = find_setting(axis.name)->type == SettingType::count;
  return {drawn_point(axis, whole ? std::ceil(axis.drawn->min) : axis.drawn->min),
          drawn_point(axis, whole ? std::floor(axis.drawn->max) : axis.drawn->max)};
}

bool can_be_drawn(const Setting& setting) {
  return setting.type == SettingType::count || setting.type == SettingType::number ||
         setting.type == SettingType::share;
}

void check_drawn_axis(const Block& block, const Axis& axis) {
  const Setting* setting = find_setting(axis.name);
  const DrawnRange& range = *axis.drawn;
  if (!setting || !can_be_drawn(*setting))
    fail(block, "axis " + axis.name + " is no number, so it has no range to draw from; give it values");
  if (!axis.points.empty()) fail(block, "axis " + axis.name + " has values and a range; leave one out");
  if (!std::isfinite(range.min) || !std::isfinite(range.max) || range.min >= range.max)
    fail(block, "axis " + axis.name + ": its lower end has to be below its upper one");
  if (range.log && range.min <= 0) fail(block, "axis " + axis.name + ": both ends of a log have to be above 0");
  if (setting->type == SettingType::count && std::ceil(range.min) > std::floor(range.max))
    fail(block, "axis " + axis.name + " takes whole numbers, and there is none between its ends");
  if (std::max(std::abs(range.min), std::abs(range.max)) > kWholeNumberMax)
    fail(block, "axis " + axis.name + " is drawn from numbers beyond 2^53");
  for (const AxisPoint& end : ends_of(axis)) check_values(block, end.set);
}

void check_axis(const Block& block, const Axis& axis) {
  if (!find_setting(axis.name) && !is_name(axis.name)) fail(block, name_refusal("an axis' name", axis.name));
  if (axis.drawn) return check_drawn_axis(block, axis);
  if (axis.points.empty())
    fail(block, "axis " + axis.name +
                    " has no values, so the grid would be empty; give it at least one, or leave it out");
  if (axis.points.size() > kAxisPointsMax)
    fail(block, "axis " + axis.name + " has " + std::to_string(axis.points.size()) +
                    " values; at most 10,000 are allowed");
  for (const auto& point : axis.points) {
    check_values(block, point.set);
    if (find_setting(axis.name) && (point.set.size() != 1 || !point.set.contains(axis.name)))
      fail(block, "axis " + axis.name + " has to set that key and no other");
  }
}

// What an axis' points set; no two axes set one key.
std::set<std::string> keys_set_by(const Axis& axis) {
  std::set<std::string> out;
  if (axis.drawn) out.insert(axis.name);
  for (const auto& point : axis.points)
    for (const auto& [key, value] : point.set) out.insert(key);
  return out;
}

void check_axes(const Block& block) {
  if (block.axes.size() > kAxesMax) fail(block, "more than 32 axes");
  std::set<std::string> names;
  std::set<std::string> keys;
  for (const auto& axis : block.axes) {
    check_axis(block, axis);
    if (!names.insert(axis.name).second) fail(block, "two axes are named " + axis.name);
    for (const auto& key : keys_set_by(axis))
      if (!keys.insert(key).second) fail(block, "two axes set " + key);
  }
}

void check_included_point(const Block& block, const Axis& axis, const AxisPoint& point,
                          const std::string& what) {
  if (is_unnamed(point)) {
    if (axis.when.empty()) fail(block, what + " names no value of " + axis.name);
    return;
  }
  check_values(block, point.set);
  const auto keys = keys_set_by(axis);
  for (const auto& [key, value] : point.set)
    if (!keys.contains(key)) fail(block, what + " sets " + key + " on axis " + axis.name + ", which does not");
  if (find_setting(axis.name) && !point.set.contains(axis.name))
    fail(block, what + " names no value of " + axis.name);
}

void check_include(const Block& block) {
  if (block.include.size() > kIncludedCellsMax)
    fail(block, "include names " + std::to_string(block.include.size()) + " cells, more than " +
                    std::to_string(kIncludedCellsMax) + "; make a block of them");
  std::map<Json, std::string> seen;
  for (const IncludedCell& cell : block.include) {
    const std::string what = (cell.where.empty() ? "" : cell.where + ": ") + std::string("include");
    if (cell.points.size() != block.axes.size())
      fail(block, what + " names " + std::to_string(cell.points.size()) + " values for " +
                      std::to_string(block.axes.size()) + " axes");
    for (size_t axis = 0; axis < block.axes.size(); ++axis)
      check_included_point(block, block.axes[axis], cell.points[axis], what);
    SettingValues set;
    for (const AxisPoint& point : cell.points) set.insert(point.set.begin(), point.set.end());
    const auto [first, is_new] = seen.emplace(Json(set), cell.where);
    if (!is_new)
      fail(block,
           what + " names a cell twice" + (first->second.empty() ? "" : " (first at " + first->second + ")"));
  }
}

// A range is probed at its ends.
Block probed(Block block) {
  for (Axis& axis : block.axes) {
    if (!axis.drawn) continue;
    axis.points = ends_of(axis);
    axis.drawn.reset();
  }
  return block;
}

// Resolves one cell along every axis and each that is included, so that a label without a rate or a derivation
// out of range is found at once.
void probe(const Block& given) {
  const Block block = probed(given);
  const BlockCells cells(block);
  int64_t stride = 1;
  const auto resolve = [&](int64_t cell) {
    const auto found = cells.at(cell);
    if (!found || cells.excluded_by(*found)) return;
    try {
      trial_settings(complete(found->set));
    } catch (const SettingError&) {
      throw;
    } catch (const SpecError& e) {
      const std::string elsewhere = set_elsewhere(block, found->set);
      throw SpecError(e.what() + (elsewhere.empty() ? "" : " (in some cells: " + elsewhere + ")"));
    }
    evals_of(found->set, {});
  };
  resolve(0);
  for (size_t axis = block.axes.size(); axis-- > 0;) {
    const auto radix = static_cast<int64_t>(block.axes[axis].points.size());
    // The values of a plain key have been checked one by one, so its ends will do; every label of a row is
    // tried.
    const int64_t stride_in_axis = find_setting(block.axes[axis].name) ? std::max<int64_t>(1, radix - 1) : 1;
    for (int64_t i = stride_in_axis; i < radix; i += stride_in_axis) resolve(i * stride);
    stride *= radix;
  }
  for (int64_t cell = cells.own_count(); cell < cells.count(); ++cell) resolve(cell);
}

std::string with_separators(__int128 n) {
  std::string out;
  for (int digits = 0; n > 0 || out.empty(); n /= 10, ++digits) {
    if (digits > 0 && digits % 3 == 0) out.insert(out.begin(), ',');
    out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(n % 10)));
  }
  return out;
}

// Returns: the product of the axes' lengths, saturated far above every limit; of a search no more than it
// draws. Included cells are beside them.
__int128 cells_of(const Block& block, const std::optional<RandomSearch>& search) {
  constexpr __int128 kHuge = static_cast<__int128>(1) << 90;
  __int128 cells = 1;
  for (const auto& axis : block.axes) {
    const bool has_no_end = search && axis.drawn;
    cells = has_no_end ? kHuge : std::min(kHuge, cells * static_cast<__int128>(axis.points.size()));
    if (has_no_end) break;
  }
  if (search) cells = std::min<__int128>(cells, search->cells);
  return cells + static_cast<__int128>(block.include.size());
}

void check_run(const RunPolicy& run) {
  const auto check = [](const char* key, const Json& value) {
    if (const auto wrong = value.is_null() ? std::nullopt : refusal(*find_setting(key), value))
      throw SpecError(std::string(key) + " " + *wrong);
  };
  check("run.priority", run.priority);
  check("run.max_parallel", to_json(run.max_parallel));
  check("run.max_failures", to_json(run.max_failures));
  check("run.retry.own", run.retry.own);
  check("run.retry.infra", run.retry.infra);
  check("run.checkpoint_every", run.checkpoint_every_ms);
  check("run.lease", run.lease_ms);
  check("run.microbatch", to_json(run.microbatch));
  check("run.needs.memory", to_json(run.needs.memory_bytes));
  check("run.needs.labels", to_json(run.needs.labels));
  check("run.needs.gpus", run.needs.gpus);
  if (!run.stop_early) return;
  check("run.stop_early.by", run.stop_early->by);
  check("run.stop_early.eta", run.stop_early->eta);
  check("run.stop_early.first", run.stop_early->first);
}

void check_seeds(const std::vector<uint64_t>& seeds) {
  if (seeds.empty()) throw SpecError("seeds is empty; write seeds: 1 or a list of seeds");
  if (seeds.size() > kSeedsMax) throw SpecError("more than 100,000 seeds");
  const std::set<uint64_t> distinct(seeds.begin(), seeds.end());
  if (distinct.size() != seeds.size())
    throw SpecError("seeds has a seed twice; every seed of a cell is one trial");
}

void check_search(const SweepSpec& spec) {
  if (spec.random && spec.random->cells < 1)
    throw SpecError("search: random takes a number of cells of at least 1");
  if (spec.random && spec.random->cells > kDrawnCellsMax)
    throw SpecError("search: random draws at most " + std::to_string(kDrawnCellsMax) +
                    " cells of a block; leave search out for a grid of more");
  for (const auto& block : spec.blocks)
    for (const auto& axis : block.axes)
      if (axis.drawn && !spec.random)
        fail(block, "axis " + axis.name +
                        " is a range without a count; give it one, or draw from it with search: {random: 40}");
}

}  // namespace

int64_t raw_trials(const SweepSpec& spec) {
  __int128 trials = 0;
  for (const auto& block : spec.blocks) trials += cells_of(block, spec.random);
  trials *= static_cast<__int128>(spec.seeds.size());
  const int64_t most = std::min(spec.max_trials, kTrialsMax);
  if (trials > most)
    throw SpecError("the grid has " + with_separators(trials) + " trials, more than " + with_separators(most) +
                    "; shorten an axis" +
                    (trials > kTrialsMax ? " (--max-trials goes up to " + with_separators(kTrialsMax) + ")"
                                         : ", or raise --max-trials"));
  return static_cast<int64_t>(trials);
}

void validate(const Block& block) {
  if (!is_name(block.name)) throw SpecError(name_refusal("a block's name", block.name));
  check_values(block, block.constants);
  check_axes(block);
  check_include(block);
  for (const auto& [key, rule] : block.derive)
    if (block_setting(block, key).part != SettingPart::training) fail(block, key + " cannot be derived");
  try {
    probe(block);
  } catch (const SettingError& e) {
    throw SettingError(e.key, "block " + block.name + ": " + e.what());
  } catch (const SpecError& e) {
    if (std::string_view(e.what()).starts_with("block ")) throw;
    fail(block, e.what());
  } catch (const ExpressionError& e) {
    fail(block, e.what());
  }
}

void validate(const SweepSpec& spec) {
  if (spec.version != 1)
    throw SpecError("version " + std::to_string(spec.version) + " is not known; this program reads version 1");
  if (!is_name(spec.name)) throw SpecError(name_refusal("name", spec.name));
  if (spec.blocks.empty()) throw SpecError("the sweep has no block left, so no trial");
  if (spec.blocks.size() > kBlocksMax) throw SpecError("more than 256 blocks");
  if (spec.max_trials < 1) throw SpecError("max_trials has to be at least 1");
  check_seeds(spec.seeds);
  check_run(spec.run);
  check_search(spec);
  raw_trials(spec);
  std::set<std::string> names;
  for (const auto& block : spec.blocks) {
    if (!names.insert(block.name).second) throw SpecError("two blocks are named " + block.name);
    validate(block);
  }
  if (const auto wrong = tune_refusal(spec)) throw SpecError(*wrong);
  if (const auto wrong = early_stop_refusal(spec)) throw SpecError(*wrong);
}

}  // namespace ranktide
