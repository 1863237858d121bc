#include "common/sweep/cell_factors.h"

#include <algorithm>

#include "common/sweep/identity.h"
#include "common/sweep/resolve.h"

namespace ranktide {
namespace {

constexpr int64_t kAnswersMax = 1 << 21;  // of one factor; more are worked out each time they are asked for

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

int64_t cells_of(const Block& block) {
  int64_t out = 1;
  for (const Axis& axis : block.axes) out *= static_cast<int64_t>(axis.points.size());
  return out;
}

}  // namespace

// An axis may have a `when` and reach no identity: where it is false there is no cell all the same.
CellFactors::CellFactors(const Block& block, const Inputs& inputs) : block_(block), inputs_(inputs) {
  const AxisReach reach(block);
  add_settings(reach);
  for (size_t axis = 0; axis < block.axes.size(); ++axis)
    if (!block.axes[axis].when.empty()) factors_.push_back(factor(reach.of_axis(axis), {}, {}));
  for (const Rule& rule : block.exclude) rules_.push_back(factor(reach.of_rule(rule.text), {}, {rule}));
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
  for (auto& [axes, group] : by_axes) factors_.push_back(factor(group.first, std::move(group.second), {}));
}

CellFactors::Factor CellFactors::factor(const Reach& reach, std::vector<const Setting*> settings,
                                        std::vector<Rule> exclude) const {
  Block own = narrowed(block_, reach);
  own.exclude = std::move(exclude);
  Factor out{
      .strides = {}, .cells = BlockCells(std::move(own)), .settings = std::move(settings), .answers = {}};
  int64_t stride = 1;
  for (size_t axis = block_.axes.size(); axis-- > 0;) {
    if ((reach.axes >> axis & 1) == 0) continue;
    if (block_.axes[axis].points.size() > 1) out.strides.emplace_back(axis, stride);
    stride *= static_cast<int64_t>(block_.axes[axis].points.size());
  }
  if (stride <= kAnswersMax && stride < cells_of(block_)) out.answers.resize(static_cast<size_t>(stride));
  return out;
}

// What an error is about, and whether it counts, only the whole cell shows: there a rule may drop it first.
CellFactors::Answer CellFactors::ask(const Factor& factor, int64_t cell) const {
  Answer out{.kind = CellLook::Kind::unsure, .is_known = true, .print = {}};
  try {
    const auto found = factor.cells.at(cell);
    if (!found) return {.kind = CellLook::Kind::none, .is_known = true, .print = {}};
    if (factor.cells.excluded_by(*found))
      return {.kind = CellLook::Kind::excluded, .is_known = true, .print = {}};
    SettingValues values;
    for (const Setting* setting : factor.settings)
      if (auto value = effective_value(*setting, found->set))
        values[std::string(setting->key)] = *std::move(value);
    if (is_of_budget(factor.settings)) check_budget(found->set);
    out.print = print_of(identity_of(values, inputs_).settings);
    out.kind = CellLook::Kind::cell;
  } catch (const ExpressionError&) {
    return out;
  } catch (const SpecError&) {
    return out;
  }
  return out;
}

CellFactors::Answer CellFactors::answer(Factor& factor, const std::vector<uint32_t>& stands) const {
  int64_t cell = 0;
  for (const auto& [axis, stride] : factor.strides) cell += stands[axis] * stride;
  if (factor.answers.empty()) return ask(factor, cell);
  Answer& known = factor.answers[static_cast<size_t>(cell)];
  if (!known.is_known) known = ask(factor, cell);
  return known;
}

CellLook CellFactors::at(const std::vector<uint32_t>& stands) {
  CellLook out{.kind = CellLook::Kind::cell, .rule = 0, .print = {}};
  for (Factor& factor : factors_) {
    const Answer part = answer(factor, stands);
    if (part.kind == CellLook::Kind::unsure) return {};
    if (part.kind == CellLook::Kind::none) out.kind = CellLook::Kind::none;
    out.print += part.print;
  }
  if (out.kind == CellLook::Kind::none) return out;
  for (size_t rule = 0; rule < rules_.size(); ++rule) {
    const Answer part = answer(rules_[rule], stands);
    if (part.kind == CellLook::Kind::cell) continue;
    return {.kind = part.kind, .rule = rule, .print = {}};
  }
  return out;
}

}  // namespace ranktide
