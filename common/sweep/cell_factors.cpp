#include "common/sweep/cell_factors.h"

#include <algorithm>

#include "common/sweep/identity.h"
#include "common/sweep/resolve.h"
#include "common/sweep/setting_check.h"
#include "common/sweep/warm_start.h"

namespace ranktide {
namespace {

// Of all tables of a block, 48 bytes each; more answers are worked out each time they are asked for. A spec may
// have as many rules as its text has room for.
constexpr int64_t kAnswersMax = 1 << 21;

bool is_of_inputs(const Setting& setting) {
  return setting.key.starts_with("model.") || setting.key.starts_with("data.");
}

bool is_of_identity(const Setting& setting) {
  return setting.part == SettingPart::training && setting.key != "seed";
}

// Settings that stand in an identity by themselves hang on what they are made from. What stands for paths is
// made from all of a model's and the data's; that a budget is given once shows in all of its keys.
std::string_view section_of(const Setting& setting) {
  if (is_of_inputs(setting)) return "inputs";
  return setting.key.starts_with("budget.") ? "budget" : setting.key;
}

bool is_of_budget(const std::vector<const Setting*>& settings) {
  return std::any_of(settings.begin(), settings.end(),
                     [](const Setting* s) { return s->key.starts_with("budget."); });
}

}  // namespace

// An axis may have a `when` and reach no identity: where it is false there is no cell all the same.
CellFactors::CellFactors(const Block& block, const Inputs& inputs, const CellTeller& teller)
    : block_(block), inputs_(inputs), teller_(teller), room_(kAnswersMax) {
  const AxisReach reach(block);
  for (size_t axis = 0; axis < block.axes.size(); ++axis)
    if (!block.axes[axis].when.empty()) factors_.push_back(factor(reach.of_axis(axis), {}, {}));
  add_settings(reach);
  add_evals(reach);
  if (names_source(block)) add_source(reach);
  for (const Rule& rule : block.exclude) rules_.push_back(rule_factor(reach, rule));
}

// Settings that hang on the same axes share a factor.
void CellFactors::add_settings(const AxisReach& reach) {
  std::map<std::string_view, Reach> sections;
  for (const Setting& setting : settings())
    if (is_of_identity(setting)) sections[section_of(setting)].add(reach.of_setting(std::string(setting.key)));
  std::map<AxisSet, std::pair<Reach, std::vector<const Setting*>>> by_axes;
  for (const Setting& setting : settings()) {
    if (!is_of_identity(setting)) continue;
    auto& [sum, members] = by_axes[sections.at(section_of(setting)).axes];
    sum.add(sections.at(section_of(setting)));
    members.push_back(&setting);
  }
  for (auto& [axes, group] : by_axes)
    factors_.push_back(settings_factor(reach, group.first, std::move(group.second)));
}

void CellFactors::add_evals(const AxisReach& reach) {
  Reach own;
  std::vector<const Setting*> told;
  for (const Setting& setting : settings()) {
    const std::string key(setting.key);
    if (!key.starts_with("eval.") || !teller_.find(key)) continue;
    own.add(reach.of_setting(key));
    told.push_back(&setting);
  }
  if (told.empty()) return;
  factors_.push_back(factor(own, std::move(told), {}));
  factors_.back().asked = Asked::evals;
}

// A trial may start from another only if their models agree, and their adapters do.
void CellFactors::add_source(const AxisReach& reach) {
  Reach own;
  std::vector<const Setting*> asked;
  for (const Setting& setting : settings()) {
    const bool shapes =
        setting.key == "method" || setting.key.starts_with("model.") || setting.key.starts_with("lora.");
    if (!shapes || !is_of_identity(setting)) continue;
    own.add(reach.of_setting(std::string(setting.key)));
    asked.push_back(&setting);
  }
  factors_.push_back(factor(own, std::move(asked), {}));
  factors_.back().asked = Asked::source;
}

CellFactors::Factor CellFactors::factor(const Reach& reach, std::vector<const Setting*> settings,
                                        std::vector<Rule> exclude) {
  Block own = narrowed(block_, reach);
  own.exclude = std::move(exclude);
  Factor out{.strides = {},
             .cells = BlockCells(std::move(own)),
             .settings = std::move(settings),
             .asked = Asked::identity,
             .answers = {}};
  int64_t stride = 1;
  for (size_t axis = block_.axes.size(); axis-- > 0;) {
    if ((reach.axes >> axis & 1) == 0) continue;
    if (block_.axes[axis].points.size() > 1) out.strides.emplace_back(axis, stride);
    stride *= static_cast<int64_t>(block_.axes[axis].points.size());
  }
  if (stride > room_ || stride >= crossed_cells(block_)) return out;
  out.answers.resize(static_cast<size_t>(stride));
  room_ -= stride;
  return out;
}

CellFactors::Factor CellFactors::rule_factor(const AxisReach& reach, const Rule& rule) {
  Factor out = factor(reach.of_rule(rule.text), {}, {rule});
  if (!out.answers.empty()) return out;
  RuleWords words(block_, reach, rule.text, RuleWords::Use::excludes, room_);
  if (!words.is_worth_it()) return out;
  room_ -= words.meanings();
  out.by_words.push_back({.words = std::move(words)});
  return out;
}

// Returns: those that a derivation gives in every cell, of settings of which the others are never set and have
// no default; none where any of them is anything else: then the cell decides more than their values. One budget
// that is derived is the one budget that there has to be, where nothing sets another.
std::vector<const Setting*> CellFactors::derived_alone(const AxisReach& reach,
                                                       const std::vector<const Setting*>& settings) const {
  std::vector<const Setting*> out;
  for (const Setting* setting : settings) {
    const std::string key(setting->key);
    if (!setting->effect.key.empty()) return {};
    if (block_.derive.contains(key))
      out.push_back(setting);
    else if (!is_of_budget({setting}) || block_.constants.contains(key) || reach.of_setting(key).axes != 0)
      return {};
  }
  const auto budgets =
      std::count_if(out.begin(), out.end(), [](const Setting* s) { return is_of_budget({s}); });
  return is_of_budget(settings) && budgets != 1 ? std::vector<const Setting*>{} : out;
}

CellFactors::Factor CellFactors::settings_factor(const AxisReach& reach, const Reach& own,
                                                 std::vector<const Setting*> settings) {
  Factor out = factor(own, std::move(settings), {});
  if (!out.answers.empty()) return out;
  std::vector<WorkedOut> all;
  int64_t room = room_;
  for (const Setting* setting : derived_alone(reach, out.settings)) {
    const std::string key(setting->key);
    RuleWords words(block_, reach, block_.derive.at(key), RuleWords::Use::derives, room);
    if (!words.is_worth_it()) return out;
    room -= words.meanings();
    all.push_back({.words = std::move(words), .setting = setting, .key = key, .told_as = teller_.find(key)});
  }
  if (all.empty()) return out;
  out.by_words = std::move(all);
  room_ = room;
  return out;
}

// What an error is about, and whether it counts, only the whole cell shows: there a rule may drop it first.
CellFactors::Answer CellFactors::ask(const Factor& factor, int64_t cell) const {
  Answer out{.kind = CellLook::Kind::unsure, .is_known = true};
  try {
    const auto found = factor.cells.at(cell);
    if (!found) return {.kind = CellLook::Kind::none, .is_known = true};
    if (factor.cells.excluded_by(*found)) return {.kind = CellLook::Kind::excluded, .is_known = true};
    add_settings_of(factor, *found, out);
    out.kind = CellLook::Kind::cell;
  } catch (const ExpressionError&) {
    return out;
  } catch (const SpecError&) {
    return out;
  }
  return out;
}

// Throws: SpecError where they do not resolve.
void CellFactors::add_settings_of(const Factor& factor, const CellSettings& found, Answer& out) const {
  if (factor.asked == Asked::evals) return teller_.add(evals_in(found.set), out.told);
  SettingValues values;
  for (const Setting* setting : factor.settings)
    if (auto value = effective_value(*setting, found.set))
      values[std::string(setting->key)] = *std::move(value);
  if (factor.asked == Asked::source) {
    start_of(trial_settings(values), inputs_);
    return;
  }
  if (is_of_budget(factor.settings)) check_budget(found.set);
  out.print = print_of(identity_of(values, inputs_).settings);
  teller_.add(values, out.told);
}

// Returns: whether it is known. What always has an effect stands in an identity as it is derived.
bool CellFactors::add_derived(WorkedOut& derived, const std::vector<uint32_t>& stands, Answer& out) {
  const auto value = derived.words.value_at(stands);
  if (!value) return false;
  try {
    const Json fitting = derived_value(*derived.setting, *value);
    const CellPrint print = print_of(derived.key, identity_value(derived.key, fitting));
    out.print += print;
    if (derived.told_as) CellTeller::add(*derived.told_as, fitting, print, out.told);
    return true;
  } catch (const SpecError&) {
    return false;
  }
}

CellFactors::Answer CellFactors::ask_words(Factor& factor, const std::vector<uint32_t>& stands) const {
  Answer out{.kind = CellLook::Kind::cell};
  for (WorkedOut& each : factor.by_words) {
    if (each.setting) {
      if (!add_derived(each, stands, out)) return {.kind = CellLook::Kind::unsure};
      continue;
    }
    const auto holds = each.words.value_at(stands);
    if (!holds || !holds->is_boolean()) return {.kind = CellLook::Kind::unsure};
    if (holds->get<bool>()) return {.kind = CellLook::Kind::excluded};
  }
  return out;
}

CellFactors::Answer CellFactors::answer(Factor& factor, const std::vector<uint32_t>& stands) const {
  if (!factor.by_words.empty()) return ask_words(factor, stands);
  int64_t cell = 0;
  for (const auto& [axis, stride] : factor.strides) cell += stands[axis] * stride;
  if (factor.answers.empty()) return ask(factor, cell);
  Answer& known = factor.answers[static_cast<size_t>(cell)];
  if (!known.is_known) known = ask(factor, cell);
  return known;
}

CellLook CellFactors::at(const std::vector<uint32_t>& stands) {
  CellLook out{.kind = CellLook::Kind::cell};
  for (Factor& factor : factors_) {
    const Answer part = answer(factor, stands);
    if (part.kind == CellLook::Kind::unsure) return {};
    if (part.kind == CellLook::Kind::none) return {.kind = CellLook::Kind::none};
    out.print += part.print;
    for (size_t i = 0; i < part.told.size(); ++i) out.told[i] += part.told[i];
  }
  for (size_t rule = 0; rule < rules_.size(); ++rule) {
    const Answer part = answer(rules_[rule], stands);
    if (part.kind == CellLook::Kind::cell) continue;
    return {.kind = part.kind, .rule = rule};
  }
  return out;
}

}  // namespace ranktide
