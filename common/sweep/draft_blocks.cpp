#include "common/sweep/draft_blocks.h"

#include <algorithm>
#include <optional>
#include <set>
#include <span>

#include "common/sweep/condition_order.h"
#include "common/sweep/expression.h"
#include "common/sweep/include_yaml.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

std::string better_block(const Setting& setting, const SweepDraft& sweep) {
  for (const auto& draft : sweep.blocks) {
    const auto it = draft.level.constants.find(std::string(setting.effect.key));
    if (it == draft.level.constants.end() || !it->second.is_string()) continue;
    if (has_effect(setting, draft.level.constants)) return "move it to block " + draft.name;
  }
  return "remove it";
}

void refuse_keys_without_effect(const BlockDraft& draft, const Block& block, const SweepDraft& sweep,
                                const ReadingPlace& place) {
  for (const auto& [key, at] : draft.level.set_at) {
    const Setting& setting = *find_setting(key);
    if (may_have_effect(setting, block)) continue;
    place.errors->add(place.source.error(at,
                                         key + " has no effect with " + effect_ruled_out_by(setting, block) +
                                             " (block " + draft.name + "); " + better_block(setting, sweep),
                                         key.size()));
  }
}

// Whether a rule of the block speaks of the axis by its name, so that its labels matter whatever they set.
bool labels_are_read(const Block& block, const std::string& name) {
  const auto reads = [&](const std::string& rule) {
    const auto words = words_of(parse_expression(rule));
    return std::find(words.begin(), words.end(), name) != words.end();
  };
  return std::any_of(block.derive.begin(), block.derive.end(),
                     [&](auto& item) { return reads(item.second); }) ||
         std::any_of(block.exclude.begin(), block.exclude.end(),
                     [&](auto& rule) { return reads(rule.text); }) ||
         std::any_of(block.axes.begin(), block.axes.end(),
                     [&](auto& axis) { return !axis.when.empty() && reads(axis.when); });
}

// Takes the keys from the labels. Returns: whether that leaves an axis of equal cells.
bool sets_nothing_without(Axis& axis, const std::set<std::string>& keys, const Block& block) {
  size_t erased = 0;
  size_t left = 0;
  for (AxisPoint& point : axis.points) {
    erased += std::erase_if(point.set, [&](const auto& item) { return keys.contains(item.first); });
    left += point.set.size();
  }
  return erased > 0 && left == 0 && !labels_are_read(block, axis.name);
}

// Common keys are for the blocks where they mean something; elsewhere they would only make equal cells.
void drop_keys_without_effect(Block& block) {
  std::set<std::string> idle;
  for (const Setting& setting : settings())
    if (!may_have_effect(setting, block)) idle.emplace(setting.key);
  std::erase_if(block.constants, [&](const auto& item) { return idle.contains(item.first); });
  std::set<std::string> emptied;
  for (Axis& axis : block.axes) {
    const bool is_of_a_key = find_setting(axis.name);
    if (is_of_a_key ? idle.contains(axis.name) : sets_nothing_without(axis, idle, block))
      emptied.insert(axis.name);
  }
  std::erase_if(block.axes, [&](const Axis& axis) { return emptied.contains(axis.name); });
}

// Whether a higher level says which labels of the axis are kept; the command line, where it does, once the
// block is built.
bool is_pinned_above(const std::string& axis, std::span<const Level* const> above, const std::string& block,
                     const std::vector<OverrideChange>& changes) {
  return std::any_of(above.begin(), above.end(),
                     [&](const Level* level) { return level->pins.contains(axis); }) ||
         std::any_of(changes.begin(), changes.end(),
                     [&](const OverrideChange& change) { return change.sets(axis, block); });
}

Block built(const BlockDraft& draft, const SweepDraft& sweep, const ReadingPlace& place,
            const std::vector<OverrideChange>& changes) {
  Block block{.name = draft.name, .constants = {}, .axes = {}, .derive = {}, .exclude = {}};
  const auto levels = levels_of(draft, sweep);
  for (size_t i = 0; i < levels.size(); ++i) {
    const std::span above(levels.begin() + static_cast<std::ptrdiff_t>(i) + 1, levels.end());
    for (const auto& [axis, labels] : levels[i]->pins)
      if (!is_pinned_above(axis, above, block.name, changes)) pin(block, axis, labels);
    lay_over(block, *levels[i]);
  }
  // Without a method, which the command line may still bring, nothing can be said of effects.
  if (has_method(block)) refuse_keys_without_effect(draft, block, sweep, place);
  return block;
}

