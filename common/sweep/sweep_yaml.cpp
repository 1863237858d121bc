#include "common/sweep/sweep_yaml.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "common/sweep/axis_yaml.h"
#include "common/sweep/include_yaml.h"
#include "common/sweep/level_yaml.h"
#include "common/sweep/overrides.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/suggest.h"
#include "common/sweep/sweep_head.h"
#include "common/sweep/tuning_check.h"

namespace ranktide {
namespace {

constexpr const char* kOnlyBlock = "all";  // the name of the block of a file without `blocks`

struct BlockDraft {
  std::string name;
  Place at;
  std::string like;
  Level level;
};

// The command line may still bring one.
bool has_method(const Block& block) {
  const auto brings_it = [](const Axis& axis) {
    return std::any_of(axis.points.begin(), axis.points.end(),
                       [](const AxisPoint& point) { return point.set.contains("method"); });
  };
  return block.constants.contains("method") || block.derive.contains("method") ||
         std::any_of(block.axes.begin(), block.axes.end(), brings_it);
}

class SweepReader {
 public:
  explicit SweepReader(const ReadingPlace& place) : place_(place) {}

  SweepSpec read(const YamlNode& root) {
    if (!root.is_map())
      throw place_.source.error(root, "a sweep file is a map of settings, " + found_instead(root));
    SweepSpec spec;
    check_version(required(root, "version", "version: 1"), place_);
    spec.name = read_sweep_name(required(root, "name", "name: my-sweep"), place_);
    if (const YamlNode* seeds = root.find("seeds")) spec.seeds = read_seeds(*seeds, place_);
    if (const YamlNode* search = root.find("search")) spec.random = read_search(*search, place_);
    if (const YamlNode* tune = root.find("tune")) {
      spec.tune = read_tuning(*tune, place_);
      tune_at_ = tune->at;
    }
    file_ = read_file_levels(root, place_);
    take_run_policy(spec.run);
    read_blocks(root);
    for (const auto& draft : drafts_) spec.blocks.push_back(built(draft));
    refuse_idle_keys(spec.blocks);
    return spec;
  }

  // Places the cells of `include`, now that the axes of every block are known. Requires: overrides are applied.
  void add_included_cells(SweepSpec& spec) const {
    for (const IncludeEntry& entry : file_.varying.include) add_where_it_fits(entry, spec);
    for (const auto& draft : drafts_) {
      const auto block =
          std::find_if(spec.blocks.begin(), spec.blocks.end(), [&](auto& b) { return b.name == draft.name; });
      if (block == spec.blocks.end()) continue;
      for (const auto& other : drafts_)
        if (!draft.like.empty() && other.name == draft.like) add_all(other.level.include, *block);
      add_all(draft.level.include, *block);
    }
  }

  // Validates as a spec from the wire is, and says at which block's line.
  void check(const SweepSpec& spec) const {
    check_ranges(spec);
    check_size(spec);
    for (const auto& block : spec.blocks) {
      try {
        validate(block);
      } catch (const SpecError& e) {
        const auto draft =
            std::find_if(drafts_.begin(), drafts_.end(), [&](auto& d) { return d.name == block.name; });
        if (draft->at.line == 0)
          throw SpecError(place_.source.name() + ": " + without_block(e.what(), block.name));
        throw place_.source.error(draft->at, e.what(), block.name.size());
      }
    }
    validate(spec);
    check_tune(spec);
  }

 private:
  void add_all(const std::vector<IncludeEntry>& entries, Block& block) const {
    for (const IncludeEntry& entry : entries) {
      if (const auto wrong = misfit(entry, block)) throw place_.source.error(entry.at, "include: " + *wrong);
      add(entry, block);
    }
  }

  void add(const IncludeEntry& entry, Block& block) const {
    auto cells = cells_of(entry, block);
    if (block.include.size() + cells.size() > kIncludedCellsMax)
      throw place_.source.error(entry.at, "include gives block " + block.name +
                                              " more than 10,000 cells; make them a block of their own");
    block.include.insert(block.include.end(), std::make_move_iterator(cells.begin()),
                         std::make_move_iterator(cells.end()));
  }

  // An entry at the file's top is for every block whose axes it names; for none of them it is a mistake.
  void add_where_it_fits(const IncludeEntry& entry, SweepSpec& spec) const {
    std::optional<std::string> first;
    size_t fits = 0;
    for (auto& block : spec.blocks) {
      auto wrong = misfit(entry, block);
      if (!wrong) add(entry, block), ++fits;
      if (!first) first = std::move(wrong);
    }
    if (fits > 0) return;
    throw place_.source.error(
        entry.at,
        "include: " + *first + (spec.blocks.size() == 1 ? "" : "; and it fits no other block either"));
  }

