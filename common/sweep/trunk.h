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

// Returns: why trials of different budgets that train so share nothing; empty: they may.
std::string why_nothing_shared(const TrainSettings& settings);

// Returns: how long the trial is, in steps or, where the data that would say is unread, in parts of its budget.
Step length_of(const SweepTrial& trial);

// Returns: what counts up to where a trial leaves its trunk: all but the budget and the rate after that.
// Content stands in the place of paths, where it was read.
Json settings_on_trunk(const SweepTrial& trial);

// Returns: those of `trials` that leave a trunk somewhere, and begin as this one does.
std::vector<SweepTrial> that_begin_as(std::vector<SweepTrial> trials, const SweepTrial& as);

// Returns: the trials that `trial` of `grid` may share its beginning with, itself among them, by raw index;
// alone where nothing is shared. Each has steps and a step to leave at.
std::vector<SweepTrial> trials_beside(const Grid& grid, const SweepTrial& trial);

// Returns: why these trials, which begin alike, are too many for one trunk, or their evals are; empty: they are
// not.
std::string too_much_for_a_trunk(const std::vector<SweepTrial>& trials);

// Returns: whether trials that begin alike get a trunk: they are two or more, and no more than it may have. Of
// evals at steps that unread data would tell nobody knows yet.
bool are_worth_a_trunk(const std::vector<SweepTrial>& trials);

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

}  // namespace ranktide
