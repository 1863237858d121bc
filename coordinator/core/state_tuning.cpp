// The part of State that tuning changes.

#include <algorithm>

#include "common/sweep/early_stop.h"
#include "common/vocabulary/check.h"
#include "coordinator/core/state.h"
#include "coordinator/core/tuning.h"

namespace ranktide {

void Sweep::add(const AddedCell& cell) {
  added_grids.emplace_back(only_cell(grid.spec(), cell));
  added.push_back(cell);
}

int64_t Sweep::raw_count() const {
  return grid.raw_count() + static_cast<int64_t>(added.size() * grid.spec().seeds.size());
}

std::optional<SweepTrial> Sweep::trial_at(int64_t raw) const {
  if (raw < grid.raw_count()) return grid.at(raw);
  const int64_t beyond = raw - grid.raw_count();
  const auto seeds = static_cast<int64_t>(grid.spec().seeds.size());
  auto trial = added_grids.at(static_cast<size_t>(beyond / seeds)).at(beyond % seeds);
  if (!trial) return trial;
  trial->index = raw;
  const SweepSpec& spec = grid.spec();
  const auto block = std::find_if(spec.blocks.begin(), spec.blocks.end(),
                                  [&](const Block& each) { return each.name == trial->blocks.front(); });
  if (spec.run.stop_early) trial->race = race_of(spec, *trial, {contest_of(spec, *block, trial->labels)});
  return trial;
}

std::optional<int64_t> Sweep::grid_trial_count() const {
  if (!trial_count) return std::nullopt;
  return *trial_count - (raw_count() - grid.raw_count());
}

void State::on(const SweepExtended& r) {
  Sweep& sweep = sweeps_.at(r.sweep);
  RT_CHECK(sweep.revision == r.revision);
  RT_CHECK(!sweep.is_cancelled && !sweep.is_stopped);
  for (const AddedCell& cell : r.cells) sweep.add(cell);
  if (sweep.trial_count) *sweep.trial_count += r.trials;
  sweep.is_listed = false;
  requeue(sweep);
}

}  // namespace ranktide
