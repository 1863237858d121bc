#include "common/sweep/sweep_head.h"

#include <numeric>
#include <set>

#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_check.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

uint64_t read_seed(const YamlNode& node, const ReadingPlace& place) {
  return read_value(*find_setting("seed"), "seeds", node, place).get<uint64_t>();
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