  void check_ranges(const SweepSpec& spec) const {
    if (spec.random) return;
    for (const auto& block : spec.blocks)
      for (const auto& axis : block.axes) {
        if (!axis.drawn) continue;
        const std::string message = "axis " + axis.name +
                                    " is a range to draw from at random; give it a count or a step, or write   "
                                    "search: {random: 40}   at the file's top";
        throw at_key(axis.name, block.name, message);
      }
  }

  // Returns: an error where a block or the file's top sets the key; without a place where the command line
  // does.
  SpecError at_key(const std::string& key, const std::string& block, const std::string& message) const {
    std::vector<const Level*> levels;
    for (const auto& draft : drafts_)
      if (draft.name == block) levels.push_back(&draft.level);
    for (const auto& draft : drafts_) levels.push_back(&draft.level);  // the one that this one is like
    levels.push_back(&file_.varying);
    for (const Level* level : levels)
      if (const auto it = level->set_at.find(key); it != level->set_at.end())
        return place_.source.error(it->second, message, key.size());
    return SpecError(place_.source.name() + ": " + message);
  }

  void check_tune(const SweepSpec& spec) const {
    const auto wrong = tune_refusal(spec);
    if (!wrong) return;
    if (tune_at_) throw place_.source.error(*tune_at_, *wrong);
    throw SpecError(place_.source.name() + ": " + *wrong);
  }

  void check_size(const SweepSpec& spec) const {
    try {
      raw_trials(spec);
    } catch (const SpecError& e) {
      throw SpecError(place_.source.name() + ": " + e.what());
    }
  }

  // A text without a document has no node that could be shown.
  std::string found_instead(const YamlNode& root) const {
    if (root.at.line > 0) return "got " + shown(root);
    const std::string& text = place_.source.text();
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string::npos) return "and the file is empty";
    constexpr size_t kShownBytesMax = 40;
    std::string line = text.substr(begin, std::min(text.find('\n', begin) - begin, kShownBytesMax));
    std::replace_if(
        line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
        '?');
    return "and this file has none; it begins with \"" + line + "\"";
  }

  static std::string without_block(std::string message, const std::string& name) {
    const std::string prefix = "block " + name + ": ";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }

  const YamlNode& required(const YamlNode& root, const char* key, const char* example) const {
    const YamlNode* node = root.find(key);
    if (!node)
      throw place_.source.error(root, std::string(key) + " is required; write `" + example + "` at the top");
    return *node;
  }

  void take_run_policy(RunPolicy& run) {
    for (const auto& [key, value] : file_.plain.constants)
      if (key.starts_with("run.")) set_run(run, key, value);
    std::erase_if(file_.plain.constants, [](auto& item) { return item.first.starts_with("run."); });
    std::erase_if(file_.plain.set_at, [](auto& item) { return item.first.starts_with("run."); });
  }

  void read_blocks(const YamlNode& root) {
    const YamlNode* blocks = root.find("blocks");
    if (!blocks) {
      drafts_.push_back({.name = kOnlyBlock, .at = {}, .like = "", .level = {}});
      return;
    }
    if (!blocks->is_map() || blocks->entries.empty())
      throw place_.source.error(*blocks, "blocks takes a map: name -> settings, got " + shown(*blocks));
    for (const auto& entry : blocks->entries) read_block(entry);
  }

  void read_block(const YamlEntry& entry) {
    if (!is_name(entry.key)) throw place_.source.error(entry, name_refusal("a block's name", entry.key));
    if (!entry.value.is_map())
      throw place_.source.error(entry.value,
                                "block " + entry.key + " takes a map of settings, got " + shown(entry.value));
    BlockDraft draft{.name = entry.key, .at = entry.at, .like = "", .level = {}};
    std::vector<Axis> below = file_.varying.axes;
    if (const YamlNode* like = entry.value.find("like")) {
      const BlockDraft& model = liked(*like);
      draft.like = model.name;
      below.insert(below.end(), model.level.axes.begin(), model.level.axes.end());
    }
    draft.level = read_block_level(entry.key, entry.value, below, place_);
    drafts_.push_back(std::move(draft));
  }

  const BlockDraft& liked(const YamlNode& node) const {
    std::vector<std::string_view> names;
    for (const auto& draft : drafts_) names.push_back(draft.name);
    const auto it = std::find_if(drafts_.begin(), drafts_.end(), [&](auto& d) { return d.name == node.text; });
    if (!node.is_scalar() || it == drafts_.end())
      throw place_.source.error(node, "like names an earlier block; there is none called " + shown(node) +
                                          nearest_remedy(node.text, names));
    if (!it->like.empty())
      throw place_.source.error(
          node, "like goes one level deep, and block " + it->name + " is itself like " + it->like);
    return *it;
  }

