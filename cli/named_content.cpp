#include "cli/named_content.h"

#include <array>
#include <functional>
#include <map>

#include "common/text/data_files.h"
#include "common/vocabulary/content_name.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

constexpr std::array kSettingsWithData{"data.train", "data.replay", "eval.learn", "eval.retain"};

using OnName = std::function<void(std::string& text)>;

// A source is {path, weight} or {path, share}, an eval {data, ...}.
void each_name_in(Json& value, const OnName& on_name) {
  for (const char* key : {"path", "data"})
    if (value.is_object() && value.contains(key) && value[key].is_string() &&
        is_content_text(value[key].get_ref<const std::string&>()))
      on_name(value[key].get_ref<std::string&>());
  for (Json& part : value)
    if (part.is_structured()) each_name_in(part, on_name);
}

void each_name_in(SettingValues& set, const OnName& on_name) {
  for (const char* key : kSettingsWithData)
    if (const auto found = set.find(key); found != set.end()) each_name_in(found->second, on_name);
}

void each_name_in(SweepSpec& spec, const OnName& on_name) {
  for (Block& block : spec.blocks) {
    each_name_in(block.constants, on_name);
    for (Axis& axis : block.axes)
      for (AxisPoint& point : axis.points) each_name_in(point.set, on_name);
    for (IncludedCell& cell : block.include)
      for (AxisPoint& point : cell.points) each_name_in(point.set, on_name);
  }
}

std::string ending_of(const ContentName& name, const fs::path& bytes) {
  if (!name.ending.empty()) return name.ending;
  return kind_by_content(bytes) == FileKind::json_rows ? ".jsonl" : ".txt";
}

// Returns: where it lies, called so that its kind is known. Throws: as ContentFinder::find, and for an ending
// that says no kind.
fs::path placed(ContentFinder& finder, const ContentName& name) {
  const fs::path bytes = finder.find(name);
  const fs::path out = bytes.string() + ending_of(name, bytes);
  (void)kind_of(out);  // says what endings there are
  finder.link(name, out);
  return out;
}

}  // namespace

std::vector<std::string> place_named_content(SweepSpec& spec, const ContentSources& sources) {
  std::map<std::string, std::string> places;
  each_name_in(spec, [&](std::string& text) { places[text]; });
  if (places.empty()) return {};
  std::vector<std::string> nowhere;
  ContentFinder finder(sources);
  for (auto& [text, place] : places) {
    const auto name = content_name_of(text);
    if (!name) throw SpecError(text + ": not sha256: and 64 hex digits");
    try {
      place = placed(finder, *name).string();
    } catch (const std::runtime_error& error) {
      nowhere.emplace_back(error.what());
    }
  }
  each_name_in(spec, [&](std::string& text) {
    if (const std::string& place = places.at(text); !place.empty()) text = place;
  });
  return nowhere;
}

}  // namespace ranktide::cli
