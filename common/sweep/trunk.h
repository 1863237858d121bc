#pragma once
// Trials that differ in their budget alone begin alike where the rate does not depend on the total: under
// `constant`, or `wsd`, with a warmup in steps. What they have in common is computed once, as a *trunk*: a
// stage from the base at a flat rate, up to where the last of them leaves it. Each trial *branches off* at a
// step of the trunk: wsd's before its cooldown, a constant rate's at its own end. A branch goes on from a
// checkpoint that the trunk left for it and is bit-equal, on a CPU, to the same trial alone, so it keeps the
// trial's own stage and id: a trunk is a shorter way to it, never another trial, and one that is lost costs
// time only.
//
// Looked for are trials of one block that stand beside each other on axes that set the budget; those of a
// random search and included cells share nothing. Pure functions; any thread.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/grid.h"

namespace ranktide {

// Where a trial leaves which trunk.
struct TrunkPlace {
  StageId trunk;
  Step to = 0;  // where the trunk ends: its last branch leaves it there
  Step at = 0;  // where this trial leaves it: 1..to, at most its last step
};
template <class Ar>
void fields(Ar& ar, TrunkPlace& p) {
  ar("trunk", p.trunk)("to", p.to)("at", p.at);
}

struct TrialBranch {
  SweepTrial trial;
  TrunkPlace place;
};

// Limits of one trunk; beyond, its trials are trained alone. An order of an eval is some 500 bytes of a Grant.
inline constexpr size_t kBranchesMax = 64;
inline constexpr size_t kTrunkEvalsMax = 512;

// Returns: the step up to which a run of `steps` steps computes the same whatever its total is; nullopt: none.
std::optional<Step> shared_until(const TrainSettings& settings, Step steps);

// Returns: the trials that `trial` of `grid` may share its beginning with, itself among them, by raw index;
// alone where nothing is shared. Each has steps and a step to leave at.
std::vector<SweepTrial> trials_beside(const Grid& grid, const SweepTrial& trial);

// Returns: the trials of `trials`, of trials_beside, with their places on the trunk that they share; empty when
// they are fewer than two, or more than a trunk may have.
std::vector<TrialBranch> branches_of(const std::vector<SweepTrial>& trials);

// Returns: the stage of a trunk up to `to`, as a trainer computes it. `branch`: of any trial that begins with
// it.
Stage trunk_stage(const Stage& branch, const StageId& trunk, Step to);

// Returns: whether the eval at `at` of a trial of `steps` steps that leaves its trunk at `branch` is the
// trunk's to run: of weights that the branch begins after. The eval at a trial's end is its own.
constexpr bool is_on_trunk(Step at, Step branch, Step steps) {
  return at > 0 && at <= branch && at < steps;
}

// What a grid's trials cost with and without trunks.
struct SharedWork {
  int64_t trials = 0;  // that begin with a trunk
  int64_t trunks = 0;
  Step alone = 0;                         // steps of these trials, each by itself
  Step shared = 0;                        // steps of the trunks and of what comes after them
  std::map<std::string, Step> saved{};    // of alone, by the block that lists the trials
  std::vector<std::string> nothing_on{};  // of axes of budgets that share nothing: which, why, and what would
  bool is_of_all = true;                  // no trial was left out because of kSharedWorkLooksMax
};
inline constexpr int64_t kSharedWorkLooksMax = 20'000;  // trials; more would keep a plan of a million waiting
// Touches the trials of the blocks whose budget varies, once. Where data is unread, steps are parts of a
// budget.
SharedWork shared_work(const Grid& grid);

// Returns: what `plan` says of sharing, a line for each thing. Empty when no budget varies.
std::vector<std::string> sharing_text(const SharedWork& work);

}  // namespace ranktide
