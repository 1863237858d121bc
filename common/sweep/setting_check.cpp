#include "common/sweep/setting_check.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <set>

#include "common/sweep/scalar_text.h"
#include "common/sweep/setting_error.h"
#include "common/sweep/spec_error.h"
#include "common/sweep/text_bytes.h"
#include "common/sweep/warm_start.h"

namespace ranktide {
namespace {

constexpr std::array<std::string_view, 4> kAttention{"q_proj", "k_proj", "v_proj", "o_proj"};
constexpr std::array<std::string_view, 3> kMlp{"gate_proj", "up_proj", "down_proj"};
constexpr size_t kLabelsMax = 32;

std::string bounds(const Setting& setting) {
  const bool from = setting.min > -1e300;
  const bool to = setting.max < 9e15;
  if (from && to) return " from " + short_number(setting.min) + " to " + short_number(setting.max);
  return from ? " of at least " + short_number(setting.min) : "";
}

std::string bounds_with_reason(const Setting& setting) {
  std::string out = bounds(setting);
  return setting.bounds_reason.empty() ? out : out.append(" (").append(setting.bounds_reason).append(")");
}

bool in_range(const Setting& setting, const Json& value) {
  return value.get<double>() >= setting.min && value.get<double>() <= setting.max;
}

bool is_text(const Json& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty();
}

bool is_path_with(const Json& value, const char* number) {
  return value.is_object() && value.size() == 2 && value.contains("path") && is_text(value["path"]) &&
         value.contains(number) && value[number].is_number() && value[number] > 0;
}

bool is_steps_or_share(const Json& value) {
  if (!value.is_object() || value.size() != 1) return false;
  if (value.contains("steps")) return value["steps"].is_number_integer() && value["steps"] >= 0;
  return value.contains("share") && value["share"].is_number() && value["share"] >= 0 && value["share"] <= 1;
}

bool is_eval(const Json& entry) {
  if (!entry.is_object() || !entry.contains("data")) return false;
  const auto& table = eval_settings();
  return std::all_of(entry.items().begin(), entry.items().end(), [&](const auto& item) {
    const auto it = std::find_if(table.begin(), table.end(), [&](auto& s) { return s.key == item.key(); });
    return it != table.end() && !refusal(*it, item.value());
  });
}

bool all_items(const Json& value, auto&& is_fine) {
  return std::all_of(value.begin(), value.end(), is_fine);
}

bool is_label_list(const Json& value) {
  if (!value.is_array() || value.size() > kLabelsMax) return false;
  std::set<std::string> seen;
  return all_items(value, [&](const Json& label) {
    return label.is_string() && is_name(label.get_ref<const std::string&>()) &&
           seen.insert(label.get<std::string>()).second;
  });
}

bool fits(const Setting& setting, const Json& value) {
  switch (setting.type) {
    case SettingType::text:
    case SettingType::folder:
      return is_text(value);
    case SettingType::choice:
      return value.is_string() && std::find(setting.choices.begin(), setting.choices.end(),
                                            value.get_ref<const std::string&>()) != setting.choices.end();
    case SettingType::count:
    case SettingType::duration:
    case SettingType::size:
      return value.is_number_integer() && in_range(setting, value);
    case SettingType::number:
    case SettingType::share:
      return value.is_number() && in_range(setting, value);
    case SettingType::flag:
      return value.is_boolean();
    case SettingType::two_numbers:
      return value.is_array() && value.size() == 2 &&
             all_items(value, [&](const Json& n) { return n.is_number() && in_range(setting, n); });
    case SettingType::steps_or_share:
      return is_steps_or_share(value);
    case SettingType::modules:
      return value.is_string() && !modules_of(value.get<std::string>()).empty();
    case SettingType::sources:
      return value.is_array() && !value.empty() &&
             all_items(value, [](const Json& source) { return is_path_with(source, "weight"); });
    case SettingType::names:
      return value.is_object() && all_items(value, is_text);
    case SettingType::replay:
      return is_path_with(value, "share") && value["share"] < 1;
    case SettingType::evals:
      return value.is_object() && all_items(value, is_eval) &&
             std::all_of(value.items().begin(), value.items().end(),
                         [](const auto& e) { return is_name(e.key()); });
    case SettingType::moments:
      return value.is_array() &&
             all_items(value, [](const Json& m) { return m.is_string() && read_moment(m.get<std::string>()); });
    case SettingType::labels:
      return is_label_list(value);
    case SettingType::source:
      return value.is_string() && source_name_of(value.get_ref<const std::string&>());
  }
  return false;
}

}  // namespace

std::string expectation(const Setting& setting) {
  switch (setting.type) {
    case SettingType::text:
      return "a text";
    case SettingType::folder:
      return "a path";
    case SettingType::choice: {
      std::string out;
      for (const auto& word : setting.choices) out += (out.empty() ? "" : ", ") + std::string(word);
      return setting.choices.size() == 1 ? out + " (the only one built)" : "one of " + out;
    }
    case SettingType::count:
      return "a whole number" + bounds_with_reason(setting);
    case SettingType::number:
      return "a number" + bounds(setting);
    case SettingType::share:
      return "a percentage or a number" + bounds(setting);
    case SettingType::flag:
      return "true or false";
    case SettingType::two_numbers:
      return "two numbers" + bounds(setting);
    case SettingType::steps_or_share:
      return "steps or a percentage of the budget (100, 10%)";
    case SettingType::modules:
      return "attn, mlp, all, or distinct modules joined by + (q_proj+v_proj)";
    case SettingType::sources:
      return "a file, a list of files, or a list of {path, weight} with weights above 0";
    case SettingType::names:
      return "a map such as {prompt: question, completion: answer}";
    case SettingType::replay:
      return "{path: ..., share: ...} with a share between 0 and 1";
    case SettingType::evals:
      return "a map: name -> {data: ..., kind: ...}";
    case SettingType::moments:
      return "a list of steps, percentages, `2 epochs` or end";
    case SettingType::duration:
      return "a time such as 90s, 5m, 2h (at least 1s)";
    case SettingType::size:
      return "a size such as 512MiB, 6GiB";
    case SettingType::source:
      return "trial:ID or trial:ID@STEP (the trial's id in lower-case hex digits, or how it begins)";
    case SettingType::labels:
      return "a list of distinct labels such as [a100, nvlink] (1 to 64 of A-Z a-z 0-9 . _ -)";
  }
  return "";
}

std::optional<std::string> refusal(const Setting& setting, const Json& value) {
  if (fits(setting, value)) return std::nullopt;
  return "takes " + expectation(setting) + ", got " +
         (value.is_number_float() ? short_number(value.get<double>()) : value.dump());
}

Json derived_value(const Setting& setting, const Json& result) {
  Json value = result;
  if (result.is_number()) {
    const double number = rounded(result.get<double>());
    const bool whole =
        setting.type == SettingType::count && std::floor(number) == number && std::abs(number) < 9e15;
    value = whole ? Json(static_cast<int64_t>(number)) : Json(number);
  }
  if (const auto wrong = refusal(setting, value))
    throw SettingError(std::string(setting.key),
                       std::string(setting.key) + " " + *wrong + " from its derive rule");
  return value;
}

bool is_module(const std::string& name) {
  return std::find(kAttention.begin(), kAttention.end(), name) != kAttention.end() ||
         std::find(kMlp.begin(), kMlp.end(), name) != kMlp.end();
}

std::vector<std::string> modules_of(const std::string& target) {
  std::vector<std::string> out;
  for (size_t start = 0; start <= target.size();) {
    const size_t end = std::min(target.find('+', start), target.size());
    const std::string part = target.substr(start, end - start);
    if (part == "attn" || part == "all") out.insert(out.end(), kAttention.begin(), kAttention.end());
    if (part == "mlp" || part == "all") out.insert(out.end(), kMlp.begin(), kMlp.end());
    if (is_module(part))
      out.push_back(part);
    else if (part != "attn" && part != "mlp" && part != "all")
      return {};
    start = end + 1;
  }
  std::sort(out.begin(), out.end());
  const bool repeated = std::adjacent_find(out.begin(), out.end()) != out.end();
  return repeated ? std::vector<std::string>{} : out;
}

std::optional<Moment> read_moment(std::string_view text) {
  if (text == "end") return Moment{};
  constexpr std::string_view kEpochs = " epochs";
  constexpr std::string_view kEpoch = " epoch";
  for (const auto suffix : {kEpochs, kEpoch}) {
    if (!text.ends_with(suffix)) continue;
    const auto epochs = read_number(text.substr(0, text.size() - suffix.size()));
    return epochs && *epochs >= 0 ? std::optional(Moment{Moment::Kind::epochs, *epochs}) : std::nullopt;
  }
  if (text.ends_with('%')) {
    const auto share = read_share(text);
    const bool within = share && *share >= 0 && *share <= 1;
    return within ? std::optional(Moment{Moment::Kind::share, *share}) : std::nullopt;
  }
  const auto steps = read_count(text);
  if (!steps || *steps < 0) return std::nullopt;
  return Moment{Moment::Kind::steps, static_cast<double>(*steps)};
}

bool is_name(std::string_view text) {
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return !text.empty() && text.size() <= 64 && is_word(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_word(c) || c == '.' || c == '_' || c == '-'; });
}

std::string name_refusal(const std::string& what, const std::string& text) {
  return what +
         " has letters, digits, `.`, `_` and `-`, starts with a letter or digit and has at most 64 bytes; got "
         "\"" +
         printable(beginning(text, 80)) + "\"";
}

}  // namespace ranktide
