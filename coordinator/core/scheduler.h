#pragma once
// What a free slot should do next: a pure look at the state. It decides nothing for good; the coordinator
// records it.
//
// Order: sweeps by priority, then by how few slots their owner uses, then age; in a sweep the evals of the
// untouched base, then stages (each followed by evals leased by themselves on its weights) in the order of the
// file. Base evals come first because every gain and every forgetting is measured from them, they are short,
// and a broken eval file should show before hours of training. A grid is touched one index at a time, and only
// when a slot would stay idle otherwise.
//
// What begins with a trunk (common/sweep/trunk.h) waits until that has ended, and is then given to the worker
// that has the checkpoint, as long as that one is there: a shorter way is worth a wait. Where its worker has
// gone after something went on from there, and two or more still wait for their checkpoints, the trunk is
// trained again for them, once a slot is free that would else train one of them alone; if the worker comes back
// before that has ended, it goes on from what it has kept. Where the trunk failed, or nothing had gone on, or
// fewer wait, or its infrastructure budget is spent, anybody may have them and trains them from their base.
//
// What needs what another trial left runs where that lies. Where that worker has gone, or has no free slot for
// it, anybody may have it as soon as the coordinator has that, too, who then fetches it.

#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "coordinator/core/deadlines.h"
#include "coordinator/core/state.h"

namespace ranktide {

struct NothingFits {};
struct ListNext {  // touch this sweep's next index, then ask again
  SweepNumber sweep = 0;
};
struct RunUnit {
  UnitId unit;
};
struct TrainAgain {  // this trunk, then ask again: see below
  UnitId trunk;
};
using Pick = std::variant<NothingFits, ListNext, RunUnit, TrainAgain>;

// What is known beside the state. Outlives: what it refers to must outlive it.
struct Aside {
  const Deadlines<UnitId>& held_back;  // units whose back-off time has not passed, each with its end
  const std::set<TrialId>& shelved;    // whose artifacts can be fetched from the coordinator
  bool may_list = true;                // else a sweep with nothing ready is passed over for those after it
};

Pick pick(const State& state, const WorkerName& worker, const Slot& slot, const Aside& aside);

// Of one sweep, units that do not fit a slot (needs.h) are passed over up to here; then the slot is left to
// other sweeps, and no more of the grid is listed for it. Nor is more listed where so many wait for another
// worker, which has the weights that they need; these are passed over all the same, for this worker's own may
// come after them. Without a limit, an idle slot that is too small would have a grid of a million trials
// listed.
inline constexpr int kMisfitsMax = 1'000;

// Returns: the slots that no running lease uses, in the worker's order.
std::vector<Slot> free_slots(const State& state, const Worker& worker);

// Returns: whether what fits one of these slots fits the other.
bool offer_the_same(const Slot& a, const Slot& b);

// Returns: what a grant of this unit hands over, with the evals that `attempt` was asked to run.
Work work_of(const State& state, const Unit& unit);

// Returns: the policy for a unit that several sweeps want: the longest lease, the most retries, the most kept,
// the most frequent checkpoints, exactness if any asks for it. Not what it needs of a slot: needs.h.
// Requires: somebody wants it.
RunPolicy policy_of(const State& state, const Unit& unit);

// Returns: what waits for nothing but the checkpoint that this trunk has left for it.
std::vector<BranchOrder> waiting_branches(const State& state, const Unit& trunk);

// Returns: whether the branch, which was never begun, waits for this trunk or for what that has left for it.
bool is_waiting_branch(const Unit& trunk, const Unit& branch);

// Returns: where the trunk can end, as trained by `worker`, earlier than it is to, since nothing that waits for
// it leaves it later: there, or where the worker has come to; nullopt: nowhere.
std::optional<Step> earlier_end(const State& state, const Unit& trunk, const WorkerName& worker);

// Returns: whether the attempt of `trunk` that runs, or its next one, leaves a checkpoint for `branch`: not
// where it was not asked to and cannot go back.
bool may_leave_for(const Unit& trunk, const StageId& branch);

}  // namespace ranktide
