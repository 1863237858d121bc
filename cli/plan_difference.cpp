#include "cli/plan_difference.h"

#include <fmt/format.h>
#include <set>

#include "common/sweep/grid.h"

namespace ranktide::cli {
namespace {

std::set<std::string> trial_ids(const SweepSpec& spec) {
  const Grid grid(spec);
  std::set<std::string> out;
  for (int64_t raw = 0; raw < grid.raw_count(); ++raw)
    if (const auto trial = grid.at(raw)) out.insert(trial->id.text);
  return out;
}

std::string counts_text(const PlanDifference& d) {
  return fmt::format("{} trials kept, {} new, {} no longer listed\n", d.kept, d.added, d.gone);
}

}  // namespace

PlanDifference difference_to(const SweepSpec& old, const SweepSpec& spec) {
  PlanDifference out{.changes = changes_between(old, spec)};
  std::set<std::string> unseen = trial_ids(old);
  for (const std::string& trial : trial_ids(spec)) ++(unseen.erase(trial) > 0 ? out.kept : out.added);
  out.gone = static_cast<int64_t>(unseen.size());
  return out;
}

Json to_json(const PlanDifference& d) {
  return {{"changes", ranktide::to_json(d.changes)}, {"kept", d.kept}, {"new", d.added}, {"gone", d.gone}};
}

std::string text_of(const PlanDifference& d) {
  if (d.changes.empty()) return "nothing differs: " + counts_text(d);
  if (d.changes.size() == 1) return ranktide::text_of(d.changes.front()) + ": " + counts_text(d);
  std::string out;
  for (const SpecChange& change : d.changes) out += ranktide::text_of(change) + "\n";
  return out + counts_text(d);
}

std::string revision_notice(const SweepSpec& old, const SweepSpec& spec) {
  if (ranktide::to_json(old) == ranktide::to_json(spec)) return "";  // without a walk over its trials
  const PlanDifference difference = difference_to(old, spec);
  if (difference.changes.empty() && difference.added == 0 && difference.gone == 0) return "";
  return "a new revision of " + spec.name + ":\n" + text_of(difference);
}

}  // namespace ranktide::cli