// A common key that no block can use is a mistake, as it would be in a block.
void refuse_idle_keys(const SweepDraft& draft, const std::vector<Block>& blocks, const ReadingPlace& place) {
  if (!std::all_of(blocks.begin(), blocks.end(), has_method)) return;
  for (const Level* level : {&draft.file.plain, &draft.file.varying}) {
    for (const auto& [key, at] : level->set_at) {
      const Setting& setting = *find_setting(key);
      if (std::any_of(blocks.begin(), blocks.end(), [&](auto& b) { return may_have_effect(setting, b); }))
        continue;
      const std::string where = blocks.size() == 1 ? "" : " (in every block)";
      place.errors->add(place.source.error(
          at, key + " has no effect with " + effect_ruled_out_by(setting, blocks[0]) + where + "; remove it"));
    }
  }
}

void add_cells(const IncludeEntry& entry, Block& block, const ReadingPlace& place) {
  auto cells = cells_of(entry, block);
  if (block.include.size() + cells.size() > kIncludedCellsMax)
    throw place.source.error(entry.at, "include gives block " + block.name +
                                           " more than 10,000 cells; make them a block of their own");
  block.include.insert(block.include.end(), std::make_move_iterator(cells.begin()),
                       std::make_move_iterator(cells.end()));
}

void add_to_block(const IncludeEntry& entry, Block& block, const ReadingPlace& place) {
  if (const auto wrong = misfit(entry, block)) throw place.source.error(entry.at, "include: " + *wrong);
  add_cells(entry, block, place);
}

// An entry at the file's top is for every block whose axes it names; for none of them it is a mistake.
void add_where_it_fits(const IncludeEntry& entry, SweepSpec& spec, const ReadingPlace& place) {
  std::optional<std::string> first;
  bool fits = false;
  for (auto& block : spec.blocks) {
    auto wrong = misfit(entry, block);
    if (!wrong) {
      add_cells(entry, block, place);
      fits = true;
    } else if (!first) {
      first = std::move(wrong);
    }
  }
  if (fits || !first) return;
  throw place.source.error(
      entry.at, "include: " + *first + (spec.blocks.size() == 1 ? "" : "; and it fits no other block either"));
}

}  // namespace

std::vector<Block> built_blocks(const SweepDraft& draft, const std::vector<OverrideChange>& changes,
                                const ReadingPlace& place) {
  RT_CHECK(place.errors);
  RT_CHECK(draft.top_is_whole);
  std::vector<Block> out;
  for (const auto& block : draft.blocks) {
    if (!block.is_whole) continue;
    const size_t before = place.errors->count();
    Block whole = built(block, draft, place, changes);
    if (place.errors->count() == before) out.push_back(std::move(whole));
  }
  if (place.errors->count() == 0) refuse_idle_keys(draft, out, place);
  return out;
}

void finish_blocks(SweepSpec& spec) {
  for (Block& block : spec.blocks) {
    if (has_method(block)) drop_keys_without_effect(block);
    order_conditions(block);
  }
}

void add_included_cells(const SweepDraft& draft, SweepSpec& spec, const ReadingPlace& place) {
  const auto unit = [&](const auto& act) { attempt(place.errors, act); };
  for (const IncludeEntry& entry : draft.file.varying.include)
    unit([&] { add_where_it_fits(entry, spec, place); });
  for (const auto& block_draft : draft.blocks) {
    const auto block = std::find_if(spec.blocks.begin(), spec.blocks.end(),
                                    [&](auto& b) { return b.name == block_draft.name; });
    if (block == spec.blocks.end()) continue;
    const BlockDraft* model = liked_by(block_draft, draft);
    for (const Level* level : {model ? &model->level : nullptr, &block_draft.level})
      for (const IncludeEntry& entry : level ? level->include : std::vector<IncludeEntry>{})
        unit([&] { add_to_block(entry, *block, place); });
  }
}

}  // namespace ranktide
