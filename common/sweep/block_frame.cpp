#include "common/sweep/block_frame.h"

#include <algorithm>
#include <set>

#include "common/sweep/axis_reach.h"
#include "common/sweep/identity.h"
#include "common/sweep/resolve.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

bool names_trial(const Setting& setting) {
  return setting.part == SettingPart::training && setting.key != "seed";
}

// Settings of which none is common unless all are: a path's content hangs on the whole of model and data, of a
// budget one key is set, and LoRA's are read as one.
std::string_view group_of(const Setting& setting) {
  for (const std::string_view prefix : {"budget.", "lora."})
    if (setting.key.starts_with(prefix)) return prefix;
  return setting.key.starts_with("model.") || setting.key.starts_with("data.") ? "inputs" : setting.key;
}

// Returns: what everything of a group hangs on.
std::map<std::string_view, Reach> groups_of(const AxisReach& reach) {
  std::map<std::string_view, Reach> out;
  for (const Setting& setting : settings())
    if (names_trial(setting)) out[group_of(setting)].add(reach.of_setting(std::string(setting.key)));
  return out;
}

std::string text_of_setting(const std::string& key, const Json& value) {
  return "\"" + key + "\":" + canonical_json(value);
}

std::map<std::string, std::string> text_of_identity(const Json& identity) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : identity.items()) out.emplace(key, text_of_setting(key, value));
  return out;
}

// Requires: the values name no content.
std::map<std::string, std::string> text_of_values(const SettingValues& values) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : values) out.emplace(key, text_of_setting(key, identity_value(key, value)));
  return out;
}

// Returns: what stands in identities for these settings of a cell; nullopt where there is no cell, or none that
// resolves.
std::optional<Json> named_in(const BlockCells& cells, int64_t cell, const std::vector<const Setting*>& settings,
                             const Inputs& inputs) {
  try {
    const auto found = cells.at(cell);
    if (!found) return std::nullopt;
    SettingValues values;
    for (const Setting* setting : settings)
      if (auto value = effective_value(*setting, found->set)) values.emplace(setting->key, *std::move(value));
    return identity_of(values, inputs).settings;
  } catch (const ExpressionError&) {
    return std::nullopt;
  } catch (const SpecError&) {
    return std::nullopt;
  }
}

constexpr int64_t kTriedMax = 4096;  // combinations; an axis that takes more to be judged may have equals

// Whether each point sets the one setting to a value of its own, which shows in every cell: no cell has to be
// tried. Paths and modules may be written in several ways, and are.
bool sets_its_own(const Block& block, size_t axis, const Reach& reach,
                  const std::vector<const Setting*>& settings) {
  const Axis& given = block.axes[axis];
  if (settings.size() != 1 || reach.axes != AxisSet{1} << axis || !given.when.empty()) return false;
  const Setting& setting = *settings.front();
  const std::string key(setting.key);
  const bool is_plain = setting.effect.key.empty() && key != "lora.target" && group_of(setting) != "inputs";
  if (!is_plain || block.derive.contains(key)) return false;
  std::set<Json> seen;
  return std::all_of(given.points.begin(), given.points.end(), [&](const AxisPoint& point) {
    const auto value = point.set.find(key);
    return value != point.set.end() && seen.insert(value->second).second;
  });
}

// Whether cells that differ on this axis, and on no other that these settings hang on, differ in them.
bool tell_apart(const Block& block, size_t axis, const Reach& reach,
                const std::vector<const Setting*>& settings, const Inputs& inputs) {
  if (sets_its_own(block, axis, reach, settings)) return true;
  const BlockCells cells(narrowed(block, reach));
  if (cells.count() > kTriedMax) return false;
  int64_t stride = 1;
  for (size_t later = axis + 1; later < block.axes.size(); ++later)
    if (reach.axes >> later & 1) stride *= static_cast<int64_t>(block.axes[later].points.size());
  const auto points = static_cast<int64_t>(block.axes[axis].points.size());
  std::set<std::pair<int64_t, Json>> seen;  // where the others stand, and what it gives
  for (int64_t cell = 0; cell < cells.count(); ++cell) {
    const int64_t others = cell / (stride * points) * stride + cell % stride;
    if (const auto named = named_in(cells, cell, settings, inputs))
      if (!seen.emplace(others, *named).second) return false;
  }
  return true;
}

