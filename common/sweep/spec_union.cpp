#include "common/sweep/spec_union.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/sweep/grid.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/taken_trials.h"

namespace ranktide {
namespace {

struct ListedTrials {
  std::set<std::string> ids;
  std::set<std::string> blocks;  // those that hold a trial which `others` do not list
};

ListedTrials listed_by(const SweepSpec& spec, const std::set<std::string>& others) {
  ListedTrials out;
  const Grid grid(spec);
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    const auto trial = grid.at(raw);
    if (!trial) continue;
    out.ids.insert(trial->id.text);
    if (!others.contains(trial->id.text)) out.blocks.insert(trial->blocks.front());
  }
  return out;
}

// What is found by its path can have one content in one sweep.
void refuse_other_content(const SweepSpec& old, const SweepSpec& spec) {
  const auto refuse = [&](const std::string& what) {
    throw SpecError(
        "--extend: " + what + " has other content than when " + old.name +
        " was submitted, and one sweep cannot list trials of both; give the changed one another name, "
        "or leave --extend out");
  };
  for (const auto& [path, content] : spec.inputs.contents)
    if (const auto before = old.inputs.contents.find(path);
        before != old.inputs.contents.end() && before->second.sha256 != content.sha256)
      refuse(path);
  for (const auto& [key, model] : spec.inputs.models)
    if (const auto before = old.inputs.models.find(key);
        before != old.inputs.models.end() &&
        (before->second.base != model.base || before->second.tokenizer_sha256 != model.tokenizer_sha256))
      refuse("model " + model.path);
  for (const auto& [key, data] : spec.inputs.data)
    if (const auto before = old.inputs.data.find(key);
        before != old.inputs.data.end() && before->second.sha256 != data.sha256)
      refuse("training data");
  for (const auto& [path, sha256] : spec.inputs.files)
    if (const auto before = old.inputs.files.find(path);
        before != old.inputs.files.end() && before->second != sha256)
      refuse(path);
  for (const auto& [from, source] : spec.inputs.sources)
    if (const auto before = old.inputs.sources.find(from);
        before != old.inputs.sources.end() && before->second.trial != source.trial)
      refuse(from);
}

Inputs both_inputs(Inputs inputs, const Inputs& old) {
  inputs.models.insert(old.models.begin(), old.models.end());
  inputs.data.insert(old.data.begin(), old.data.end());
  inputs.files.insert(old.files.begin(), old.files.end());
  inputs.contents.insert(old.contents.begin(), old.contents.end());
  inputs.sources.insert(old.sources.begin(), old.sources.end());
  inputs.read_as.insert(old.read_as.begin(), old.read_as.end());
  return inputs;
}

const Block* named_block(const std::vector<Block>& blocks, const std::string& name) {
  const auto it = std::find_if(blocks.begin(), blocks.end(), [&](const Block& b) { return b.name == name; });
  return it == blocks.end() ? nullptr : &*it;
}

// A label is a value as somebody wrote it; who wrote it first is right. Labels of rows are names that
// expressions use, and stay as the file has them.
void keep_labels(Block& block, const Block& old) {
  for (Axis& axis : block.axes) {
    if (!find_setting(axis.name)) continue;
    for (const Axis& before : old.axes)
      if (before.name == axis.name)
        for (AxisPoint& point : axis.points)
          for (const AxisPoint& known : before.points)
            if (known.set == point.set) point.label = known.label;
  }
}

// Returns: `lora`, or the first of `lora.r1`, `lora.r2`, ... that nobody has, within the length of a name.
std::string free_name(const std::string& name, const std::set<std::string>& taken, bool is_free) {
  constexpr size_t kNameMax = 64;
  if (is_free) return name;
  for (int n = 1;; ++n) {
    const std::string suffix = ".r" + std::to_string(n);
    std::string out = name.substr(0, kNameMax - suffix.size()) + suffix;
    if (!taken.contains(out)) return out;
  }
}

void add_blocks(const SweepSpec& old, const std::set<std::string>& wanted, SweepSpec& out) {
  std::set<std::string> names;
  for (const std::vector<Block>* blocks : {&old.blocks, &std::as_const(out.blocks)})
    for (const Block& block : *blocks) names.insert(block.name);
  for (const Block& block : old.blocks) {
    const Block* same = named_block(out.blocks, block.name);
    if (!wanted.contains(block.name) || (same && to_json(*same) == to_json(block))) continue;
    Block kept = block;
    kept.name = free_name(block.name, names, !same);
    names.insert(kept.name);
    out.blocks.push_back(std::move(kept));
  }
}

// Takes those that one of the two lists, where the whole grid would be more.
void take_only(SweepSpec& out, const std::set<std::string>& ids) {
  const Grid grid(out);
  std::vector<int64_t> taken;
  int64_t all = 0;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw) {
    const auto trial = grid.at(raw);
    if (!trial) continue;
    ++all;
    if (ids.contains(trial->id.text)) taken.push_back(raw);
  }
  if (taken.size() != ids.size())
    throw SpecError("--extend: no one sweep lists the trials of both" +
                    std::string(out.random ? ", since its search at random draws other cells then" : "") +
                    "; submit the new file under another name (name=OTHER): equal trials are not run again");
  if (static_cast<int64_t>(taken.size()) < all) out.taken = ranges_of(taken);
}

// Whether somebody chose a part of its grid.
bool is_chosen_part(const SweepSpec& spec) {
  return spec.taken && !spec.taken_unites.value_or(false);
}

}  // namespace

SweepSpec extended(const SweepSpec& old, SweepSpec spec) {
  refuse_other_content(old, spec);
  for (Block& block : spec.blocks)
    if (const Block* before = named_block(old.blocks, block.name)) keep_labels(block, *before);
  std::set<std::string> ids = listed_by(spec, {}).ids;
  ListedTrials before = listed_by(old, ids);
  ids.merge(before.ids);
  const bool has_chosen_part = is_chosen_part(old) || is_chosen_part(spec);

  SweepSpec out = std::move(spec);
  out.taken.reset();
  out.taken_unites.reset();
  out.inputs = both_inputs(std::move(out.inputs), old.inputs);
  out.max_trials = std::max(out.max_trials, old.max_trials);
  std::vector<uint64_t> seeds = old.seeds;
  for (const uint64_t seed : out.seeds)
    if (std::find(seeds.begin(), seeds.end(), seed) == seeds.end()) seeds.push_back(seed);
  out.seeds = std::move(seeds);
  add_blocks(old, before.blocks, out);
  take_only(out, ids);
  if (out.taken && !has_chosen_part) out.taken_unites = true;
  return out;
}

}  // namespace ranktide
