#include "coordinator/edge/query.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>

#include "common/sweep/settings.h"
#include "common/vocabulary/readable.h"
#include "coordinator/edge/query_base.h"
#include "coordinator/edge/query_cells.h"
#include "coordinator/edge/query_notes.h"
#include "coordinator/edge/query_selection.h"
#include "coordinator/edge/query_spec.h"
#include "coordinator/edge/query_trials.h"
#include "coordinator/edge/query_versus.h"

namespace ranktide {

namespace {

// What a row of results is called by when nobody says otherwise.
constexpr const char* kDefaultBy[] = {"regime", "method", "rank", "target", "lr"};
constexpr double kTokensEqual = 1.01;  // packing fills rows a little differently for each seed
constexpr const char* kDefaultMetrics[] = {"learning", "gain", "forgetting", "tokens", "seconds", "memory"};

void require_sweeps(const Reader& reader, const std::vector<std::string>& sweeps) {
  std::set<std::string> known;
  for (const auto& row : reader.select("SELECT name FROM sweep ORDER BY id").rows)
    known.insert(std::get<std::string>(row[0]));
  for (const auto& sweep : sweeps) {
    if (known.contains(sweep)) continue;
    std::string names;
    for (const auto& k : known) names += (names.empty() ? "" : ", ") + k;
    throw SweepNotFound("no sweep \"" + sweep + "\" in " + reader.data_folder().string() + "; " +
                        (names.empty() ? "there are none yet" : "there are: " + names));
  }
}

bool has_axis(const std::vector<ResultAxis>& axes, const ResultAxis& axis) {
  return std::any_of(axes.begin(), axes.end(), [&](const ResultAxis& a) { return is_same(a, axis); });
}

using Submissions = std::map<std::string, SweepSubmitted>;  // by sweep

Submissions submissions_of(const Reader& reader, const std::vector<std::string>& sweeps) {
  Submissions out;
  for (const auto& sweep : sweeps)
    if (auto submitted = newest_submission(reader, sweep)) out.emplace(sweep, *std::move(submitted));
  return out;
}

// How the sweeps that tune something do it.
std::map<std::string, Tuning> tunings_of(const Submissions& submissions) {
  std::map<std::string, Tuning> out;
  for (const auto& [sweep, submitted] : submissions)
    if (submitted.spec.tune) out[sweep] = *submitted.spec.tune;
  return out;
}

std::set<std::string> axes_of(const Submissions& submissions) {
  std::set<std::string> out;
  for (const auto& [sweep, submitted] : submissions) {
    for (const Block& block : submitted.spec.blocks)
      for (const Axis& axis : block.axes) out.insert(axis.name);
    if (submitted.spec.tune) out.insert(submitted.spec.tune->axes.begin(), submitted.spec.tune->axes.end());
  }
  return out;
}

// The selections of one query, each axis once.
class Selections {
 public:
  // `on`: by what all of them choose; empty: each by its own.
  Selections(const SweepRows& rows, std::vector<ResultAxis> grouped, std::string on)
      : rows_(rows), grouped_(std::move(grouped)), on_(std::move(on)) {}

  void ask(const std::string& text, const std::vector<TunedAxis>& tuned) {
    if (!on_.empty() && text.find(':') != std::string::npos)
      throw QueryError("--select " + text + " names a metric, and --select-on " + on_ +
                       " another; leave one out (--select " + text.substr(0, text.find(':')) + ")");
    const std::string asked = text.substr(0, text.find('='));
    if (is_to_come(asked, rows_))
      throw QueryError("--select " + text + ": no trial that has " + asked +
                       " is listed so far, so that nothing can be chosen");
    AxisSelection selection = read_selection(text, on_.empty() ? metric_for(text, tuned) : on_, rows_);
    const std::string& name = selection.axis.name;
    if (has_axis(grouped_, selection.axis))
      throw QueryError(name + " is in --by and in --select; leave it out of one");
    if (knows(selection.axis)) throw QueryError("--select names " + name + " twice");
    all_.push_back(std::move(selection));
  }

  // By the metric that was asked for, where one was: a choice has one.
  void add(const TunedAxis& tuned) {
    AxisSelection selection =
        read_selection(tuned.name + "=best:" + (on_.empty() ? tuned.metric : on_), "", rows_);
    if (knows(selection.axis) || has_axis(grouped_, selection.axis)) return;
    if (!all_.empty()) selection.metric = all_.front().metric;
    if (!all_.empty()) selection.takes_lowest = all_.front().takes_lowest;
    all_.push_back(std::move(selection));
  }

