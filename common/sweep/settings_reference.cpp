// The table as people read it: docs/sweep-file.md and `help sweep-file`.
#include "common/sweep/settings.h"

namespace ranktide {
namespace {

std::string_view type_text(SettingType type) {
  switch (type) {
    case SettingType::text:
      return "text";
    case SettingType::choice:
      return "one of";
    case SettingType::folder:
      return "path";
    case SettingType::count:
      return "whole number";
    case SettingType::number:
      return "number";
    case SettingType::share:
      return "0..1 or %";
    case SettingType::flag:
      return "true, false";
    case SettingType::two_numbers:
      return "two numbers";
    case SettingType::steps_or_share:
      return "steps or %";
    case SettingType::modules:
      return "modules";
    case SettingType::sources:
      return "file or list";
    case SettingType::names:
      return "map";
    case SettingType::replay:
      return "map";
    case SettingType::evals:
      return "map";
    case SettingType::moments:
      return "list";
    case SettingType::duration:
      return "time";
    case SettingType::size:
      return "size";
    case SettingType::labels:
      return "list";
    case SettingType::source:
      return "trial";
  }
  return "";
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto& word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

std::string type_cell(const Setting& setting) {
  if (setting.type == SettingType::choice) return joined(setting.choices);
  std::string out(type_text(setting.type));
  if (setting.unit.empty() || setting.unit == out) return out;
  return out.append(" (").append(setting.unit).append(")");
}

std::string effect_cell(const Setting& setting) {
  const Effect& effect = setting.effect;
  if (effect.key.empty()) return "always";
  std::string out(effect.key);
  return out.append(effect.values.empty() ? " is not " : " is ")
      .append(joined(effect.values.empty() ? effect.unless : effect.values));
}

std::string part_mark(SettingPart part) {
  return part == SettingPart::policy ? " P" : part == SettingPart::eval ? " E" : "";
}

std::string row(const Setting& setting, const std::string& prefix) {
  std::string out = "| `" + prefix;
  out.append(setting.key).append("`").append(part_mark(setting.part));
  out.append(" | ").append(type_cell(setting));
  out.append(" | ").append(setting.default_text);
  out.append(" | ").append(effect_cell(setting));
  return out.append(" | ").append(setting.doc).append(" |\n");
}

}  // namespace

std::string settings_reference() {
  std::string out = "| key | value | default | has an effect while | meaning |\n|---|---|---|---|---|\n";
  for (const auto& setting : settings()) out += row(setting, "");
  for (const auto& setting : eval_settings()) out += row(setting, "eval.*.NAME.");
  return out;
}

}  // namespace ranktide
