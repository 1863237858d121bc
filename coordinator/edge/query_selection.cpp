#include "coordinator/edge/query_selection.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "common/sweep/axis_step.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/spec_difference.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/readable.h"
#include "coordinator/edge/query.h"

namespace ranktide {

namespace {

constexpr size_t kEdgesNamedMax = 12;

// One value of the selected axes in one row.
struct Candidate {
  const Group* group = nullptr;
  std::vector<Value> values;  // beside the selections
};
// Which columns of a group are selected.
struct Layout {
  const std::vector<ResultAxis>& by;
  std::vector<bool> is_selected;          // beside by
  std::vector<AxisSelection> selections;  // in the order of their columns
};
// What agrees in all other axes.
struct SelectionRow {
  std::vector<Value> rest;
  std::vector<Candidate> candidates;  // in reading order
};

// "lr 0.001 batch 8"
std::string selected_text(const std::vector<AxisSelection>& selections, const std::vector<Value>& values) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < values.size(); ++i)
    parts.push_back(selections[i].axis.name + " " + value_text(values[i]));
  return fmt::format("{}", fmt::join(parts, " "));
}

std::string names_text(const std::vector<AxisSelection>& selections) {
  std::vector<std::string> names;
  for (const auto& s : selections) names.push_back(s.axis.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

// Returns: the evals that the metric is made of.
std::set<std::string> evals_of(const Metric& metric, const std::vector<EvalsetRow>& evalsets) {
  if (metric.kind == Metric::Kind::cost) return {};
  if (metric.kind == Metric::Kind::eval) return {metric.name};
  const bool of_learning = metric.name == "learning" || metric.name == "gain";
  std::set<std::string> out;
  for (const auto& evalset : evalsets)
    for (const auto& task : evalset.tasks)
      if (task.role == (of_learning ? "learn" : "retain")) out.insert(task.name);
  return out;
}

[[noreturn]] void refuse_selection(const std::string& text) {
  throw QueryError(
      "--select \"" + text +
      "\" is not AXIS=best:METRIC, such as lr=best:learning (METRIC:min or METRIC:max where its own "
      "direction is not meant)");
}

bool is_better_lower(const Metric& metric) {
  return metric.kind == Metric::Kind::cost || metric.name == "forgetting";
}

// A loss enters tables as minus its value.
bool is_shown_negated(const Metric& metric, const SweepRows& rows) {
  if (metric.kind != Metric::Kind::eval) return false;
  for (const auto& evalset : rows.evalsets)
    for (const auto& task : evalset.tasks)
      if (task.name == metric.name && !task.metric.empty()) return task.metric == "loss";
  return false;
}

// A key is its setting, although the sweep may have a label of that name too: a number has an order.
ResultAxis selected_axis(const std::string& name, const SweepRows& rows) {
  const auto key = full_key(name);
  if (!key || !find_setting(*key)) return find_axis(name, rows);
  const std::string last = key->substr(key->rfind('.') + 1);
  return {.name = full_key(last) == key ? last : *key, .key = *key};
}

bool has_diverged(const TrialRow& trial) {
  return trial.state == "diverged" || (trial.is_complete && trial.is_silent);
}

bool is_stopped_early(const TrialRow& trial) {
  return trial.state == "stopped_early";
}

bool may_still_come(const TrialRow& trial) {
  if (trial.state == "completed") return trial.evals_open > 0;
  return !trial.is_complete && trial.state != "diverged" && trial.state != "failed" &&
         trial.state != "cancelled" && trial.state != "stopped_early";
}

template <class Predicate>
int64_t count_in(const Candidate& candidate, Predicate predicate) {
  const auto& trials = candidate.group->trials;
  return std::count_if(trials.begin(), trials.end(), [&](const TrialRow* t) { return predicate(*t); });
}

// Returns: higher is better; nullopt for a value that is not chosen.
std::optional<double> merit(const Candidate& candidate, const AxisSelection& selection) {
  if (count_in(candidate, has_diverged) + count_in(candidate, is_stopped_early) > 0) return std::nullopt;
  const Spread spread = spread_of(replicates(selection.metric, candidate.group->trials));
  if (spread.n == 0) return std::nullopt;
  return selection.takes_lowest ? -spread.mean : spread.mean;
}

std::vector<SelectionRow> rows_of(const std::vector<Group>& groups, const Layout& layout) {
  std::vector<SelectionRow> rows;
  std::map<std::vector<Value>, size_t> index;
  for (const auto& g : groups) {
    Candidate candidate{.group = &g, .values = {}};
    std::vector<Value> rest;
    for (size_t c = 0; c < g.by.size(); ++c)
      (layout.is_selected[c] ? candidate.values : rest).push_back(g.by[c]);
    const auto [it, is_new] = index.try_emplace(rest, rows.size());
    if (is_new) rows.push_back({.rest = rest, .candidates = {}});
    rows[it->second].candidates.push_back(std::move(candidate));
  }
  return rows;
}

struct Best {
  const Candidate* candidate = nullptr;
  std::vector<const Candidate*> equals;  // that come later
};

Best best_of(const SelectionRow& row, const AxisSelection& selection) {
  Best best;
  std::optional<double> highest;
  for (const auto& c : row.candidates) {
    const auto merits = merit(c, selection);
    if (!merits) continue;
    if (highest && *merits == *highest) best.equals.push_back(&c);
    if (highest && *merits <= *highest) continue;
    highest = merits;
    best = {.candidate = &c, .equals = {}};
  }
  return best;
}

// Returns: the setting's canonical value of a length as results have it, "100" or "10%"; null: it is none.
Json length_in(const std::string& text) {
  if (const auto steps = read_count(text)) return {{"steps", *steps}};
  const auto share = text.ends_with('%') ? read_share(text) : std::nullopt;
  return share ? Json{{"share", rounded(*share)}} : Json();
}

// Returns: what of a value of this setting there can be more and less of, canonical; null: nothing.
Json number_in(const std::string& key, const Value& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  if (const auto* d = std::get_if<double>(&value)) return *d;
  const Setting* setting = find_setting(key);
  const auto* text = std::get_if<std::string>(&value);
  return text && setting && setting->type == SettingType::steps_or_share ? length_in(*text) : Json();
}

double amount_of(const Json& number) {
  return (number.is_object() ? *number.begin() : number).get<double>();
}

std::string amount_text(const Json& number) {
  return number.is_object() ? value_text(number) : fmt::format("{:.6g}", number.get<double>());
}

// Returns: the axis' values that the row tried, rising; empty where one is no number, or not in the others'
// unit.
std::vector<Json> numbers_tried(const SelectionRow& row, const std::string& key, size_t selected) {
  std::vector<Json> numbers;
  std::set<std::string> units;
  for (const auto& c : row.candidates) {
    numbers.push_back(number_in(key, c.values[selected]));
    if (numbers.back().is_null()) return {};
    units.insert(numbers.back().is_object() ? numbers.back().begin().key() : "");
  }
  if (units.size() > 1) return {};
  std::sort(numbers.begin(), numbers.end(), [](auto& a, auto& b) { return amount_of(a) < amount_of(b); });
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

// Returns: what comes next by the spacing of the values that were tried; nullopt where they have none.
std::optional<Json> next_after(const std::string& key, const std::vector<Json>& numbers, AxisEnd end) {
  const Setting* setting = find_setting(key);
  if (!setting) return std::nullopt;
  Axis axis{.name = key, .points = {}, .when = ""};
  for (const auto& n : numbers) axis.points.push_back({.label = "", .set = {{key, n}}});
  const auto spacing = spacing_of(axis);
  if (!spacing) return std::nullopt;
  return value_beyond(*setting, *spacing, end == AxisEnd::highest ? numbers.back() : numbers.front(), end);
}

// Returns: that the chosen value is the first or last that was tried, and which comes next; empty when it is
// neither.
std::string edge_text(const SelectionRow& row, const Candidate& chosen, const AxisSelection& selection,
                      size_t selected) {
  const std::string& key = selection.axis.key;
  const auto numbers = numbers_tried(row, key, selected);
  if (numbers.size() < 2) return "";
  const Value& value = chosen.values[selected];
  const double at = amount_of(number_in(key, value));
  const bool is_highest = at == amount_of(numbers.back());
  if (!is_highest && at != amount_of(numbers.front())) return "";
  const AxisEnd end = is_highest ? AxisEnd::highest : AxisEnd::lowest;
  const auto next = next_after(key, numbers, end);
  return fmt::format("is the {} of {} that were tried, {}{}", is_highest ? "highest" : "lowest", numbers.size(),
                     value_text(value), next ? "; " + amount_text(*next) + " comes next" : "");
}

// What of the row's other values the reader has to know.
std::vector<std::string> remarks_of(const SelectionRow& row, const std::vector<AxisSelection>& selections,
                                    const Best& best) {
  std::vector<std::string> remarks;
  int64_t to_come = 0;
  for (const auto& c : row.candidates) {
    to_come += count_in(c, may_still_come);
    const int64_t diverged = count_in(c, has_diverged);
    if (diverged > 0)
      remarks.push_back(fmt::format("{} left out: {} diverged", selected_text(selections, c.values), diverged));
    const int64_t stopped = count_in(c, is_stopped_early);
    if (stopped > 0)
      remarks.push_back(
          fmt::format("{} left out: {} stopped early", selected_text(selections, c.values), stopped));
  }
  for (const auto* equal : best.equals)
    remarks.push_back("as good as " + selected_text(selections, equal->values));
  if (to_come > 0)
    remarks.push_back(fmt::format("not final: {} of its values {} no result yet", counted(to_come, "trial"),
                                  to_come == 1 ? "has" : "have"));
  return remarks;
}

// Every trial of the row, and nothing where a value would stand.
Group unchosen(const SelectionRow& row, const Layout& layout) {
  Group group{.by = row.candidates.front().group->by, .trials = {}};
  for (size_t c = 0; c < group.by.size(); ++c)
    if (layout.is_selected[c]) group.by[c] = {};
  for (const auto& c : row.candidates)
    group.trials.insert(group.trials.end(), c.group->trials.begin(), c.group->trials.end());
  return group;
}

// "method lora, rank 4": what tells the row from others.
std::string row_text(const SelectionRow& row, const Layout& layout) {
  std::vector<std::string> parts;
  size_t at = 0;
  for (size_t c = 0; c < layout.by.size(); ++c) {
    if (layout.is_selected[c]) continue;
    const Value& value = row.rest[at++];
    if (!std::holds_alternative<std::monostate>(value))
      parts.push_back(layout.by[c].name + " " + value_text(value));
  }
  return parts.empty() ? "all trials" : fmt::format("{}", fmt::join(parts, ", "));
}

// Whoever tried more values had more luck to find.
std::vector<std::string> unequal_tries(const std::vector<SelectionRow>& rows,
                                       const std::vector<AxisSelection>& selections) {
  std::map<std::string, std::set<size_t>> tried;
  std::set<size_t> all;
  for (const auto& row : rows) {
    const auto& settings = row.candidates.front().group->trials.front()->settings;
    tried[settings.value("method", "")].insert(row.candidates.size());
    all.insert(row.candidates.size());
  }
  if (all.size() < 2) return {};
  std::vector<std::string> parts;
  for (const auto& [method, counts] : tried)
    parts.push_back(fmt::format("{} {}", method, fmt::join(counts, " or ")));
  return {fmt::format("warning: rows were tuned over different numbers of values of {}: {}",
                      names_text(selections), fmt::join(parts, ", "))};
}

std::string how_chosen(const std::vector<AxisSelection>& selections) {
  const AxisSelection& first = selections.front();
  return fmt::format(
      "{0}: the best of each row by {1}{2}, the mean over its seeds. {3}; --no-select or --by {0} shows every "
      "value",
      names_text(selections), first.metric.name,
      first.takes_lowest == is_better_lower(first.metric)
          ? ""
          : (first.takes_lowest ? ", the lowest" : ", the highest"),
      first.is_by_what_is_shown
          ? "It is chosen by the results that are shown, which makes them optimistic (--select-on EVAL chooses "
            "by an eval that is not)"
          : "No number that is shown is made of what it is chosen by");
}

void require_one_metric(const std::vector<AxisSelection>& selections) {
  for (const auto& s : selections)
    if (s.metric.name != selections.front().metric.name || s.takes_lowest != selections.front().takes_lowest)
      throw QueryError("--select takes one metric for all its axes: " + selections.front().axis.name +
                       " is by " + selections.front().metric.name + ", " + s.axis.name + " by " +
                       s.metric.name);
}

Layout layout_of(const std::vector<ResultAxis>& by, const std::vector<AxisSelection>& selections) {
  Layout out{.by = by, .is_selected = {}, .selections = {}};
  for (const auto& axis : by) {
    const auto found = std::find_if(selections.begin(), selections.end(),
                                    [&](const AxisSelection& s) { return is_same(s.axis, axis); });
    out.is_selected.push_back(found != selections.end());
    if (found != selections.end()) out.selections.push_back(*found);
  }
  RT_CHECK(out.selections.size() == selections.size());
  return out;
}

bool is_open(const SelectionRow& row) {
  return std::any_of(row.candidates.begin(), row.candidates.end(),
                     [](const Candidate& c) { return count_in(c, may_still_come) > 0; });
}

Chosen chosen_of(const SelectionRow& row, const Layout& layout, const Best& best) {
  Chosen out{
      .group = {}, .is_chosen = best.candidate != nullptr, .remarks = remarks_of(row, layout.selections, best)};
  out.group = best.candidate ? *best.candidate->group : unchosen(row, layout);
  if (!out.is_chosen)
    out.remarks.insert(out.remarks.begin(), "no " + names_text(layout.selections) + " can be chosen");
  return out;
}

// Where the best may lie beyond what was tried.
std::vector<std::string> edges_of(const SelectionRow& row, const Layout& layout, const Best& best) {
  std::vector<std::string> out;
  for (size_t s = 0; best.candidate && s < layout.selections.size(); ++s) {
    const std::string edge = edge_text(row, *best.candidate, layout.selections[s], s);
    if (!edge.empty())
      out.push_back(fmt::format("warning: the best {} of {} {}{}", layout.selections[s].axis.name,
                                row_text(row, layout), edge, is_open(row) ? " (so far)" : ""));
  }
  return out;
}

void append_some(std::vector<std::string>& notes, const std::vector<std::string>& edges) {
  const size_t named = std::min(edges.size(), kEdgesNamedMax);
  notes.insert(notes.end(), edges.begin(), edges.begin() + static_cast<std::ptrdiff_t>(named));
  if (edges.size() > named)
    notes.push_back(fmt::format("warning: so it is in {}",
                                counted(static_cast<int64_t>(edges.size() - named), "more row")));
}

std::vector<std::string> what_is_not_final(const std::vector<SelectionRow>& rows,
                                           const std::vector<AxisSelection>& selections, int64_t not_started) {
  std::vector<std::string> out;
  if (const auto open = std::count_if(rows.begin(), rows.end(), is_open); open > 0)
    out.push_back(fmt::format("{} of {} {} not final: values of {} have no result yet", open,
                              counted(static_cast<int64_t>(rows.size()), "row"), open == 1 ? "is" : "are",
                              names_text(selections)));
  if (not_started > 0)
    out.push_back(fmt::format("no choice is final: {} {} not started", counted(not_started, "trial"),
                              not_started == 1 ? "is" : "are"));
  return out;
}

}  // namespace

bool has_part_in(const Metric& chosen_by, const std::vector<Metric>& shown,
                 const std::vector<EvalsetRow>& evalsets) {
  const auto of_choice = evals_of(chosen_by, evalsets);
  return std::any_of(shown.begin(), shown.end(), [&](const Metric& m) {
    const auto of_shown = evals_of(m, evalsets);
    return m.name == chosen_by.name ||
           std::any_of(of_choice.begin(), of_choice.end(), [&](auto& name) { return of_shown.contains(name); });
  });
}

AxisSelection read_selection(const std::string& text, const std::string& otherwise, const SweepRows& rows) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) refuse_selection(text);
  std::string how = text.substr(equals + 1);
  if (how != "best" && !how.starts_with("best:")) refuse_selection(text);
  std::string metric = how == "best" ? otherwise : how.substr(5);
  const size_t colon = metric.find(':');
  const std::string direction = colon == std::string::npos ? "" : metric.substr(colon + 1);
  metric = metric.substr(0, colon);
  if (metric.empty() || (colon != std::string::npos && direction != "min" && direction != "max"))
    refuse_selection(text);
  AxisSelection out{.axis = selected_axis(text.substr(0, equals), rows),
                    .metric = find_metric(metric, rows.evalsets)};
  out.takes_lowest = is_better_lower(out.metric);
  if (!direction.empty()) out.takes_lowest = (direction == "min") != is_shown_negated(out.metric, rows);
  return out;
}

