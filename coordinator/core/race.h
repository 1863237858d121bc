#pragma once
// Early stopping (common/sweep/early_stop.h) as the state knows it, and its rule. Decides; what is stopped then
// is a record. Pure. A part of state.h.
//
// A contest is the cells of one block that differ in tuned axes only. In it their scouts, the trials of the
// sweep's first seed, are compared rung by rung. Whose score arrives is judged, by the scores that are there;
// nobody is judged again for what others show later, so that the scores and their order alone decide.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

// One contest's scores at one rung: higher is better, the lowest of all for one that is no number and for a
// scout that diverged before it came there.
using RungScores = std::map<StageId, double>;

// A scout at one of its rungs.
struct RungPlace {
  StageId stage;
  int k = 0;
  Step at = 0;
  friend auto operator<=>(const RungPlace&, const RungPlace&) = default;
};

struct Scout {
  CellId cell;
  std::vector<std::string> contests;
  std::vector<std::pair<int, Step>> rungs;  // k, step; rising
  std::string spec_id;                      // of the eval that it is judged by
};

// How a cell was found behind: what a view tells, and what its trials that are listed later are stopped by.
struct EarlyVerdict {
  std::string policy;  // early_stop_policy() of the spec that asked for it
  int rung = 0;
  Step at = 0;
  double score = 0;
  int place = 1;  // equal scores share the better one
  int of = 1;
};

// Where a scout stands among those that came to its rung so far.
struct RungStanding {
  int place = 1;
  int of = 1;
};
// Requires: `scores` has the stage's.
RungStanding standing_of(const StageId& stage, const RungScores& scores);
// Whether it is not of the best `eta`-th. While fewer than eta have come, all go on, and the best one always.
bool is_behind(const RungStanding& standing, int eta);

// What one sweep knows of it. A revision with the same policy begins with what was shown before, and forgets
// what it did not list itself once it has listed all.
struct Races {
  std::map<StageId, Scout> scouts{};
  std::map<std::string, std::set<StageId>> fields{};  // scouts by contest
  std::map<EvalId, RungPlace> rung_evals{};
  std::map<std::pair<std::string, int>, RungScores> scores{};  // by contest and k
  std::map<CellId, std::vector<int64_t>> trials{};  // listed by this revision, every seed: raw indices
  std::map<StageId, CellId> cells{};                // of those
  std::map<CellId, EarlyVerdict> verdicts{};        // kept by a revision with the same policy
  std::set<CellId> spared{};                        // somebody wants these in full
  // Of those that are out, and whether they were completed when that was found; none that diverged or failed.
  std::map<StageId, bool> stopped{};
  int64_t stopped_completed = 0;  // of them, those that were
  bool has_kept = false;          // of a revision before, and this one has not listed all yet

  void enter(const StageId& stage, Scout scout);
  // Returns: where its score counts; nullopt where it does not.
  std::optional<RungPlace> place_of(const EvalId& eval) const;
  // Forgets scouts that this revision has not listed: only what came from one before may hold any.
  void keep_listed();
  // The only ones that change `stopped`.
  void stop(const StageId& stage, bool is_completed);
  void go_on(const StageId& stage);
  bool has_score(const StageId& stage, int k) const;
  void add_score(const RungPlace& rung, double score);
};

}  // namespace ranktide
