#include "common/sweep/setting_value.h"

#include <algorithm>
#include <cmath>

#include "common/sweep/eval_tasks.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/suggest.h"
#include "common/vocabulary/content_name.h"
#include "common/vocabulary/hub_name.h"

namespace ranktide {
namespace {

[[noreturn]] void refuse(const ReadingPlace& place, const YamlNode& node, const std::string& message) {
  throw place.source.error(node, message);
}

// Returns: what to write instead of a scalar that is almost right.
std::string scalar_remedy(const Setting& setting, const YamlNode& node) {
  const bool numeric = setting.type == SettingType::number || setting.type == SettingType::count ||
                       setting.type == SettingType::share;
  if (node.quoted && numeric && read_number(node.text)) return "; remove the quotes";
  if (setting.type == SettingType::flag) {
    if (node.text == "yes" || node.text == "on" || node.text == "True") return "; write true";
    if (node.text == "no" || node.text == "off" || node.text == "False") return "; write false";
  }
  if (setting.type == SettingType::count && !read_count(node.text)) {
    const auto value = read_number(node.text);
    if (value && std::floor(*value) == *value && std::abs(*value) < 1e15)
      return "; write " + std::to_string(static_cast<int64_t>(*value));
  }
  if (numeric && node.text.starts_with('0') &&
      node.text.find_first_not_of("0123456789_") == std::string::npos && node.text != "0")
    return "; leading zeros are not allowed";
  if (setting.type == SettingType::choice) return nearest_remedy(node.text, setting.choices);
  return "";
}

[[noreturn]] void wrong_type(const Setting& setting, const std::string& key, const YamlNode& node,
                             const ReadingPlace& place) {
  refuse(place, node,
         key + " takes " + expectation(setting) + ", got " + shown(node) +
             (node.is_scalar() ? scalar_remedy(setting, node) : ""));
}

std::string hub_text(const YamlNode& node, const std::string& key, const ReadingPlace& place) {
  if (!key.starts_with("model."))
    refuse(place, node, key + " takes a path; hub: names are for models and tokenizers");
  const auto name = hub_name_of(node.text);
  if (!name) refuse(place, node, key + ": not a name on the hub; write \"hub:org/name@revision\"");
  return to_text(*name);
}

std::string content_text(const YamlNode& node, const std::string& key, const ReadingPlace& place) {
  const auto name = content_name_of(node.text);
  if (key.starts_with("model.")) {
    if (!name || !name->ending.empty())
      refuse(place, node,
             key +
                 ": not a hash of a model or tokenizer; write sha256: and the 64 hex digits that `plan` prints "
                 "for a folder");
    return to_text(*name);
  }
  if (!name)
    refuse(place, node,
           key +
               ": not a file's hash; write sha256: and the 64 hex digits that sha256sum prints, and .jsonl "
               "or .txt after them to say its kind");
  return to_text(*name);
}

std::string absolute_path(const YamlNode& node, const std::string& key, const ReadingPlace& place) {
  if (!node.is_scalar() || node.text.empty()) refuse(place, node, key + " takes a path, got " + shown(node));
  if (is_hub_text(node.text)) return hub_text(node, key, place);
  if (is_content_text(node.text)) return content_text(node, key, place);
  return (place.folder / node.text).lexically_normal().string();
}

std::optional<Json> scalar_value(const Setting& setting, const YamlNode& node) {
  const std::string& text = node.text;
  const auto json = [](const auto& value) { return value ? std::optional<Json>(*value) : std::nullopt; };
  switch (setting.type) {
    case SettingType::text:
    case SettingType::choice:
    case SettingType::modules:
    case SettingType::source:
      return text;
    case SettingType::flag:
      return text == "true"    ? std::optional<Json>(true)
             : text == "false" ? std::optional<Json>(false)
                               : std::nullopt;
    case SettingType::count:
      return json(read_count(text));
    case SettingType::number:
      return json(read_number(text));
    case SettingType::share:
      return json(read_share(text));
    case SettingType::duration:
      return json(read_duration_ms(text));
    case SettingType::size:
      return json(read_size_bytes(text));
    case SettingType::steps_or_share: {
      if (text.ends_with('%')) {
        const auto share = read_share(text);
        return share ? std::optional<Json>(Json{{"share", *share}}) : std::nullopt;
      }
      const auto steps = read_count(text);
      return steps ? std::optional<Json>(Json{{"steps", *steps}}) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

bool wants_plain_scalar(SettingType type) {
  return type != SettingType::text && type != SettingType::choice && type != SettingType::modules &&
         type != SettingType::source;
}

Json read_scalar(const Setting& setting, const std::string& key, const YamlNode& node,
                 const ReadingPlace& place) {
  if (!node.is_scalar() || (node.quoted && wants_plain_scalar(setting.type)))
    wrong_type(setting, key, node, place);
  const auto value = scalar_value(setting, node);
  if (!value) wrong_type(setting, key, node, place);
  return *value;
}

Json read_two_numbers(const Setting& setting, const std::string& key, const YamlNode& node,
                      const ReadingPlace& place) {
  if (!node.is_list() || node.items.size() != 2) wrong_type(setting, key, node, place);
  Json out = Json::array();
  for (const auto& item : node.items) {
    const auto value = item.is_scalar() && !item.quoted ? read_number(item.text) : std::nullopt;
    if (!value) refuse(place, item, key + " takes two numbers, got " + shown(item));
    out.push_back(*value);
  }
  return out;
}

const YamlNode& required_entry(const YamlNode& map, const std::string& name, const std::string& key,
                               const ReadingPlace& place) {
  const YamlNode* found = map.find(name);
  if (!found) refuse(place, map, key + " needs " + name + ": write {path: ..., " + name + ": ...}");
  return *found;
}

void only_keys(const YamlNode& map, const std::vector<std::string_view>& allowed, const std::string& key,
               const ReadingPlace& place) {
  for (const auto& entry : map.entries)
    if (std::find(allowed.begin(), allowed.end(), entry.key) == allowed.end())
      throw place.source.error(
          entry, "unknown key \"" + key + "." + entry.key + "\"" + nearest_remedy(entry.key, allowed));
}

double read_plain_number(const YamlNode& node, const std::string& key, const ReadingPlace& place) {
  const auto value = node.is_scalar() && !node.quoted ? read_share(node.text) : std::nullopt;
  if (!value) refuse(place, node, key + " takes a number, got " + shown(node));
  return *value;
}

Json read_source(const std::string& key, const YamlNode& node, const ReadingPlace& place) {
  if (!node.is_map()) return Json{{"path", absolute_path(node, key, place)}, {"weight", 1.0}};
  only_keys(node, {"path", "weight"}, key, place);
  const YamlNode* weight = node.find("weight");
  return Json{{"path", absolute_path(required_entry(node, "path", key, place), key + ".path", place)},
              {"weight", weight ? read_plain_number(*weight, key + ".weight", place) : 1.0}};
}

Json read_sources(const std::string& key, const YamlNode& node, const ReadingPlace& place) {
  Json out = Json::array();
  if (!node.is_list()) {
    out.push_back(read_source(key, node, place));
  } else {
    for (const auto& item : node.items) out.push_back(read_source(key, item, place));
  }
  if (out.empty()) refuse(place, node, key + " takes at least one file, got an empty list");
  return out;
}

Json read_names(const Setting& setting, const std::string& key, const YamlNode& node,
                const ReadingPlace& place) {
  if (!node.is_map()) wrong_type(setting, key, node, place);
  only_keys(node, {"prompt", "completion", "text", "messages"}, key, place);
  Json out = Json::object();
  for (const auto& entry : node.entries) {
    if (!entry.value.is_scalar())
      refuse(place, entry.value, key + "." + entry.key + " takes a field's name, got " + shown(entry.value));
    out[entry.key] = entry.value.text;
  }
  return out;
}

Json read_replay(const Setting& setting, const std::string& key, const YamlNode& node,
                 const ReadingPlace& place) {
  if (!node.is_map()) wrong_type(setting, key, node, place);
  only_keys(node, {"path", "share"}, key, place);
  return Json{{"path", absolute_path(required_entry(node, "path", key, place), key + ".path", place)},
              {"share", read_plain_number(required_entry(node, "share", key, place), key + ".share", place)}};
}

Json read_eval(const std::string& name, const std::string& key, const YamlNode& node,
               const ReadingPlace& place) {
  if (!node.is_map()) refuse(place, node, key + " takes {data: ..., kind: ...}, got " + shown(node));
  std::vector<std::string_view> allowed;
  for (const auto& setting : eval_settings()) allowed.push_back(setting.key);
  Json out = Json::object();
  for (const auto& entry : node.entries) {
    const auto& table = eval_settings();
    const auto it = std::find_if(table.begin(), table.end(), [&](auto& s) { return s.key == entry.key; });
    if (it == table.end()) only_keys(node, allowed, key, place);
    out[entry.key] = read_value(*it, key + "." + entry.key, entry.value, place);
  }
  out = with_task_defaults(name, std::move(out));
  if (!out.contains("data"))
    refuse(place, node, key + " needs data; name a file with data: ..." + nearest_remedy(name, task_names()));
  for (const auto& entry : node.entries)
    if (is_of_generated_answers(entry.key) && !is_generated(*enum_of<EvalKind>(out.value("kind", "loss"))))
      throw place.source.error(entry, key + "." + entry.key +
                                          " has no effect with kind: " + out.value("kind", "loss") +
                                          "; it is of generate and code; remove it");
  return out;
}

Json read_evals(const Setting& setting, const std::string& key, const YamlNode& node,
                const ReadingPlace& place) {
  if (!node.is_map()) wrong_type(setting, key, node, place);
  Json out = Json::object();
  for (const auto& entry : node.entries) {
    attempt(place.errors, [&] {
      if (!is_name(entry.key)) throw place.source.error(entry, name_refusal("an eval's name", entry.key));
      out[entry.key] = read_eval(entry.key, key + "." + entry.key, entry.value, place);
    });
  }
  return out;
}

Json read_moments(const Setting& setting, const std::string& key, const YamlNode& node,
                  const ReadingPlace& place) {
  if (!node.is_list()) wrong_type(setting, key, node, place);
  Json out = Json::array();
  for (const auto& item : node.items) {
    if (!item.is_scalar() || !read_moment(item.text))
      refuse(place, item, key + " takes steps, a percentage, `2 epochs` or end, got " + shown(item));
    out.push_back(item.text);
  }
  return out;
}

Json read_labels(const Setting& setting, const std::string& key, const YamlNode& node,
                 const ReadingPlace& place) {
  if (!node.is_list()) wrong_type(setting, key, node, place);
  Json out = Json::array();
  for (const auto& item : node.items) {
    if (!item.is_scalar()) wrong_type(setting, key, node, place);
    out.push_back(item.text);
  }
  return out;
}

Json read_by_type(const Setting& setting, const std::string& key, const YamlNode& node,
                  const ReadingPlace& place) {
  switch (setting.type) {
    case SettingType::folder:
      return absolute_path(node, key, place);
    case SettingType::two_numbers:
      return read_two_numbers(setting, key, node, place);
    case SettingType::sources:
      return read_sources(key, node, place);
    case SettingType::names:
      return read_names(setting, key, node, place);
    case SettingType::replay:
      return read_replay(setting, key, node, place);
    case SettingType::evals:
      return read_evals(setting, key, node, place);
    case SettingType::moments:
      return read_moments(setting, key, node, place);
    case SettingType::labels:
      return read_labels(setting, key, node, place);
    default:
      return read_scalar(setting, key, node, place);
  }
}

}  // namespace

bool is_list_typed(const Setting& setting) {
  return setting.type == SettingType::two_numbers || setting.type == SettingType::sources ||
         setting.type == SettingType::moments || setting.type == SettingType::labels;
}

Json read_value(const Setting& setting, const std::string& key, const YamlNode& node,
                const ReadingPlace& place) {
  Json value = read_by_type(setting, key, node, place);
  if (refusal(setting, value)) wrong_type(setting, key, node, place);
  return value;
}

}  // namespace ranktide
