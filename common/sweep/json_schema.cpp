#include "common/sweep/json_schema.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/sweep/block_cells.h"
#include "common/sweep/eval_tasks.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/settings.h"
#include "common/sweep/sweep_spec.h"
#include "common/sweep/tuning_check.h"

namespace ranktide {
namespace {

// Readers of YAML disagree on what is a number (1e-4, 5_000), so a text that looks like one is one too.
const std::string kDigits = "[0-9][0-9_]*";
const std::string kNumber = "-?(" + kDigits + "([.][0-9_]*)?|[.]" + kDigits + ")([eE][-+]?" + kDigits + ")?";

Json text_like(const std::string& pattern) {
  return {{"type", "string"}, {"pattern", "^" + pattern + "$"}};
}

Json any_of(std::vector<Json> schemas) {
  return {{"anyOf", std::move(schemas)}};
}

Json list_of(Json items) {
  return {{"type", "array"}, {"items", std::move(items)}, {"minItems", 1}};
}

Json closed_map(Json properties) {
  return {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
}

Json named_map(Json values, int least = 0) {
  return {{"type", "object"},
          {"propertyNames", {{"pattern", "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}}},
          {"additionalProperties", std::move(values)},
          {"minProperties", least}};
}

Json plain_number(const Setting& setting, const char* type) {
  Json out{{"type", type}};
  if (setting.min > -1e299) out["minimum"] = setting.min;
  if (setting.max < 1e299) out["maximum"] = setting.max;
  return out;
}

Json scalar_schema() {
  return {{"type", Json::array({"string", "number", "boolean"})}};
}

Json moment_schema() {
  return any_of({{{"type", "integer"}, {"minimum", 0}}, {{"type", "string"}}});
}

Json source_schema() {
  const Json weighted{
      {"type", "object"},
      {"properties",
       {{"path", scalar_schema()}, {"weight", any_of({{{"type", "number"}}, text_like(kNumber + "%?")})}}},
      {"required", Json::array({"path"})},
      {"additionalProperties", false}};
  return any_of({scalar_schema(), weighted});
}

Json fields_map() {
  Json properties = Json::object();
  for (const char* name : {"prompt", "completion", "text", "messages"}) properties[name] = scalar_schema();
  return closed_map(properties);
}

Json replay_schema() {
  Json out = closed_map(
      {{"path", scalar_schema()}, {"share", any_of({{{"type", "number"}}, text_like(kNumber + "%?")})}});
  out["required"] = Json::array({"path", "share"});
  return out;
}

Json eval_map();

Json value_schema(const Setting& setting) {
  switch (setting.type) {
    case SettingType::text:
    case SettingType::folder:
    case SettingType::modules:
      return scalar_schema();  // 2024 may be a folder's name
    case SettingType::choice:
      return {{"enum", setting.choices}};
    case SettingType::count:
      return any_of({plain_number(setting, "integer"), text_like(kNumber + "[kMB]?")});
    case SettingType::number:
      return any_of({plain_number(setting, "number"), text_like(kNumber)});
    case SettingType::share:
      return any_of({plain_number(setting, "number"), text_like(kNumber + "%?")});
    case SettingType::flag:
      return {{"type", "boolean"}};
    case SettingType::two_numbers: {
      Json out = list_of(any_of({{{"type", "number"}}, text_like(kNumber)}));
      out["minItems"] = out["maxItems"] = 2;
      return out;
    }
    case SettingType::steps_or_share:
      return any_of({plain_number(setting, "integer"), text_like(kNumber + "([kMB]|%)?")});
    case SettingType::sources:
      return any_of({source_schema(), list_of(source_schema())});
    case SettingType::names:
      return fields_map();
    case SettingType::replay:
      return replay_schema();
    case SettingType::evals:
      return eval_map();
    case SettingType::moments:
      return {{"type", "array"}, {"items", moment_schema()}};
    case SettingType::duration:
      return text_like(kNumber + "[smhd]");
    case SettingType::size:
      return text_like(kNumber + "(KiB|MiB|GiB|TiB)");
    case SettingType::labels:
      return {{"type", "array"}, {"items", scalar_schema()}};
    case SettingType::source:
      return text_like("trial:[0-9a-f]{1,64}(@[1-9][0-9]*)?");
  }
  return {};
}

// What an editor shows beside the key.
std::string description_of(const Setting& setting) {
  std::string out(setting.doc);
  if (!setting.unit.empty()) out.append(" (").append(setting.unit).append(")");
  out.append(". Default: ").append(setting.default_text).append(".");
  return out;
}

Json described(const Setting& setting) {
  Json out = value_schema(setting);
  out["description"] = description_of(setting);
  return out;
}

Json eval_map() {
  Json properties = Json::object();
  for (const Setting& setting : eval_settings()) properties[std::string(setting.key)] = described(setting);
  const Json task = closed_map(properties);  // a built-in task may go without data
  Json eval = task;
  eval["required"] = Json::array({"data"});
  Json out = named_map(eval);
  for (const auto name : task_names()) out["properties"][std::string(name)] = task;
  return out;
}

Json reference(const std::string& definition) {
  return {{"$ref", "#/definitions/" + definition}};
}

Json value_of(const Setting& setting) {
  return reference(std::string(setting.key));
}

Json axis_of(const Setting& setting) {
  return reference("axis:" + std::string(setting.key));
}

// Under a block's key a list is an axis, where the setting's own value is none.
Json value_or_axis_of(const Setting& setting) {
  return reference("varied:" + std::string(setting.key));
}

bool is_map_typed(const Setting& setting) {
  return setting.type == SettingType::names || setting.type == SettingType::replay ||
         setting.type == SettingType::evals;
}

bool is_numeric(const Setting& setting) {
  return setting.type == SettingType::count || setting.type == SettingType::number ||
         setting.type == SettingType::share || setting.type == SettingType::steps_or_share;
}

// {values: [...]} and the other spellings, each with its `when`.
Json spelled_axis(Json properties, const std::vector<std::string>& required) {
  properties["when"] = {{"type", "string"},
                        {"description", "expression; where it is false the axis has one cell"}};
  Json out = closed_map(std::move(properties));
  out["required"] = required;
  return out;
}

// {min, max, step} and the others that make numbers.
Json generated_axis() {
  const Json number = any_of({{{"type", "number"}}, text_like(kNumber + "([kMB]|%)?")});
  const Json count = any_of({{{"type", "integer"}, {"minimum", 1}}, text_like(kNumber + "[kMB]?")});
  Json ends = list_of(number);
  ends["minItems"] = ends["maxItems"] = 2;
  return any_of(
      {spelled_axis({{"min", number}, {"max", number}, {"step", number}}, {"min", "max", "step"}),
       spelled_axis({{"min", number}, {"max", number}, {"count", count}}, {"min", "max", "count"}),
       spelled_axis({{"log", ends}, {"count", count}}, {"log", "count"}),
       spelled_axis({{"min", number}, {"max", number}}, {"min", "max"}),  // search: random draws from these
       spelled_axis({{"log", ends}}, {"log"})});
}

std::vector<Json> spelled_axes(const Setting& setting) {
  std::vector<Json> out{spelled_axis({{"values", list_of(value_of(setting))}}, {"values"}),
                        spelled_axis({{"value", value_of(setting)}}, {"value"})};
  if (is_numeric(setting)) out.push_back(reference("generated"));
  return out;
}

Json axis_schema(const Setting& setting) {
  std::vector<Json> out = spelled_axes(setting);
  out.insert(out.begin(), list_of(value_of(setting)));
  return any_of(std::move(out));
}

Json varied_schema(const Setting& setting) {
  return any_of({value_of(setting), is_map_typed(setting) ? any_of(spelled_axes(setting)) : axis_of(setting)});
}

bool may_vary(const Setting& setting) {
  return setting.key != "seed" && !setting.key.starts_with("run.");
}

using Leaf = std::function<Json(const Setting&)>;
using Wanted = std::function<bool(const Setting&)>;

// Every way to write these keys, nested, dotted, or both: {"train.lr": leaf, "train": {"lr": leaf}}.
Json spellings(const std::string& prefix, const Wanted& wanted, const Leaf& leaf) {
  Json out = Json::object();
  for (const Setting& setting : settings()) {
    if (!setting.key.starts_with(prefix) || !wanted(setting)) continue;
    const std::string rest(setting.key.substr(prefix.size()));
    out[rest] = leaf(setting);
    for (size_t dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.', dot + 1)) {
      const std::string section = rest.substr(0, dot);
      if (!out.contains(section)) out[section] = closed_map(spellings(prefix + section + ".", wanted, leaf));
    }
  }
  return out;
}

Json varying(const Leaf& leaf) {
  return spellings("", may_vary, leaf);
}

Json with_description(Json schema, const char* text) {
  schema["description"] = text;
  return schema;
}

Json exclude_rules() {
  const Leaf some = [](const Setting& setting) {
    return any_of({value_of(setting), list_of(value_of(setting))});
  };
  Json map{{"type", "object"},
           {"properties", varying(some)},
           {"additionalProperties", any_of({scalar_schema(), list_of(scalar_schema())})},  // labels of rows
           {"minProperties", 1}};
  return {{"type", "array"}, {"items", any_of({{{"type", "string"}}, std::move(map)})}};
}

// A map with a value, or several, for each axis; the names of rows and zips a schema cannot know.
Json included_cells() {
  const Leaf some = [](const Setting& setting) {
    return is_map_typed(setting) ? value_of(setting) : value_or_axis_of(setting);
  };
  return {{"type", "array"},
          {"items",
           {{"type", "object"},
            {"properties", varying(some)},
            {"additionalProperties", any_of({scalar_schema(), list_of(scalar_schema())})},
            {"minProperties", 1}}}};
}

Json derivations() {
  const auto derivable = [](const Setting& s) { return may_vary(s) && s.part == SettingPart::training; };
  return closed_map(spellings("", derivable, [](const Setting&) { return scalar_schema(); }));
}

struct Construct {
  const char* key;
  const char* description;
  Json (*schema)();
};

// What may stand at the top and in a block alike.
const Construct kConstructSchemas[] = {
    {"axes", "key -> its values, crossed in every block", [] { return closed_map(varying(axis_of)); }},
    {"rows", "name -> {label -> settings}: one axis",
     [] { return named_map(named_map(closed_map(varying(value_of)), 1)); }},
    {"zip", "name -> {key: [..], key: [..]}: values that go together",
     [] { return named_map(closed_map(varying([](const Setting& s) { return list_of(value_of(s)); }))); }},
    {"derive", "key -> expression over other keys and labels", derivations},
    {"exclude", "cells where one of these holds are left out", exclude_rules},
    {"include", "maps with a value for each axis: cells beside those of the axes", included_cells},
};

void add_constructs(Json& properties) {
  for (const Construct& construct : kConstructSchemas) properties[construct.key] = reference(construct.key);
}

Json block_schema() {
  Json properties = varying(value_or_axis_of);
  add_constructs(properties);
  properties["like"] = {{"type", "string"}, {"description", "an earlier block that this one starts from"}};
  const Json label{{"type", Json::array({"string", "number"})},
                   {"pattern", "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}};
  // `regime: code` keeps labels of the rows `regime`, whose name a schema cannot know.
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"patternProperties",
           {{"^(run([.].*)?|seeds?|version|name|blocks|search|tune)$", false}}},  // the whole sweep's
          {"additionalProperties", any_of({label, list_of(label)})}};
}

Json seeds_schema() {
  const Json seed = any_of({{{"type", "integer"}, {"minimum", 0}}, text_like(kNumber + "[kMB]?")});
  return with_description(any_of({seed, list_of(seed)}), "a count (3 is 0, 1, 2) or a list");
}

Json whole_number(int64_t least, int64_t most) {
  return any_of(
      {{{"type", "integer"}, {"minimum", least}, {"maximum", most}}, text_like("[0-9][0-9_]*[kMB]?")});
}

Json search_schema() {
  Json random = closed_map(
      {{"random", whole_number(1, kDrawnCellsMax)}, {"seed", whole_number(0, 9'007'199'254'740'991)}});
  random["required"] = Json::array({"random"});
  return with_description(any_of({{{"enum", Json::array({"grid"})}}, std::move(random)}),
                          "grid (every cell), or {random: 40, seed: 7}: so many cells of every block");
}

Json tune_schema() {
  const Json name{{"type", "string"}};
  const Json names = any_of({name, list_of(name)});
  Json whole =
      closed_map({{"axes", names}, {"by", {{"type", "string"}}}, {"extend", whole_number(0, kTuneExtendMax)}});
  whole["required"] = Json::array({"axes"});
  return with_description(
      any_of({names, std::move(whole)}),
      "axes of whose values only the best counts: a key, a list of keys, or {axes: [train.lr], "
      "by: valid_loss, extend: 2}");
}

Json definitions() {
  Json out{{"generated", generated_axis()}};
  for (const Construct& construct : kConstructSchemas)
    out[construct.key] = with_description(construct.schema(), construct.description);
  for (const Setting& setting : settings()) {
    if (setting.key == "seed") continue;
    const std::string key(setting.key);
    out[key] = described(setting);
    if (!may_vary(setting)) continue;
    out["axis:" + key] = axis_schema(setting);
    out["varied:" + key] = varied_schema(setting);
  }
  return out;
}

}  // namespace

Json sweep_json_schema() {
  Json properties = spellings(
      "", [](const Setting& s) { return s.key != "seed"; }, value_of);
  add_constructs(properties);
  properties["version"] = {{"enum", Json::array({1, "1"})}};
  properties["name"] = {{"type", Json::array({"string", "number"})},
                        {"pattern", "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}};
  properties["seeds"] = seeds_schema();
  properties["search"] = search_schema();
  properties["tune"] = tune_schema();
  properties["blocks"] =
      with_description(named_map(block_schema(), 1), "name -> settings; their cells are put together");
  Json out = closed_map(std::move(properties));
  out["$schema"] = "http://json-schema.org/draft-07/schema#";
  out["title"] = "ranktide sweep file, version 1";
  out["required"] = Json::array({"version", "name"});
  out["definitions"] = definitions();
  return out;
}

}  // namespace ranktide
