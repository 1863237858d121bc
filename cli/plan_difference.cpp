#include "cli/plan_difference.h"

#include <fmt/format.h>

#include "cli/changed_inputs.h"
#include "common/sweep/cell_census.h"

namespace ranktide::cli {
namespace {

// A file that changed under its name changes the ids of who reads it, and of nobody else.
void add_readers(std::vector<SpecChange>& changes, const SweepSpec& old, const Grid& grid) {
  for (const ChangedInput& input : changed_inputs(old.inputs, grid))
    for (SpecChange& change : changes)
      if (change.what.starts_with(input.path + " has")) change.what += " (" + readers_text(input) + ")";
}

std::string counts_text(const PlanDifference& d) {
  if (!d.trials) return "trials cannot be compared before all inputs can be read\n";
  return fmt::format("{} trials kept, {} new, {} no longer listed\n", d.trials->kept, d.trials->added,
                     d.trials->gone);
}

std::string removed_text(const PlanDifference& d, Removed removed) {
  if (!d.trials || d.trials->gone == 0) return "";
  return std::string("those no longer listed leave the queue; ") +
         (removed == Removed::finish ? "what runs of them finishes (--cancel-removed cancels it)\n"
                                     : "what runs of them is cancelled, unless another sweep wants it\n");
}

// Whether both list the same trials, as far as can be told without a walk over them.
bool list_the_same(const SweepSpec& a, const SweepSpec& b) {
  return a.seeds == b.seeds && ranktide::to_json(a.taken) == ranktide::to_json(b.taken) &&
         ranktide::to_json(a.random) == ranktide::to_json(b.random) &&
         ranktide::to_json(a.blocks) == ranktide::to_json(b.blocks) &&
         ranktide::to_json(a.inputs) == ranktide::to_json(b.inputs);
}

}  // namespace

PlanDifference difference_to(const SweepSpec& old, const SweepSpec& spec, Ids ids) {
  PlanDifference out{.changes = changes_between(old, spec), .trials = {}};
  if (ids == Ids::provisional) return out;
  const Grid before(old), after(spec);
  const CellCensus of_before(before), of_after(after);
  const int64_t kept = trials_of_both(of_before, of_after);
  out.trials = {.kept = kept,
                .added = trial_count(spec, of_after.counts()) - kept,
                .gone = trial_count(old, of_before.counts()) - kept};
  add_readers(out.changes, old, after);
  return out;
}

Json to_json(const PlanDifference& d) {
  Json out{{"changes", ranktide::to_json(d.changes)}, {"kept", nullptr}, {"new", nullptr}, {"gone", nullptr}};
  if (d.trials) out.update({{"kept", d.trials->kept}, {"new", d.trials->added}, {"gone", d.trials->gone}});
  return out;
}

std::string text_of(const PlanDifference& d) {
  if (d.changes.empty()) return (d.trials ? "nothing differs: " : "no setting differs: ") + counts_text(d);
  if (d.changes.size() == 1) return ranktide::text_of(d.changes.front()) + ": " + counts_text(d);
  std::string out;
  for (const SpecChange& change : d.changes) out += ranktide::text_of(change) + "\n";
  return out + counts_text(d);
}

std::string revision_notice(const SweepSpec& old, const SweepSpec& spec, Removed removed) {
  const std::string head = "a new revision of " + spec.name + ":\n";
  if (!list_the_same(old, spec)) {
    const PlanDifference difference = difference_to(old, spec);
    return head + text_of(difference) + removed_text(difference, removed);
  }
  std::string out;
  for (const SpecChange& change : changes_between(old, spec)) out += ranktide::text_of(change) + "\n";
  return out.empty() ? "" : head + out + "all its trials are kept\n";
}

}  // namespace ranktide::cli