  Block built(const BlockDraft& draft) const {
    Block block{.name = draft.name, .constants = {}, .axes = {}, .derive = {}, .exclude = {}};
    lay_over(block, file_.plain);
    lay_over(block, file_.varying);
    for (const auto& other : drafts_)
      if (!draft.like.empty() && other.name == draft.like) lay_over(block, other.level);
    lay_over(block, draft.level);
    if (!has_method(block)) return block;  // nothing can be said of effects; check() says so of the block
    refuse_keys_without_effect(draft, block);
    drop_keys_without_effect(block);
    return block;
  }

  void refuse_keys_without_effect(const BlockDraft& draft, const Block& block) const {
    for (const auto& [key, at] : draft.level.set_at) {
      const Setting& setting = *find_setting(key);
      if (may_have_effect(setting, block)) continue;
      throw place_.source.error(at,
                                key + " has no effect with " + effect_ruled_out_by(setting, block) +
                                    " (block " + draft.name + "); " + better_block(setting),
                                key.size());
    }
  }

  std::string better_block(const Setting& setting) const {
    for (const auto& draft : drafts_) {
      const auto it = draft.level.constants.find(std::string(setting.effect.key));
      if (it == draft.level.constants.end() || !it->second.is_string()) continue;
      if (has_effect(setting, draft.level.constants)) return "move it to block " + draft.name;
    }
    return "remove it";
  }

  // Common keys are for the blocks where they mean something; elsewhere they would only make equal cells.
  static void drop_keys_without_effect(Block& block) {
    const auto is_idle = [&](const std::string& key) {
      const Setting* setting = find_setting(key);
      return setting && !may_have_effect(*setting, block);
    };
    std::vector<std::string> idle;
    for (const auto& [key, value] : block.constants)
      if (is_idle(key)) idle.push_back(key);
    for (const auto& key : idle) block.constants.erase(key);
    std::erase_if(block.axes, [&](const Axis& axis) { return is_idle(axis.name); });
  }

  // A common key that no block can use is a mistake, as it would be in a block.
  void refuse_idle_keys(const std::vector<Block>& blocks) const {
    if (!std::all_of(blocks.begin(), blocks.end(), has_method)) return;
    for (const Level* level : {&file_.plain, &file_.varying}) {
      for (const auto& [key, at] : level->set_at) {
        const Setting& setting = *find_setting(key);
        if (std::any_of(blocks.begin(), blocks.end(), [&](auto& b) { return may_have_effect(setting, b); }))
          continue;
        const std::string where = blocks.size() == 1 ? "" : " (in every block)";
        throw place_.source.error(
            at, key + " has no effect with " + effect_ruled_out_by(setting, blocks[0]) + where + "; remove it");
      }
    }
  }

  const ReadingPlace& place_;
  FileLevels file_;
  std::optional<Place> tune_at_;
  std::vector<BlockDraft> drafts_;
};

[[noreturn]] void refuse_unreadable(const std::string& name) {
  throw SpecError("cannot read " + name + " (" + std::strerror(errno) + "); give the path of a sweep file");
}

std::string contents_of(std::istream& in, const std::string& name) {
  std::string out(kYamlBytesMax + 1, '\0');  // one byte more than is allowed, never the whole of a huge file
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (in.bad()) refuse_unreadable(name);
  out.resize(static_cast<size_t>(in.gcount()));
  return out;
}

std::string contents_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) refuse_unreadable(file.string());
  return contents_of(in, file.string());
}

}  // namespace

SweepSpec parse_sweep(std::string_view text, const std::string& name_for_messages,
                      const std::filesystem::path& base_folder, const std::vector<std::string>& overrides,
                      int64_t max_trials) {
  const SourceText source(name_for_messages, std::string(text));
  const ReadingPlace place{source, std::filesystem::absolute(base_folder)};
  const YamlNode root = parse_yaml(source);
  SweepReader reader(place);
  SweepSpec spec = reader.read(root);
  spec.max_trials = max_trials;
  for (const auto& override_text : overrides) apply_override(spec, override_text, place.folder);
  reader.add_included_cells(spec);
  reader.check(spec);
  return spec;
}

SweepSpec read_sweep(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                     int64_t max_trials) {
  if (file == kStandardInput)
    return parse_sweep(contents_of(std::cin, "standard input"), "stdin", ".", overrides, max_trials);
  const auto folder = std::filesystem::absolute(file).parent_path();
  return parse_sweep(contents_of(file), file.string(), folder, overrides, max_trials);
}

}  // namespace ranktide