// Whether every two crossed cells differ: they do on the first axis, in an order where each shows in settings
// that hang on it and on earlier ones alone, on which the two stand on different points.
bool all_differ(const Block& block, const AxisReach& reach, const Inputs& inputs) {
  std::map<std::string_view, std::pair<Reach, std::vector<const Setting*>>> shown;
  for (const Setting& setting : settings()) {
    if (!names_trial(setting)) continue;
    auto& [own, members] = shown[group_of(setting) == "inputs" ? "inputs" : setting.key];
    own.add(reach.of_setting(std::string(setting.key)));
    members.push_back(&setting);
  }
  AxisSet judged = 0;
  for (size_t axis = 0; axis < block.axes.size(); ++axis)
    if (block.axes[axis].points.size() == 1) judged |= AxisSet{1} << axis;
  for (bool grows = true; grows;) {
    grows = false;
    for (size_t axis = 0; axis < block.axes.size(); ++axis) {
      const AxisSet own = AxisSet{1} << axis;
      if (judged & own) continue;
      const bool shows = std::any_of(shown.begin(), shown.end(), [&](const auto& item) {
        const auto& [reached, members] = item.second;
        return (reached.axes & own) && (reached.axes & ~own & ~judged) == 0 &&
               tell_apart(block, axis, reached, members, inputs);
      });
      if (shows) judged |= own, grows = true;
    }
  }
  return judged == (block.axes.empty() ? 0 : ~AxisSet{0} >> (32 - block.axes.size()));
}

}  // namespace

BlockFrame::BlockFrame(const Block& block, const Inputs& inputs) {
  const AxisReach reach(block);
  const auto groups = groups_of(reach);
  Reach common;
  Reach varying;
  for (const Setting& setting : settings()) {
    if (setting.key.starts_with("eval.")) {
      const Reach own = reach.of_setting(std::string(setting.key));
      evals_vary_ = evals_vary_ || (setting.key != "eval.at" && own.axes != 0);
      (own.axes == 0 ? common : varying).add(own);
      if (setting.key == "eval.at") varying.add(own);
    }
    if (!names_trial(setting)) continue;
    const Reach& own = groups.at(group_of(setting));
    (own.axes == 0 ? common : varying).add(reach.of_setting(std::string(setting.key)));
    if (own.axes != 0) settings_.push_back(&setting);
  }
  if (evals_vary_) varying.keys.insert({"eval.learn", "eval.retain"});
  inputs_vary_ = groups.at("inputs").axes != 0;
  budget_varies_ = groups.at("budget.").axes != 0;
  for (const Rule& rule : block.exclude) varying.add(reach.of_rule(rule.text));
  for (size_t axis = 0; axis < block.axes.size(); ++axis) varying.add(reach.of_axis(axis));
  Block slim = narrowed(block, varying);
  if (const Setting& moments = *find_setting("eval.at"); reach.of_setting("eval.at").axes == 0)
    slim.constants.try_emplace("eval.at", *default_value(moments, {}));
  slim.exclude = block.exclude;
  varying_.emplace(std::move(slim));
  add_common(narrowed(block, common), inputs);
  has_no_equals_ = all_differ(block, reach, inputs);
}

// Requires: the block has no axes; what is left of it is the same in every cell.
void BlockFrame::add_common(const Block& block, const Inputs& inputs) {
  RT_CHECK(block.axes.empty());
  const CellSettings cell = *BlockCells(block).at(0);
  if (!budget_varies_) check_budget(cell.set);
  for (const Setting& setting : settings()) {
    const bool varies = std::find(settings_.begin(), settings_.end(), &setting) != settings_.end();
    if (!names_trial(setting) || varies) continue;
    if (auto value = effective_value(setting, cell.set)) common_.emplace(setting.key, *std::move(value));
  }
  const TrialIdentity identity = identity_of(common_, inputs);
  common_text_ = text_of_identity(identity.settings);
  pattern_.provisional = identity.provisional;
  pattern_.settings = trial_settings(common_);
  pattern_.blocks = {block.name};
  if (!evals_vary_) pattern_.evals = evals_of(cell.set, inputs);
  if (inputs_vary_) return;
  regime_ = regime_label(pattern_.settings.data);
  const TrialInputs read = inputs_of(pattern_.settings, inputs);
  if (read.data) data_ = *read.data;
  add_inputs(read, pattern_);
}

