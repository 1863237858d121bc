#include "cli/trial_difference.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ranktide::cli {
namespace {

constexpr std::string_view kContent = "content.";
constexpr size_t kShownDigits = 12;

// What a path leads to.
constexpr std::array<std::pair<const char*, const char*>, 4> kByContent{{{"model.path", "model"},
                                                                         {"model.tokenizer", "tokenizer"},
                                                                         {"data.train", "data"},
                                                                         {"data.replay", "data"}}};

Json taken_out(Json& settings, const char* key) {
  Json out = settings.value(key, Json::object());
  settings.erase(key);
  return out;
}

}  // namespace

std::vector<SettingPair> differing_settings(Json a, Json b) {
  const Json of_a = taken_out(a, "content"), of_b = taken_out(b, "content");
  for (const auto& [path, content] : kByContent) {
    if (!of_a.contains(content) || !of_b.contains(content)) continue;
    if (of_a[content] == of_b[content]) {
      a.erase(path);
      b.erase(path);
    } else {
      a[std::string(kContent) + content] = of_a[content];
      b[std::string(kContent) + content] = of_b[content];
    }
  }
  std::vector<SettingPair> out;
  for (const auto& [key, value] : a.items())
    if (const Json other = b.value(key, Json()); other != value) out.push_back({key, value, other});
  for (const auto& [key, value] : b.items())
    if (!a.contains(key)) out.push_back({key, Json(), value});
  std::sort(out.begin(), out.end(), [](auto& x, auto& y) { return x.key < y.key; });
  return out;
}

std::string shown_value(const SettingPair& pair, const Json& value) {
  if (value.is_null()) return "-";
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return pair.key.starts_with(kContent) ? text.substr(0, kShownDigits) : text;
}

}  // namespace ranktide::cli
