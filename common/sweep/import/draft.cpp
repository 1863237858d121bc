#include "common/sweep/import/draft.h"

#include <algorithm>
#include <cctype>

#include "common/sweep/axis_yaml.h"
#include "common/sweep/import/flow_text.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/sweep_head.h"
#include "common/sweep/sweep_yaml.h"

namespace ranktide {
namespace {

constexpr size_t kCommentColumn = 40;

// Returns: what our reader says against a value, or against an axis; nullopt when it takes it.
std::optional<std::string> refused(const std::string& key, const std::string& text, bool is_axis) {
  const SourceText source = SourceText::without_lines(key, key + ": " + text);
  const ReadingPlace place{source, "/"};
  try {
    const YamlNode root = parse_yaml(source);
    const Setting& setting = *find_setting(key);
    is_axis ? static_cast<void>(read_axis(setting, root.entries.at(0).value, place))
            : static_cast<void>(read_value(setting, key, root.entries.at(0).value, place));
  } catch (const SpecError& error) {
    const std::string message = error.what();
    return message.starts_with(key + ": ") ? message.substr(key.size() + 2) : message;
  }
  return std::nullopt;
}

// The order of the reference table, so that a file reads like ours.
size_t order_of(const std::string& key) {
  const auto& table = settings();
  return static_cast<size_t>(std::find_if(table.begin(), table.end(), [&](auto& s) { return s.key == key; }) -
                             table.begin());
}

// Returns: the text as a comment takes it, on its line: what others wrote may hold breaks.
std::string on_one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return text;
}

std::string with_comment(const std::string& line, const std::string& comment) {
  if (comment.empty()) return line + "\n";
  const size_t gap = line.size() + 2 > kCommentColumn ? 2 : kCommentColumn - line.size();
  return line + std::string(gap, ' ') + "# " + on_one_line(comment) + "\n";
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out.append(out.empty() ? "" : ", ").append(text);
  return out;
}

}  // namespace

void ImportDraft::rename(const std::string& name) {
  name_.clear();
  for (const char c : name) {
    const bool may_stand = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
    if (!name_.empty() || std::isalnum(static_cast<unsigned char>(c)) != 0) name_ += may_stand ? c : '-';
  }
  name_.resize(std::min<size_t>(name_.size(), 64));
  if (name_.empty()) name_ = "imported";
}

void ImportDraft::set(const std::string& key, const std::string& value, const std::string& origin) {
  if (has(key)) return leave_out(origin, key + " is given already");
  if (const auto why = refused(key, value, false)) return leave_out(origin, *why);
  constants_[key] = {value, origin == key + ": " + value ? "" : origin};
}

void ImportDraft::vary(const std::string& key, const std::string& axis, const std::string& origin) {
  if (has(key)) return leave_out(origin, key + " is given already");
  // A range without a count is one of a search at random, which only the whole file can judge.
  if (const auto why = refused(key, axis, true)) return leave_out(origin, *why);
  axes_[key] = {axis, origin};
}

void ImportDraft::add_row(const std::vector<std::pair<std::string, std::string>>& values,
                          const std::string& origin) {
  for (const auto& [key, value] : values)
    if (const auto why = refused(key, value, false)) return leave_out(origin, *why);
  rows_.push_back({values, origin});
}

void ImportDraft::set_seeds(const std::string& value, const std::string& origin) {
  if (seeds_) return leave_out(origin, "seeds are given already");
  try {
    const SourceText source = SourceText::without_lines("seeds", "seeds: " + value);
    read_seeds(parse_yaml(source).entries.at(0).value, {source, "/"});
  } catch (const SpecError& error) {
    return leave_out(origin, error.what());
  }
  seeds_ = {value, origin};
}

void ImportDraft::draw(const std::optional<std::string>& cells, const std::string& origin) {
  const std::string text = "{random: " + cells.value_or("20") + "}";
  try {
    const SourceText source = SourceText::without_lines("search", "search: " + text);
    read_search(parse_yaml(source).entries.at(0).value, {source, "/"});
  } catch (const SpecError& error) {
    leave_out(origin, error.what());
    return draw(std::nullopt, origin);
  }
  is_search_to_fill_in_ = !cells;
  search_ = {text, origin};
}

void ImportDraft::leave_out(const std::string& origin, const std::string& why) {
  left_out_.push_back({origin, why});
}

void ImportDraft::pass_over(const std::string& origin) {
  passed_over_.push_back(origin);
}

bool ImportDraft::has(const std::string& key) const {
  if (key == "seeds") return seeds_.has_value();
  const auto gives_it = [&](const Row& row) {
    return std::any_of(row.values.begin(), row.values.end(), [&](auto& item) { return item.first == key; });
  };
  return constants_.contains(key) || axes_.contains(key) || std::any_of(rows_.begin(), rows_.end(), gives_it);
}

std::optional<std::string> ImportDraft::constant(const std::string& key) const {
  const auto it = constants_.find(key);
  return it == constants_.end() ? std::nullopt : std::optional(it->second.text);
}

bool ImportDraft::has_any(const std::string& section) const {
  return std::any_of(settings().begin(), settings().end(), [&](const Setting& setting) {
    return setting.key.starts_with(section + ".") && has(std::string(setting.key));
  });
}