void BlockFrame::add_inputs(const TrialInputs& inputs, SweepTrial& trial) const {
  if (inputs.model) trial.base = inputs.model->base, trial.tokenizer_sha256 = inputs.model->tokenizer_sha256;
  if (inputs.data) trial.data_sha256 = inputs.data->sha256;
}

FramedCell BlockFrame::at(int64_t cell) const {
  FramedCell out;
  try {
    auto found = varying_->at(cell);
    if (!found || varying_->excluded_by(*found)) return out;
    if (budget_varies_) check_budget(found->set);
    for (const Setting* setting : settings_)
      if (auto value = effective_value(*setting, found->set))
        out.values.emplace(setting->key, *std::move(value));
    out.cell = *std::move(found);
    out.exists = true;
  } catch (const ExpressionError&) {
    out.is_unsure = true;
  } catch (const SpecError&) {
    out.is_unsure = true;
  }
  return out;
}

SettingValues BlockFrame::whole(const FramedCell& cell) const {
  SettingValues out = common_;
  out.insert(cell.values.begin(), cell.values.end());
  return out;
}

// Both are in the order of keys.
IdentityText BlockFrame::identity_text(const std::map<std::string, std::string>& varying) const {
  IdentityText out;
  const auto add = [&](const std::string& key, const std::string& text) {
    std::string& part = key < "seed" ? out.before : out.after;
    if (!part.empty()) part += ',';
    part += text;
  };
  auto common = common_text_.begin();
  for (const auto& [key, text] : varying) {
    for (; common != common_text_.end() && common->first < key; ++common) add(common->first, common->second);
    add(key, text);
  }
  for (; common != common_text_.end(); ++common) add(common->first, common->second);
  return out;
}

std::optional<SweepTrial> BlockFrame::trial(const FramedCell& cell, uint64_t seed, const Inputs& inputs) const {
  SweepTrial out = pattern_;
  out.settings = with_values(std::move(out.settings), cell.values);
  out.settings.seed = seed;
  const TrialInputs read = inputs_vary_ ? inputs_of(out.settings, inputs) : TrialInputs{};
  const DataInput* data = inputs_vary_ ? read.data : data_ ? &*data_ : nullptr;
  out.steps = steps_of(out.settings, data);
  if (out.steps == 0 && data) return std::nullopt;
  if (inputs_vary_) add_inputs(read, out);

  IdentityText text;
  if (inputs_vary_) {
    const TrialIdentity identity = identity_of(cell.values, inputs);
    text = identity_text(text_of_identity(identity.settings));
    out.provisional = out.provisional || identity.provisional;
  } else {
    text = identity_text(text_of_values(cell.values));
  }
  out.id = trial_id(text, seed);
  out.cell = cell_id(text);
  out.stage = stage_id(text, seed, 0, out.steps);

  out.labels = cell.cell.labels;
  out.labels.try_emplace("regime", inputs_vary_ ? regime_label(out.settings.data) : regime_);
  if (out.settings.lora) {
    const auto varying = cell.values.find("lora.target");
    const Json& target = varying != cell.values.end() ? varying->second : common_.at("lora.target");
    out.labels["lora.target"] = target.get<std::string>();
  }
  if (evals_vary_) out.evals = evals_of(cell.cell.set, inputs);
  if (out.steps > 0) out.eval_at = eval_steps(cell.cell.set, out.settings, data, out.steps);
  return out;
}

bool differ(const BlockFrame& a, const BlockFrame& b) {
  const auto varies = [](const BlockFrame& frame, const Setting& setting) {
    return std::find(frame.settings_.begin(), frame.settings_.end(), &setting) != frame.settings_.end();
  };
  return std::any_of(settings().begin(), settings().end(), [&](const Setting& setting) {
    if (!names_trial(setting) || varies(a, setting) || varies(b, setting)) return false;
    const auto in_a = a.common_text_.find(std::string(setting.key));
    const auto in_b = b.common_text_.find(std::string(setting.key));
    const bool there_in_a = in_a != a.common_text_.end();
    if (there_in_a != (in_b != b.common_text_.end())) return true;
    return there_in_a && in_a->second != in_b->second;
  });
}

}  // namespace ranktide
