#pragma once
// The settings of version 1: the one table that makes reader, did-you-mean, defaults, help, reference page and
// canonical form. Not the sweep's constructs (axes, rows, blocks ...: sweep_yaml) and not a trial's typed
// settings (vocabulary/trial.h). Constant after start, safe from any thread.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/vocabulary/wire.h"

namespace ranktide {

// What a value looks like in a file, and as the canonical JSON that SettingValues hold.
enum class SettingType {
  text,            // "chat"                               -> string
  choice,          // one of `choices`                     -> string
  folder,          // path, relative to the sweep file     -> absolute string
  count,           // 12, 5_000, 2k, 1M, 3B                -> integer
  number,          // 5e-4                                 -> double
  share,           // 10% or 0.1                           -> double in 0..1
  flag,            // true, false                          -> bool
  two_numbers,     // [0.9, 0.999]                         -> [double, double]
  steps_or_share,  // 100 or 10%                           -> {"steps": n} or {"share": x}
  modules,         // attn, mlp, all, q_proj+v_proj        -> string as written
  sources,         // file, [files], [{path, weight}]      -> [{"path", "weight"}]
  names,           // {prompt: question}                   -> map of strings
  replay,          // {path, share}                        -> the same
  evals,           // name -> {data, kind, ...}            -> name -> {eval settings}
  moments,         // [0, 50%, 2 epochs, end]              -> list of those texts
  duration,        // 90s, 5m, 2h                          -> milliseconds
  size,            // 512MiB, 6GiB                         -> bytes
  labels,          // [a100, nvlink]                       -> list of strings
  source,          // trial:a3f9, trial:a3f9@1500          -> string as written
};

// What a setting decides. Only `training` enters a trial's id.
enum class SettingPart { training, policy, eval };

// "Has an effect while `key` has one of `values`", or with no values "unless it has one of `unless`"; an empty
// key means always.
struct Effect {
  std::string_view key = {};
  std::vector<std::string_view> values = {};
  std::vector<std::string_view> unless = {};
};

struct Setting {
  std::string_view key;  // full dotted path
  SettingType type;
  std::string_view unit = {};     // for people: "steps", "tokens"
  std::string_view default_text;  // as one would write it; "required", "none", or a rule such as "2·rank"
  std::string_view doc;           // one line
  SettingPart part = SettingPart::training;
  Effect effect = {};
  std::vector<std::string_view> choices = {};  // of a choice
  double min = -1e300;                         // inclusive bounds of a count, number, share, duration or size
  double max = 1e300;
  std::string_view bounds_reason = {};  // for people who meet them
};

// Values by full key, each in its type's canonical JSON.
using SettingValues = std::map<std::string, Json>;

// Returns: the table, in the order of the reference page.
const std::vector<Setting>& settings();

// Returns: the setting with this full key; nullptr when there is none.
const Setting* find_setting(std::string_view key);

// Returns: the full key for a full key or for a last part that only one setting has ("rank", "lr"); nullopt
// otherwise.
std::optional<std::string> full_key(std::string_view name);

// Returns: the keys of one entry under eval.learn or eval.retain, in the table's own form (key without a
// prefix).
const std::vector<Setting>& eval_settings();

// Returns: whether the setting changes anything among these values (defaults are looked up where absent).
bool has_effect(const Setting& setting, const SettingValues& values);

// Returns: the one setting that a default is worked out from ("lora.rank" for lora.alpha); empty where it hangs
// on none.
std::string_view default_source(const Setting& setting);

// Returns: the value of a setting when nothing sets it, given the others ("lora.alpha" is twice the rank);
// nullopt when it is required, or off when absent.
std::optional<Json> default_value(const Setting& setting, const SettingValues& values);

// Returns: the reference table in Markdown, one row per setting: docs/sweep-file.md holds exactly this.
std::string settings_reference();

}  // namespace ranktide