void ImportDraft::drop(const std::string& key, const std::string& why) {
  for (auto* const lines : {&constants_, &axes_})
    if (const auto it = lines->find(key); it != lines->end()) {
      leave_out(it->second.origin, why);
      lines->erase(it);
    }
}

void ImportDraft::settle_method() {
  if (!has("method") && has_any("lora")) constants_["method"] = {"lora", "as there are settings of LoRA"};
}

void ImportDraft::settle_budget() {
  if (has("budget.steps")) drop("budget.epochs", "a trial has one budget, and steps go before epochs");
}

void ImportDraft::drop_idle_keys() {
  SettingValues values;
  for (const auto& [key, line] : constants_) {
    const SourceText source = SourceText::without_lines(key, key + ": " + line.text);
    values[key] = read_value(*find_setting(key), key, parse_yaml(source).entries.at(0).value, {source, "/"});
  }
  for (const Setting& setting : settings()) {
    const std::string controller(setting.effect.key);
    const bool is_open = !constants_.contains(controller) && has(controller);
    const bool is_unknown = controller == "method" && !has("method");
    if (controller.empty() || is_open || is_unknown || has_effect(setting, values)) continue;
    const auto given = constants_.find(controller);
    drop(std::string(setting.key),
         std::string(setting.key) + " has no effect with " + controller + ": " +
             (given == constants_.end() ? std::string(find_setting(controller)->default_text)
                                        : given->second.text));
  }
}

std::vector<std::pair<std::string, std::string>> ImportDraft::missing() const {
  std::vector<std::pair<std::string, std::string>> out;
  const auto need = [&](const std::string& key, const std::string& example, const std::string& what) {
    if (!has(key)) out.emplace_back(key + ": " + example, what);
  };
  need("method", "lora", "lora or full");
  need("model.path", "models/BASE", "folder of the base model, or hub:org/name");
  need("data.train", "data/train.jsonl", "file of rows or text");
  if (!has_any("budget")) out.emplace_back("budget.epochs: 1", "or budget.steps, budget.tokens");
  need("train.lr", "1e-4", "peak learning rate");
  const auto method = constants_.find("method");
  const bool may_be_lora = method == constants_.end() || method->second.text != "full";
  if (may_be_lora) need("lora.rank", "16", "of the adapters, where method is lora");
  if (is_search_to_fill_in_) out.emplace_back("search: " + search_->text, "how many cells are drawn");
  return out;
}

std::string ImportDraft::constants_text() const {
  std::vector<std::string> keys;
  for (const auto& [key, line] : constants_) keys.push_back(key);
  std::sort(keys.begin(), keys.end(), [](auto& a, auto& b) { return order_of(a) < order_of(b); });
  std::string out;
  for (const auto& key : keys)
    out += with_comment(key + ": " + constants_.at(key).text, constants_.at(key).origin);
  return out;
}

std::string ImportDraft::varying_text() const {
  std::string out;
  if (!axes_.empty()) out += "\naxes:\n";
  for (const auto& [key, line] : axes_) out += with_comment("  " + key + ": " + line.text, line.origin);
  if (!rows_.empty()) out += "\nrows:\n  paired:\n";
  for (size_t i = 0; i < rows_.size(); ++i) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : rows_[i].values) pairs.push_back(key + ": " + value);
    out += with_comment("    p" + std::to_string(i + 1) + ": {" + joined(pairs) + "}", rows_[i].origin);
  }
  if (seeds_) out += "\n" + with_comment("seeds: " + seeds_->text, seeds_->origin);
  if (search_ && !is_search_to_fill_in_)
    out += "\n" + with_comment("search: " + search_->text, search_->origin);
  return out;
}

std::string ImportDraft::left_out_text() const {
  std::string out = left_out_.empty() && passed_over_.empty() ? "" : "\n";
  for (const auto& line : left_out_)
    out += "# not taken: " + on_one_line(line.text + " - " + line.origin) + "\n";
  if (!passed_over_.empty()) out += "# nothing to write for: " + on_one_line(joined(passed_over_)) + "\n";
  return out;
}

std::string ImportDraft::head_text() const {
  return "version: 1\nname: " + name_ + "\n\n";
}

std::string ImportDraft::body(bool is_filled_in) const {
  std::string out = head_text();
  const auto lines = missing();
  if (!lines.empty()) out += "# Fill in, and take the # in front away:\n";
  for (const auto& [line, what] : lines) out += with_comment((is_filled_in ? "" : "#") + line, what);
  if (!lines.empty() && !constants_.empty()) out += "\n";
  return out + constants_text() + varying_text() + left_out_text();
}

Imported ImportDraft::written(const std::string& heading) {
  settle_method();
  settle_budget();
  drop_idle_keys();
  Imported out;
  for (const auto& [line, what] : missing()) {
    const std::string key = line.substr(0, line.find(':'));
    out.left.push_back(key + (key == "search" ? " (" + search_->origin + ")" : "") + ": " + what);
  }
  std::string note;
  try {
    parse_sweep(body(true), "imported", "/");
  } catch (const SpecError& error) {
    out.left.emplace_back(error.what());
    note = "# It does not read as it stands: " + on_one_line(out.left.back()) + "\n";
  }
  out.yaml = heading + note + body(false);
  return out;
}

}  // namespace ranktide
