#include "coordinator/edge/query.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "coordinator/edge/query_base.h"
#include "coordinator/edge/query_cells.h"
#include "coordinator/edge/query_notes.h"
#include "coordinator/edge/query_trials.h"

namespace ranktide {

namespace {

// What a row of results is called by when nobody says otherwise.
constexpr const char* kDefaultBy[] = {"regime", "method", "rank", "target", "lr"};
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

// By default the axes of kDefaultBy, and whatever else varies.
std::vector<ResultAxis> axes_of(const QueryRequest& request, const SweepRows& rows,
                                const std::vector<const TrialRow*>& trials) {
  std::vector<ResultAxis> by;
  for (const auto& name : request.by) by.push_back(find_axis(name, rows.trials));
  const auto has = [&](const std::string& name) {
    return std::any_of(by.begin(), by.end(), [&](const ResultAxis& a) { return a.name == name; });
  };
  if (request.sweeps.size() > 1 && !has("sweep")) by.insert(by.begin(), find_axis("sweep", rows.trials));
  if (!request.by.empty()) return by;
  for (const char* name : kDefaultBy)
    if (std::string(name) != "regime" ||
        (!rows.trials.empty() && rows.trials.front().labels.contains("regime")))
      by.push_back(find_axis(name, rows.trials));
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
  for (const auto& m : metrics) {
    frame.columns.push_back({.name = m.name, .type = "number", .unit = m.unit});
    if (m.kind == Metric::Kind::cost) continue;
    frame.columns.push_back(
        {.name = m.name + "_ci", .type = "number", .unit = m.unit, .role = Column::Role::half_width});
    frame.columns.push_back(
        {.name = m.name + "_ci_own", .type = "number", .unit = m.unit, .role = Column::Role::detail});
  }
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
}

// Returns: of the group's intervals; nullopt when only costs are asked for, which have none.
std::optional<int64_t> freedom_of(const Group& group, const std::vector<Metric>& metrics,
                                  const std::vector<Pools>& pools) {
  for (size_t m = 0; m < metrics.size(); ++m)
    if (metrics[m].kind != Metric::Kind::cost) return pools[m].of(*group.trials.front()).df;
  return std::nullopt;
}

std::vector<Value> group_row(const Group& group, const std::vector<Metric>& metrics,
                             const std::vector<Pools>& pools) {
  std::vector<Value> row = group.by;
  row.emplace_back(group.complete());
  for (size_t m = 0; m < metrics.size(); ++m) add_metric(row, metrics[m], pools[m], group);
  row.emplace_back(static_cast<int64_t>(group.trials.size()));
  row.emplace_back(group.trials.front()->cell);
  row.emplace_back(group_note(group, freedom_of(group, metrics, pools)));
  return row;
}

// Before the first row that is measured against it.
void insert_base_rows(Frame& frame, const std::vector<Group>& groups, const SweepRows& rows,
                      const std::vector<const TrialRow*>& trials, const std::vector<ResultAxis>& by,
                      const std::vector<Metric>& metrics) {
  std::vector<std::vector<Value>> with_bases;
  std::set<const EvalsetRow*> shown;
  for (size_t g = 0; g < groups.size(); ++g) {
    const auto* t = groups[g].trials.front();
    for (const auto& e : rows.evalsets)
      if (is_measured_against(*t, e) && shown.insert(&e).second)
        with_bases.push_back(base_row(e, trials, by, metrics));
    with_bases.push_back(std::move(frame.rows[g]));
  }
  frame.rows = std::move(with_bases);
}

void append(std::vector<std::string>& notes, const std::vector<std::string>& more) {
  notes.insert(notes.end(), more.begin(), more.end());
}

Frame cells_frame(const SweepRows& rows, const std::vector<const TrialRow*>& trials,
                  const std::vector<ResultAxis>& by, const std::vector<Metric>& metrics) {
  Frame frame;
  const auto groups = group_trials(trials, by);
  std::vector<Pools> pools;
  for (const auto& m : metrics) pools.emplace_back(m, rows.trials);
  add_columns(frame, by, groups, metrics);
  for (const auto& g : groups) frame.rows.push_back(group_row(g, metrics, pools));
  insert_base_rows(frame, groups, rows, trials, by, metrics);
  append(frame.notes, score_notes(trials, rows.evalsets));
  append(frame.notes, interval_notes(trials, rows.trials));
  return frame;
}

// What has no row yet has no axes, so that no --where can choose among it.
std::vector<std::string> missing_notes(const QueryRequest& request, const SweepRows& rows,
                                       const std::vector<const TrialRow*>& trials) {
  if (request.where.empty()) return completeness_notes(trials, rows.not_started);
  auto notes = completeness_notes(trials, 0);
  if (rows.not_started > 0)
    notes.push_back(
        fmt::format("{} more trials of the sweep are not started, whatever --where says", rows.not_started));
  return notes;
}

}  // namespace

Frame query(const Reader& reader, const QueryRequest& request) {
  if (request.sweeps.empty()) throw QueryError("name at least one sweep");
  const auto rows = reader.snapshot([&] {
    require_sweeps(reader, request.sweeps);
    return load_rows(reader, request.sweeps);
  });
  const auto trials = filter_trials(rows.trials, request.where);
  const auto by = axes_of(request, rows, trials);
  const auto metrics = metrics_of(request, rows);
  Frame frame = request.rows == QueryRows::trials ? trials_frame(trials, by, metrics, reader.data_folder())
                                                  : cells_frame(rows, trials, by, metrics);
  append(frame.notes, missing_notes(request, rows, trials));
  return frame;
}

}  // namespace ranktide
