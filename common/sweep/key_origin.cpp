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

const Axis* axis_in(const Block& block, const std::string& name) {
  for (const auto& own : block.axes)
    if (own.name == name) return &own;
  return nullptr;
}

struct Said {
  std::string text;
  bool is_gone = false;   // the block has that axis no more
  std::string elsewhere;  // where the levels below count all the same; empty: nowhere
};

Said said_by_own_axis(const Axis& axis, const Block& block) {
  Said out{.text = "",
           .is_gone = !axis_in(block, axis.name),
           .elsewhere = axis.when.empty() ? "" : "where that is false"};
  std::vector<std::string> values;
  for (const auto& point : axis.points) values.push_back(value_text(point.set.at(axis.name)));
  out.text = axis.drawn ? "between " + short_number(axis.drawn->min) + " and " + short_number(axis.drawn->max)
                        : "[" + joined_values(values) + "]";
  if (!axis.when.empty()) out.text += " when " + axis.when;
  return out;
}

// `regime: code 4096, math 1024`, of the labels that the block, or the command line, has not pinned away.
// Returns: nullopt where no label sets the key.
std::optional<Said> said_by_labels(const Axis& axis, const std::string& key, const Block& block) {
  const Axis* own = axis_in(block, axis.name);
  const auto is_kept = [&](const std::string& label) {
    return !own || std::any_of(own->points.begin(), own->points.end(),
                               [&](const AxisPoint& point) { return point.label == label; });
  };
  std::vector<std::string> values;
  bool all_set_it = true;
  for (const auto& point : axis.points) {
    if (!is_kept(point.label)) continue;
    const auto it = point.set.find(key);
    if (it == point.set.end())
      all_set_it = false;
    else
      values.push_back(point.label + " " + value_text(it->second));
  }
  if (values.empty()) return std::nullopt;
  return Said{.text = axis.name + ": " + joined_values(values),
              .is_gone = !own,
              .elsewhere = all_set_it ? "" : "in the other labels"};
}

// Returns: what the level says of the key in the block; nullopt when it is silent.
std::optional<Said> said_by(const Level& level, const std::string& key, const Block& block) {
  if (const auto it = level.constants.find(key); it != level.constants.end())
    return Said{.text = value_text(it->second), .elsewhere = ""};
  if (const auto it = level.derive.find(key); it != level.derive.end())
    return Said{.text = "= " + it->second, .elsewhere = ""};
  for (const auto& axis : level.axes) {
    if (axis.name == key) return said_by_own_axis(axis, block);
    if (auto said = said_by_labels(axis, key, block)) return said;
  }
  return std::nullopt;
}

bool has_labels_that_set(const Level& level, const std::string& axis_name, const std::string& key) {
  return std::any_of(level.axes.begin(), level.axes.end(), [&](const Axis& axis) {
    return axis.name == axis_name && axis_name != key &&
           std::any_of(axis.points.begin(), axis.points.end(),
                       [&](const AxisPoint& point) { return point.set.contains(key); });
  });
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
                     .is_gone = said->is_gone,
                     .elsewhere = said->elsewhere});
      return;
    }
    if (kind_of_budget(key_).empty()) return;
    for (const auto& [other, at] : level.set_at) {
      const auto said = kind_of_budget(other).empty() ? std::nullopt : said_by(level, other, block);
      if (said)
        out.push_back({.level = name,
                       .says = other + " in its place",
                       .where = source_.where(at),
                       .is_gone = said->is_gone,
                       .elsewhere = said->elsewhere});
    }
  }

  void add_command_line(const Block& block, std::vector<KeyOrigin>& out) const {
    bool is_dropped = false;
    for (auto text = overrides_.rbegin(); text != overrides_.rend(); ++text) {
      const auto change = change_of(*text);
      if (!change.block.empty() && change.block != block.name) continue;
      const bool is_other_budget =
          !change.drops && !kind_of_budget(key_).empty() && !kind_of_budget(change.key).empty();
      if (change.drops && is_set_by_labels_of(change.key, block))
        out.push_back(
            {.level = "command line", .says = "no axis " + change.key, .where = *text, .drops = true});
      if (change.key != key_ && !is_other_budget) continue;
      const std::string says = change.drops         ? "no axis"
                               : change.key == key_ ? change.value
                                                    : change.key + " in its place";
      out.push_back({.level = "command line",
                     .says = says,
                     .where = *text,
                     .drops = change.drops,
                     .is_gone = is_dropped});  // before it was dropped it was an axis
      is_dropped = is_dropped || change.drops;
    }
  }

  bool is_set_by_labels_of(const std::string& axis, const Block& block) const {
    return std::any_of(draft_.blocks.begin(), draft_.blocks.end(), [&](const BlockDraft& draft) {
      const auto levels = levels_of(draft, draft_);
      return draft.name == block.name && std::any_of(levels.begin(), levels.end(), [&](const Level* level) {
               return has_labels_that_set(*level, axis, key_);
             });
    });
  }

  // What only takes something away sets nothing itself: below a dropped axis the constant counts. So does what
  // stands below labels, or a condition, that leave the key alone elsewhere.
  static void mark_winner(std::vector<KeyOrigin>& origins) {
    std::string elsewhere;
    for (auto& origin : origins) {
      if (origin.drops || origin.is_gone) continue;
      origin.wins = true;
      if (!elsewhere.empty()) origin.says += " " + elsewhere;
      if (origin.elsewhere.empty()) return;
      elsewhere = origin.elsewhere;
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
  for (const Block& block : spec.blocks)
    for (const Axis& axis : block.axes)
      if (!full && axis.name == key)
        throw SpecError(key + " is an axis of labels, each of which sets keys; ask for one of those");
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
