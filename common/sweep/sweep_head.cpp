#include "common/sweep/sweep_head.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "common/sweep/block_cells.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/suggest.h"
#include "common/sweep/tuning_check.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr int64_t kSearchSeedMax = 9'007'199'254'740'991;  // exact in JSON readers

uint64_t read_seed(const YamlNode& node, const ReadingPlace& place) {
  return read_value(*find_setting("seed"), "seeds", node, place).get<uint64_t>();
}

// Refuses words of a map that are none of its own.
void check_search_words(const YamlNode& map, const std::string& construct,
                        const std::vector<std::string_view>& words, const ReadingPlace& place) {
  for (const auto& entry : map.entries)
    if (std::find(words.begin(), words.end(), entry.key) == words.end())
      throw place.source.error(
          entry, "unknown word \"" + entry.key + "\" in " + construct + nearest_remedy(entry.key, words));
}

int64_t read_whole(const YamlNode& node, const std::string& what, int64_t least, int64_t most,
                   const ReadingPlace& place) {
  const auto value = node.is_scalar() && !node.quoted ? read_count(node.text) : std::nullopt;
  if (!value || *value < least || *value > most)
    throw place.source.error(node, what + " takes a whole number from " + std::to_string(least) + " to " +
                                       std::to_string(most) + ", got " + shown(node));
  return *value;
}

std::vector<std::string> read_tuned_axes(const YamlNode& node, const ReadingPlace& place) {
  std::vector<std::string> out;
  for (const auto& item : node.is_list() ? node.items : std::vector<YamlNode>{node}) {
    if (!item.is_scalar())
      throw place.source.error(item, "tune takes the names of axes: tune: [train.lr]; got " + shown(item));
    out.push_back(full_key(item.text).value_or(item.text));
  }
  return out;
}

}  // namespace

void check_version(const YamlNode& node, const ReadingPlace& place) {
  if (!node.is_scalar() || node.text != "1")
    throw place.source.error(node, "version " + shown(node) + " is not known; this program reads version 1");
}

std::string read_sweep_name(const YamlNode& node, const ReadingPlace& place) {
  if (!node.is_scalar() || !is_name(node.text)) throw place.source.error(node, name_refusal("name", node.text));
  return node.text;
}

std::vector<uint64_t> read_seeds(const YamlNode& node, const ReadingPlace& place) {
  std::vector<uint64_t> out;
  if (!node.is_list()) {
    const uint64_t count = read_seed(node, place);
    if (count < 1 || count > kSeedsMax)
      throw place.source.error(node, "seeds takes a count from 1 to 100,000 or a list, got " + shown(node));
    out.resize(count);
    std::iota(out.begin(), out.end(), uint64_t{0});
    return out;
  }
  if (node.items.empty()) throw place.source.error(node, "seeds is an empty list, so the grid would be empty");
  std::set<uint64_t> seen;
  for (const auto& item : node.items) {
    out.push_back(read_seed(item, place));
    if (!seen.insert(out.back()).second) throw place.source.error(item, "seeds has " + item.text + " twice");
  }
  return out;
}

std::optional<RandomSearch> read_search(const YamlNode& node, const ReadingPlace& place) {
  if (node.is_scalar() && node.text == "grid") return std::nullopt;
  if (!node.is_map())
    throw place.source.error(node, "search takes grid or {random: 40, seed: 7}, got " + shown(node));
  check_search_words(node, "search", {"random", "seed"}, place);
  const YamlNode* cells = node.find("random");
  if (!cells) throw place.source.error(node, "search needs random, the number of cells to draw of every block");
  RandomSearch out{.cells = read_whole(*cells, "search.random", 1, kDrawnCellsMax, place)};
  if (const YamlNode* seed = node.find("seed"))
    out.seed = static_cast<uint64_t>(read_whole(*seed, "search.seed", 0, kSearchSeedMax, place));
  return out;
}

Tuning read_tuning(const YamlNode& node, const ReadingPlace& place) {
  if (!node.is_map()) return {.axes = read_tuned_axes(node, place), .by = ""};
  check_search_words(node, "tune", {"axes", "by", "extend"}, place);
  const YamlNode* axes = node.find("axes");
  if (!axes) throw place.source.error(node, "tune needs axes: write {axes: [train.lr], by: valid_loss}");
  Tuning out{.axes = read_tuned_axes(*axes, place), .by = ""};
  if (const YamlNode* by = node.find("by")) {
    if (!by->is_scalar() || !is_name(by->text))
      throw place.source.error(*by, "tune.by takes a metric's name, got " + shown(*by));
    out.by = by->text;
  }
  if (const YamlNode* extend = node.find("extend"))
    out.extend = static_cast<int>(read_whole(*extend, "tune.extend", 0, kTuneExtendMax, place));
  return out;
}

void set_run(RunPolicy& run, const std::string& key, const Json& value) {
  RT_CHECK(key.starts_with("run."));
  std::string field = key.substr(4);
  if (field == "checkpoint_every" || field == "lease") field += "_ms";
  if (field == "needs.memory") field += "_bytes";
  Json all = to_json(run);
  const size_t dot = field.find('.');
  if (dot == std::string::npos)
    all[field] = value;
  else
    all[field.substr(0, dot)][field.substr(dot + 1)] = value;
  run = from_json<RunPolicy>(all);
}

}  // namespace ranktide
