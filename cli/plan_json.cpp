#include "cli/plan_json.h"

#include "cli/plan_text.h"
#include "cli/trial_label.h"

namespace ranktide::cli {
namespace {

Json interval(double least, double most) {
  return {{"min", least}, {"max", most}};
}

Json json_of_block(const SweepPlan& plan, const BlockCount& b) {
  Json out{{"block", b.block},       {"axes", b.axes},         {"cells", b.cells},
           {"included", b.included}, {"excluded", b.excluded}, {"excluded_by_rule", Json::object()},
           {"drawn", b.is_drawn},    {"equal_to", b.equal_to}, {"distinct", b.distinct()},
           {"trials", b.trials}};
  for (const Block& block : plan.spec.blocks)
    for (size_t r = 0; block.name == b.block && r < b.excluded_by_rule.size(); ++r)
      out["excluded_by_rule"][shown_rule(block.exclude[r])] = b.excluded_by_rule[r];
  if (const auto range = cost_range(plan, b.block)) {
    out["seconds"] = interval(range->seconds_min, range->seconds_max);
    out["memory_bytes"] = {{"min", range->memory_bytes_min}, {"max", range->memory_bytes_max}};
    out["memory_spread"] = range->memory_spread;
    out["slot_seconds"] = range->slot_seconds;
    out["spread"] = range->spread;
    out["kept_bytes"] = range->kept_bytes;
    out["basis"] = word_of(range->basis);
  }
  return out;
}

Json json_of(const Unplaced& unplaced) {
  return {{"trials", unplaced.trials},
          {"blocks", unplaced.blocks},
          {"memory_bytes", unplaced.memory_bytes},
          {"slot_bytes_max", unplaced.slot_bytes_max}};
}

Json json_of_estimate(const SweepPlan& plan, const SlotsThere& there) {
  const SweepEstimate& e = *plan.estimate;
  const Makespan makespan = makespan_of(plan, there);
  return {{"seconds", makespan.seconds},
          {"slot_seconds", e.slot_seconds},
          {"slot_seconds_min", e.slot_seconds_min},
          {"slot_seconds_max", e.slot_seconds_max},
          {"spread", e.spread},
          {"slots", makespan.slots},
          {"slots_of", there.are_workers ? "workers" : "machine"},
          {"measured", e.basis == TimeBasis::trials},
          {"basis", word_of(e.basis)},
          {"finished_trials", e.trials},
          {"same_shape", e.is_same_shape},
          {"memory_bytes", e.memory_bytes},
          {"memory_spread", e.memory_spread},
          {"kept_bytes", e.kept_bytes},
          {"checkpoint_bytes", e.checkpoint_bytes},
          {"fit_nowhere", json_of(makespan.unplaced)}};
}

}  // namespace

Json to_json(const SweepPlan& plan, const SlotsThere& there) {
  Json blocks = Json::array();
  for (const BlockCount& b : plan.blocks) blocks.push_back(json_of_block(plan, b));
  Json out{{"sweep", plan.spec.name},
           {"blocks", blocks},
           {"trials", plan.trials()},
           {"done", plan.trials() - plan.left() - plan.count(Fate::stopped_early)},
           {"stopped_early", plan.count(Fate::stopped_early)},
           {"resumable", plan.count(Fate::resumable)},
           {"running", plan.count(Fate::running)},
           {"new", plan.count(Fate::fresh)},
           {"new_evals_only", plan.count(Fate::evals)},
           {"evals_lost", plan.count(Fate::evals_lost)},
           {"not_kept", plan.not_kept()},
           {"provisional", !plan.unreadable.empty()},
           {"unreadable", plan.unreadable},
           {"kinds", plan.kinds},
           {"worked_out", plan.worked_out},
           {"sharing", plan.sharing},
           {"warnings", plan.warnings}};
  if (plan.estimate) out["estimate"] = json_of_estimate(plan, there);
  return out;
}

Json trial_json(const PlannedTrial& planned) {
  const SweepTrial& t = planned.trial;
  Json out{{"trial", t.id.text},      {"provisional", t.provisional},  {"blocks", t.blocks},
           {"steps", t.steps},        {"label", label_of(t)},          {"settings", t.labels},
           {"seed", t.settings.seed}, {"state", word_of(planned.fate)}};
  if (const auto& cost = planned.cost) {
    out["seconds"] = cost->seconds;
    out["spread"] = cost->spread;
    out["memory_bytes"] = cost->memory_bytes;
    out["memory_spread"] = cost->memory_spread;
    out["kept_bytes"] = cost->disk.kept;
  }
  return out;
}

}  // namespace ranktide::cli