  std::vector<AxisSelection> take() { return std::move(all_); }

 private:
  bool knows(const ResultAxis& axis) const {
    return std::any_of(all_.begin(), all_.end(), [&](const AxisSelection& s) { return is_same(s.axis, axis); });
  }
  // Of "lr=best": the sweep's own, else learning.
  static std::string metric_for(const std::string& text, const std::vector<TunedAxis>& tuned) {
    const std::string name = text.substr(0, text.find('='));
    for (const auto& t : tuned)
      if (t.name == full_key(name).value_or(name)) return t.metric;
    return "learning";
  }

  const SweepRows& rows_;
  std::vector<ResultAxis> grouped_;
  std::string on_;
  std::vector<AxisSelection> all_;
};

// What is asked for, and beside it what the sweeps' `tune` names and nobody grouped by.
std::vector<AxisSelection> selections_of(const QueryRequest& request, const SweepRows& rows,
                                         const std::map<std::string, Tuning>& tunings) {
  if (rows.trials.empty()) return {};
  std::vector<ResultAxis> grouped;
  for (const auto& name : request.by) grouped.push_back(find_axis(name, rows));
  Selections selections(rows, std::move(grouped), request.select_on);
  const auto tuned =
      request.keeps_tuned && request.select.empty() ? std::vector<TunedAxis>{} : tuned_axes(tunings);
  for (const auto& text : request.select) selections.ask(text, tuned);
  if (!request.keeps_tuned)
    for (const auto& t : tuned)
      if (!is_to_come(t.name, rows)) selections.add(t);
  auto all = selections.take();
  if (all.empty() && !request.select_on.empty())
    throw QueryError("--select-on " + request.select_on +
                     ": nothing is selected; name the axis too, such as --select lr=best");
  return all;
}

// By default the axes of kDefaultBy, and whatever else varies; selected ones have a column too.
std::vector<ResultAxis> axes_of(const QueryRequest& request, const SweepRows& rows,
                                const std::vector<const TrialRow*>& trials,
                                const std::vector<AxisSelection>& selections) {
  std::vector<ResultAxis> by;
  for (const auto& name : request.by) by.push_back(find_axis(name, rows));
  const auto add_selected = [&] {
    for (const auto& s : selections)
      if (!has_axis(by, s.axis)) by.push_back(s.axis);
  };
  const ResultAxis sweep = find_axis("sweep", rows);
  if (request.sweeps.size() > 1 && !has_axis(by, sweep)) by.insert(by.begin(), sweep);
  if (!request.by.empty()) {
    add_selected();
    return by;
  }
  for (const char* name : kDefaultBy)
    if (std::string(name) != "regime" ||
        (!rows.trials.empty() && rows.trials.front().labels.contains("regime")))
      by.push_back(find_axis(name, rows));
  add_selected();
  for (const auto& axis : varying_axes(trials, by)) by.push_back(axis);
  return by;
}

std::vector<Metric> metrics_of(const QueryRequest& request, const SweepRows& rows) {
  std::vector<Metric> metrics;
  if (request.metrics.empty())
    for (const char* name : kDefaultMetrics) metrics.push_back(find_metric(name, rows.evalsets));
  for (const auto& name : request.metrics) metrics.push_back(find_metric(name, rows.evalsets));
  return metrics;
}

std::string axis_type(const std::vector<Group>& groups, size_t column) {
  for (const auto& g : groups)
    if (std::holds_alternative<std::string>(g.by[column])) return "text";
  return "number";
}

void add_columns(Frame& frame, const std::vector<ResultAxis>& by, const std::vector<Group>& groups,
                 const std::vector<Metric>& metrics) {
  for (size_t c = 0; c < by.size(); ++c)
    frame.columns.push_back({.name = by[c].name, .type = axis_type(groups, c), .unit = ""});
  frame.columns.push_back({.name = "n", .type = "integer", .unit = ""});
  for (const auto& m : metrics)
    for (auto& column : columns_of(m)) frame.columns.push_back(std::move(column));
  frame.columns.push_back({.name = "trials", .type = "integer", .unit = "", .role = Column::Role::detail});
  frame.columns.push_back({.name = "cell", .type = "text", .unit = "id", .role = Column::Role::detail});
  frame.columns.push_back({.name = "note", .type = "text", .unit = ""});
}

void add_metric(std::vector<Value>& row, const Metric& metric, const Pools& pools, const Group& group) {
  const Spread spread = spread_of(replicates(metric, group.trials));
  row.push_back(value_or_null(spread.n > 0 ? std::optional(spread.mean) : std::nullopt));
  if (metric.kind == Metric::Kind::cost) return;
  Pooled own;
  own.add(spread);
  row.push_back(value_or_null(pools.of(*group.trials.front()).half_width(spread.n)));
  row.push_back(value_or_null(own.half_width(spread.n)));
  if (has_sampling_error(metric)) row.push_back(value_or_null(sampling_error(metric, group.trials)));
}

// Returns: of the group's intervals; nullopt when only costs are asked for, which have none.
std::optional<int64_t> freedom_of(const Group& group, const std::vector<Metric>& metrics,
                                  const std::vector<Pools>& pools) {
  for (size_t m = 0; m < metrics.size(); ++m)
    if (metrics[m].kind != Metric::Kind::cost) return pools[m].of(*group.trials.front()).df;
  return std::nullopt;
}

std::vector<Value> group_row(const Chosen& chosen, const std::vector<Metric>& metrics,
                             const std::vector<Pools>& pools) {
  const Group& group = chosen.group;
  std::vector<Value> row = group.by;
  row.emplace_back(group.complete());
  for (size_t m = 0; m < metrics.size(); ++m) add_metric(row, metrics[m], pools[m], group);
  row.emplace_back(static_cast<int64_t>(group.trials.size()));
  row.emplace_back(group.trials.front()->cell);
  std::string note = group_note(group, freedom_of(group, metrics, pools));
  for (const auto& remark : chosen.remarks) note += (note.empty() ? "" : ", ") + remark;
  row.emplace_back(note);
  return row;
}

// No value could be chosen: the row says so, and has neither mean nor cell.
std::vector<Value> empty_row(const Chosen& chosen, const std::vector<Metric>& metrics) {
  std::vector<Value> row = chosen.group.by;
  row.emplace_back(int64_t{0});
  for (const auto& m : metrics) row.resize(row.size() + columns_of(m).size());
  row.emplace_back(static_cast<int64_t>(chosen.group.trials.size()));
  row.emplace_back();
  row.emplace_back(fmt::format("{}", fmt::join(chosen.remarks, ", ")));
  return row;
}

constexpr std::ptrdiff_t kColumnsAtTheEnd = 3;  // trials, cell, note

// The base differs from nothing.
std::vector<Value> padded(std::vector<Value> row, size_t columns) {
  row.insert(row.end() - kColumnsAtTheEnd, columns - row.size(), Value{});
  return row;
}

// Requires: the frame has a row for each of `shown_rows` and no other.
void add_differences(Frame& frame, Versus versus, const std::vector<Metric>& metrics,
                     const std::vector<Pools>& pools) {
  const auto columns = difference_columns(metrics);
  frame.columns.insert(frame.columns.end() - kColumnsAtTheEnd, columns.begin(), columns.end());
  for (size_t r = 0; r < frame.rows.size(); ++r) {
    const auto values = versus.differences(r, metrics, pools);
    frame.rows[r].insert(frame.rows[r].end() - kColumnsAtTheEnd, values.begin(), values.end());
  }
  for (auto& note : versus.notes()) frame.notes.push_back(std::move(note));
}

// Before the first row that is measured against it.
void insert_base_rows(Frame& frame, const std::vector<Chosen>& shown_rows, const SweepRows& rows,
                      const std::vector<const TrialRow*>& trials, const std::vector<ResultAxis>& by,
                      const std::vector<Metric>& metrics) {
  std::vector<std::vector<Value>> with_bases;
  std::set<const EvalsetRow*> shown;
  for (size_t g = 0; g < shown_rows.size(); ++g) {
    const auto* t = shown_rows[g].group.trials.front();
    for (const auto& e : rows.evalsets)
      if (is_measured_against(*t, e) && shown.insert(&e).second)
        with_bases.push_back(padded(base_row(e, trials, by, metrics), frame.columns.size()));
    with_bases.push_back(std::move(frame.rows[g]));
  }
  frame.rows = std::move(with_bases);
}

void append(std::vector<std::string>& notes, const std::vector<std::string>& more) {
  notes.insert(notes.end(), more.begin(), more.end());
}

// Every group, or where something is selected the best of each row.
Choice choice_of(const std::vector<Group>& groups, const std::vector<ResultAxis>& by,
                 const std::vector<AxisSelection>& selections, int64_t not_started) {
  if (!selections.empty()) return choose(groups, by, selections, not_started);
  Choice all;
  for (const auto& g : groups) all.rows.push_back({.group = g, .remarks = {}});
  return all;
}

// Rows are comparable where what they cost stands beside them, or was asked for.
std::vector<std::string> token_notes(const std::vector<Chosen>& rows, const std::vector<ResultAxis>& by,
                                     const std::vector<Metric>& metrics) {
  const bool is_shown =
      std::any_of(metrics.begin(), metrics.end(), [](const Metric& m) { return m.name == "tokens"; });
  const bool is_named =
      std::any_of(by.begin(), by.end(), [](const ResultAxis& a) { return a.key.starts_with("budget."); });
  if (is_shown || is_named) return {};
  std::map<std::string, std::pair<int64_t, int64_t>> least_and_most;  // by evalset
  for (const auto& row : rows)
    for (const auto* t : row.group.trials) {
      if (!t->is_complete || !t->tokens) continue;
      const auto [it, is_new] = least_and_most.try_emplace(t->evalset, *t->tokens, *t->tokens);
      it->second = {std::min(it->second.first, *t->tokens), std::max(it->second.second, *t->tokens)};
    }
  for (const auto& [evalset, range] : least_and_most)
    if (static_cast<double>(range.second) > kTokensEqual * static_cast<double>(range.first))
      return {
          fmt::format("rows were trained on different numbers of tokens, {} to {}: --metric tokens shows them",
                      range.first, range.second)};
  return {};
}

Frame cells_frame(const QueryRequest& request, const SweepRows& rows,
                  const std::vector<const TrialRow*>& trials, const std::vector<ResultAxis>& by,
                  const std::vector<AxisSelection>& selections, const std::vector<Metric>& metrics) {
  Frame frame;
  const auto groups = group_trials(trials, by);
  const Choice choice = choice_of(groups, by, selections, rows.not_started);
  std::vector<Pools> pools;
  for (const auto& m : metrics) pools.emplace_back(m, rows.trials);
  add_columns(frame, by, groups, metrics);
  for (const auto& chosen : choice.rows)
    frame.rows.push_back(chosen.is_chosen ? group_row(chosen, metrics, pools) : empty_row(chosen, metrics));
  append(frame.notes, choice.notes);
  if (!request.vs.empty())
    add_differences(frame, Versus(request.vs, rows, choice.rows, by, selections), metrics, pools);
  insert_base_rows(frame, choice.rows, rows, trials, by, metrics);
  append(frame.notes, token_notes(choice.rows, by, metrics));
  append(frame.notes, score_notes(trials, rows.evalsets));
  append(frame.notes, interval_notes(trials, metrics, rows.trials));
  return frame;
}

// What has no row yet has no axes, so that no --where can choose among it.
std::vector<std::string> missing_notes(const QueryRequest& request, const SweepRows& rows,
                                       const std::vector<const TrialRow*>& trials) {
  if (request.where.empty()) return completeness_notes(trials, rows.not_started);
  if (trials.empty() && !rows.trials.empty()) return {"no trial fits --where '" + request.where + "'"};
  auto notes = completeness_notes(trials, 0);
  if (rows.not_started > 0)
    notes.push_back(fmt::format("{} of the sweep {} not started, whatever --where says",
                                counted(rows.not_started, "more trial"), rows.not_started == 1 ? "is" : "are"));
  return notes;
}

}  // namespace

Frame query(const Reader& reader, const QueryRequest& request) {
  if (request.sweeps.empty()) throw QueryError("name at least one sweep");
  const bool is_of_trials = request.rows == QueryRows::trials;
  if (is_of_trials && (!request.select.empty() || !request.select_on.empty()))
    throw QueryError("--select chooses among cells, and --trials shows each trial; leave one out");
  if (is_of_trials && !request.vs.empty())
    throw QueryError("--vs compares cells, and --trials shows each trial; leave one out");
  Submissions submissions;
  auto rows = reader.snapshot([&] {
    require_sweeps(reader, request.sweeps);
    submissions = submissions_of(reader, request.sweeps);
    return load_rows(reader, request.sweeps);
  });
  rows.axes = axes_of(submissions);
  const auto trials = filter_trials(rows, request.where);
  auto selections =
      is_of_trials ? std::vector<AxisSelection>{} : selections_of(request, rows, tunings_of(submissions));
  const auto by = axes_of(request, rows, trials, selections);
  const auto metrics = metrics_of(request, rows);
  for (auto& s : selections) s.is_by_what_is_shown = has_part_in(s.metric, metrics, rows.evalsets);
  Frame frame = is_of_trials ? trials_frame(trials, by, metrics, reader.data_folder())
                             : cells_frame(request, rows, trials, by, selections, metrics);
  append(frame.notes, missing_notes(request, rows, trials));
  return frame;
}

}  // namespace ranktide
