#include "common/sweep/sweep_draft.h"

#include <algorithm>
#include <set>

#include "common/sweep/setting_check.h"
#include "common/sweep/suggest.h"
#include "common/sweep/sweep_head.h"
#include "common/sweep/text_bytes.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

class DraftReader {
 public:
  explicit DraftReader(const ReadingPlace& place) : place_(place) {}

  SweepDraft read(const YamlNode& root) {
    if (!root.is_map())
      throw place_.source.error(root, "a sweep file is a map of settings, " + found_instead(root));
    if (const YamlNode* version = root.find("version")) check_version(*version, place_);
    unit([&] { required(root, "version", "version: 1"); });
    unit([&] { out_.head.name = read_sweep_name(required(root, "name", "name: my-sweep"), place_); });
    read_head(root);
    const size_t before = place_.errors->count();
    out_.file = read_file_levels(root, place_);
    out_.top_is_whole = place_.errors->count() == before;
    take_run_policy();
    unit([&] { read_blocks(root); });
    return std::move(out_);
  }

 private:
  bool unit(const auto& read_it) const { return place_.errors->attempt(read_it); }

  // A text without a document has no node that could be shown.
  std::string found_instead(const YamlNode& root) const {
    if (root.at.line > 0) return "got " + shown(root);
    const std::string& text = place_.source.text();
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string::npos) return "and the file is empty";
    constexpr size_t kShownBytesMax = 40;
    const std::string_view first = std::string_view(text).substr(begin, text.find('\n', begin) - begin);
    std::string line(beginning(first, kShownBytesMax));
    std::replace_if(
        line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
        '?');
    return "and this file has none; it begins with \"" + line + "\"";
  }

  const YamlNode& required(const YamlNode& root, const char* key, const char* example) const {
    const YamlNode* node = root.find(key);
    if (!node)
      throw place_.source.error(root, std::string(key) + " is required; write `" + example + "` at the top");
    return *node;
  }

  void read_head(const YamlNode& root) {
    if (const YamlNode* seeds = root.find("seeds")) unit([&] { out_.head.seeds = read_seeds(*seeds, place_); });
    if (const YamlNode* search = root.find("search"))
      unit([&] { out_.head.random = read_search(*search, place_); });
    if (const YamlNode* tune = root.find("tune"))
      unit([&] {
        out_.head.tune = read_tuning(*tune, place_);
        out_.tune_at = tune->at;
      });
  }

  void take_run_policy() {
    Level& plain = out_.file.plain;
    for (const auto& [key, value] : plain.constants)
      if (key.starts_with("run.")) set_run(out_.head.run, key, value);
    for (const auto& [key, at] : plain.set_at)
      if (key == "run.stop_early.by" || (key.starts_with("run.stop_early.") && !out_.stop_early_at))
        out_.stop_early_at = at;
    std::erase_if(plain.constants, [](auto& item) { return item.first.starts_with("run."); });
    std::erase_if(plain.set_at, [](auto& item) { return item.first.starts_with("run."); });
  }

  void read_blocks(const YamlNode& root) {
    const YamlNode* blocks = root.find("blocks");
    if (!blocks) {
      out_.blocks.push_back({.name = kOnlyBlock, .at = {}, .like = "", .level = {}});
      return;
    }
    if (!blocks->is_map() || blocks->entries.empty())
      throw place_.source.error(*blocks, "blocks takes a map: name -> settings, got " + shown(*blocks));
    if (blocks->entries.size() > kBlocksMax)
      throw place_.source.error(blocks->entries[kBlocksMax],
                                "more than 256 blocks; make axes or rows of what they differ in");
    for (const auto& entry : blocks->entries) block_names_.insert(entry.key);
    for (const auto& entry : blocks->entries) unit([&] { read_block(entry); });
  }

  void read_block(const YamlEntry& entry) {
    const size_t before = place_.errors->count();
    BlockDraft draft{.name = entry.key, .at = entry.at, .like = "", .level = {}};
    Below below{.axes = out_.file.varying.axes, .unread = out_.file.varying.unread};
    unit([&] { check_block(entry); });
    const YamlNode* like = entry.value.is_map() ? entry.value.find("like") : nullptr;
    if (like && !unit([&] { stand_on(liked(*like), draft, below); })) below.unread.insert(kAnyName);
    if (entry.value.is_map()) draft.level = read_block_level(entry.key, entry.value, below, place_);
    draft.is_whole = draft.is_whole && place_.errors->count() == before;
    out_.blocks.push_back(std::move(draft));
  }

  void check_block(const YamlEntry& entry) const {
    if (!is_name(entry.key)) throw place_.source.error(entry, name_refusal("a block's name", entry.key));
    if (!entry.value.is_map())
      throw place_.source.error(entry.value,
                                "block " + entry.key + " takes a map of settings, got " + shown(entry.value));
  }

  static void stand_on(const BlockDraft& model, BlockDraft& draft, Below& below) {
    draft.like = model.name;
    draft.is_whole = model.is_whole;
    below.axes.insert(below.axes.end(), model.level.axes.begin(), model.level.axes.end());
    below.unread.insert(model.level.unread.begin(), model.level.unread.end());
  }

  const BlockDraft& liked(const YamlNode& node) const {
    std::vector<std::string_view> names;
    for (const auto& draft : out_.blocks) names.push_back(draft.name);
    const auto it =
        std::find_if(out_.blocks.begin(), out_.blocks.end(), [&](auto& d) { return d.name == node.text; });
    if (!node.is_scalar())
      throw place_.source.error(node, "like takes the name of one earlier block, got " + shown(node));
    if (it == out_.blocks.end() && block_names_.contains(node.text))
      throw place_.source.error(
          node, "like names an earlier block, and " + node.text + " stands no earlier; move it up");
    if (it == out_.blocks.end())
      throw place_.source.error(node, "like names an earlier block; there is none called " + shown(node) +
                                          nearest_remedy(node.text, names));
    if (!it->like.empty())
      throw place_.source.error(
          node, "like goes one level deep, and block " + it->name + " is itself like " + it->like);
    return *it;
  }

  const ReadingPlace& place_;
  SweepDraft out_;
  std::set<std::string, std::less<>> block_names_;
};

}  // namespace

SweepDraft read_draft(const YamlNode& root, const ReadingPlace& place) {
  RT_CHECK(place.errors);
  return DraftReader(place).read(root);
}

const BlockDraft* liked_by(const BlockDraft& draft, const SweepDraft& sweep) {
  for (const auto& other : sweep.blocks)
    if (!draft.like.empty() && other.name == draft.like) return &other;
  return nullptr;
}

std::vector<const Level*> levels_of(const BlockDraft& draft, const SweepDraft& sweep) {
  std::vector<const Level*> out{&sweep.file.plain, &sweep.file.varying};
  if (const BlockDraft* model = liked_by(draft, sweep)) out.push_back(&model->level);
  out.push_back(&draft.level);
  return out;
}

}  // namespace ranktide