std::vector<TunedAxis> tuned_axes(const std::map<std::string, Tuning>& tunings) {
  std::vector<TunedAxis> out;
  std::map<std::string, std::string> metrics;
  for (const auto& [sweep, tuning] : tunings)
    for (const auto& name : tuning.axes) {
      const std::string metric = tuning.by.empty() ? "learning" : tuning.by;
      const auto [known, is_new] = metrics.emplace(name, metric);
      if (is_new) out.push_back({.name = name, .metric = metric});
      if (known->second != metric)
        throw QueryError("these sweeps tune " + name + " by " + known->second + " and by " + metric +
                         "; say which: --select " + name + "=best:" + metric + ", or --no-select");
    }
  return out;
}

Choice choose(const std::vector<Group>& groups, const std::vector<ResultAxis>& by,
              const std::vector<AxisSelection>& selections, int64_t not_started) {
  RT_CHECK(!selections.empty());
  require_one_metric(selections);
  const Layout layout = layout_of(by, selections);
  const auto rows = rows_of(groups, layout);
  Choice out{.rows = {}, .notes = {how_chosen(layout.selections)}};
  std::vector<std::string> edges;
  for (const auto& row : rows) {
    const Best best = best_of(row, layout.selections.front());
    out.rows.push_back(chosen_of(row, layout, best));
    for (auto& edge : edges_of(row, layout, best)) edges.push_back(std::move(edge));
  }
  append_some(out.notes, edges);
  for (auto& note : unequal_tries(rows, layout.selections)) out.notes.push_back(std::move(note));
  for (auto& note : what_is_not_final(rows, layout.selections, not_started))
    out.notes.push_back(std::move(note));
  return out;
}

}  // namespace ranktide
