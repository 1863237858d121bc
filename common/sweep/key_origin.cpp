#include "common/sweep/key_origin.h"

#include <algorithm>
#include <optional>

#include "common/sweep/overrides.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/spec_difference.h"
#include "common/sweep/suggest.h"

namespace ranktide {
namespace {

constexpr size_t kValuesShownMax = 8;

std::string joined_values(const std::vector<std::string>& values) {
  std::string out;
  for (size_t i = 0; i < std::min(values.size(), kValuesShownMax); ++i) out += (i == 0 ? "" : ", ") + values[i];
  return values.size() <= kValuesShownMax ? out : out + ", ... " + std::to_string(values.size()) + " values";
}

std::string kind_of_budget(const std::string& key) {
  constexpr std::string_view kBudget = "budget.";
  return key.starts_with(kBudget) ? key.substr(kBudget.size()) : "";
}

// Whether the block still has the label: it, or the command line, may have pinned the axis to others.
bool is_kept(const Block& block, const Axis& axis, const std::string& label) {
  for (const auto& own : block.axes)
    if (own.name == axis.name)
      return std::any_of(own.points.begin(), own.points.end(),
                         [&](auto& point) { return point.label == label; });
  return true;
}

// `[4, 16]`, or of rows and zips `regime: code 4096, math 1024`; empty: the axis says nothing of the key.
std::string axis_text(const Axis& axis, const std::string& key, const Block& block) {
  if (axis.name == key && axis.drawn)
    return "between " + short_number(axis.drawn->min) + " and " + short_number(axis.drawn->max);
  std::vector<std::string> values;
  for (const auto& point : axis.points) {
    const auto it = point.set.find(key);
    if (it == point.set.end() || (axis.name != key && !is_kept(block, axis, point.label))) continue;
    values.push_back((axis.name == key ? "" : point.label + " ") + value_text(it->second));
  }
  if (values.empty()) return "";
  const std::string list =
      axis.name == key ? "[" + joined_values(values) + "]" : axis.name + ": " + joined_values(values);
  return axis.when.empty() ? list : list + " when " + axis.when;
}

struct Said {
  std::string text;
  bool is_axis = false;  // of the key's own name
};

// Returns: what the level says of the key in the block; nullopt when it is silent.
std::optional<Said> said_by(const Level& level, const std::string& key, const Block& block) {
  if (const auto it = level.constants.find(key); it != level.constants.end())
    return Said{value_text(it->second)};
  if (const auto it = level.derive.find(key); it != level.derive.end()) return Said{"= " + it->second};
  for (const auto& axis : level.axes)
    if (auto text = axis_text(axis, key, block); !text.empty()) return Said{std::move(text), axis.name == key};
  return std::nullopt;
}

class Explanation {
 public:
  Explanation(std::string key, const SweepDraft& draft, const std::vector<std::string>& overrides,
              const SourceText& source)
      : key_(std::move(key)), draft_(draft), overrides_(overrides), source_(source) {}

  KeyOrigins of(const Block& block) const {
    KeyOrigins out{.block = block.name, .key = key_, .origins = {}, .idle = ""};
    const Setting& setting = *find_setting(key_);
    if (!may_have_effect(setting, block)) out.idle = effect_ruled_out_by(setting, block);
    add_command_line(block, out.origins);
    for (const auto& draft : draft_.blocks) {
      if (draft.name != block.name) continue;
      add(draft.level, draft.at.line == 0 ? "plain" : "block", block, out.origins);
      if (const BlockDraft* model = liked_by(draft, draft_))
        add(model->level, "like " + model->name, block, out.origins);
    }
    add(draft_.file.varying, "common", block, out.origins);
    add(draft_.file.plain, "plain", block, out.origins);
    out.origins.push_back({.level = "default", .says = std::string(setting.default_text), .where = ""});
    if (out.idle.empty()) mark_winner(out.origins);
    return out;
  }

 private:
  void add(const Level& level, const std::string& name, const Block& block, std::vector<KeyOrigin>& out) const {
    if (const auto said = said_by(level, key_, block)) {
      const auto at = level.set_at.find(key_);
      out.push_back({.level = name,
                     .says = said->text,
                     .where = at == level.set_at.end() ? "" : source_.where(at->second),
                     .is_axis = said->is_axis});
      return;
    }
    if (kind_of_budget(key_).empty()) return;
    for (const auto& [other, at] : level.set_at)
      if (!kind_of_budget(other).empty())
        out.push_back({.level = name, .says = other + " in its place", .where = source_.where(at)});
  }

  void add_command_line(const Block& block, std::vector<KeyOrigin>& out) const {
    for (auto text = overrides_.rbegin(); text != overrides_.rend(); ++text) {
      const auto change = change_of(*text);
      if (!change.block.empty() && change.block != block.name) continue;
      const bool is_other_budget = !kind_of_budget(key_).empty() && !kind_of_budget(change.key).empty();
      if (change.key != key_ && !is_other_budget) continue;
      const std::string says = change.drops         ? "no axis"
                               : change.key == key_ ? change.value
                                                    : change.key + " in its place";
      out.push_back({.level = "command line", .says = says, .where = *text});
    }
  }

  // What only takes something away sets nothing itself: below a dropped axis the constant counts.
  static void mark_winner(std::vector<KeyOrigin>& origins) {
    bool axes_are_dropped = false;
    for (auto& origin : origins) {
      if (origin.says == "no axis") {
        axes_are_dropped = true;
      } else if (!(axes_are_dropped && origin.is_axis)) {
        origin.wins = true;
        return;
      }
    }
  }

  const std::string key_;
  const SweepDraft& draft_;
  const std::vector<std::string>& overrides_;
  const SourceText& source_;
};

}  // namespace

std::vector<KeyOrigins> origins_of(const std::string& key, const SweepDraft& draft, const SweepSpec& spec,
                                   const std::vector<std::string>& overrides, const SourceText& source) {
  const auto full = full_key(key);
  if (!full) throw SpecError("unknown key \"" + key + "\"" + key_remedy(key));
  if (*full == "seed" || full->starts_with("run."))
    throw SpecError(*full + " is the whole sweep's and is set in one place: " +
                    (*full == "seed" ? "seeds" : "at the file's top or on the command line"));
  const Explanation explanation(*full, draft, overrides, source);
  std::vector<KeyOrigins> out;
  for (const auto& block : spec.blocks) out.push_back(explanation.of(block));
  return out;
}

}  // namespace ranktide
