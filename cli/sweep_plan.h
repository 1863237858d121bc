#pragma once
// A sweep made ready to be planned, submitted or run: its inputs hashed, its grid counted, and what of it has
// been done before. What it takes is predicted here too; what is printed of it is plan_text.h's.
//
// A plan holds no trials: those that cost alike stand for each other, so that a grid of a million cells
// resolves one of each kind. Whoever wants them one by one asks for_each_trial.

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/estimate.h"
#include "cli/named_content.h"
#include "common/sweep/grid.h"
#include "coordinator/edge/query_past.h"

namespace ranktide::cli {

// What was done before, as the folder or its coordinator tells it.
struct Past {
  std::vector<TrialStanding> trials;
  // Beside them those that are told a page at a time: the ones after an id, by id, until there are none.
  std::function<std::vector<TrialStanding>(const std::string& after)> page_after{};
  std::vector<MeasuredTrial> measured;
  bool is_served = false;  // by a coordinator, so that what is said to run does
};
// Returns: of a data folder that no coordinator serves, which is read when it is asked; nothing of one without
// a database.
Past past_of(const std::filesystem::path& data_folder, Told told,
             const std::function<void(const std::string&)>& say);

// Returns: what `read` gives; none where it throws, which `say` hears. Times are for people: a folder that is
// too large to be asked for them is planned and trained all the same.
std::vector<MeasuredTrial> measured_if_readable(const std::function<std::vector<MeasuredTrial>()>& read,
                                                const std::function<void(const std::string&)>& say);

// Up to so many trials a sweep is compared with the past id by id. Of a larger one each trial of the past tells
// its settings, and is looked for in the grid by them.
inline constexpr int64_t kComparedMax = 20'000;
// Returns: what has to be told of the past to plan this sweep. Throws: SpecError, as raw_trials.
Told told_for(const SweepSpec& spec);

// A sweep whose inputs were looked for.
struct PreparedSweep {
  SweepSpec spec;                       // with its inputs
  Inputs read;                          // of them those that were read here: not what --extend adds
  std::vector<std::string> unreadable;  // inputs, a message each; ids are provisional while there are any
  std::set<std::string> elsewhere;      // as InputsRead has it
  EvalSizesRead eval_sizes;             // likewise
};
// `file` is what messages call the sweep. Throws: SpecError for settings that its inputs rule out.
PreparedSweep prepared(SweepSpec spec, const std::string& file, const ContentSources& sources);
// Throws: CommandError of code kUsage when an input cannot be read.
void require_inputs(const PreparedSweep& sweep);

// Of the trials that are not done.
struct SweepEstimate {
  double slot_seconds = 0;
  double slot_seconds_min = 0, slot_seconds_max = 0;  // if every trial is as far off as it may be
  int64_t memory_bytes = 0;                           // of the largest
  double memory_spread = 0;                           // the largest, as a share
  int64_t kept_bytes = 0;                             // what run.keep leaves on disks
  int64_t checkpoint_bytes = 0;                       // of the trial that writes most, while it runs
  TimeBasis basis = TimeBasis::trials;
  int trials = 0;             // finished ones that the seconds rest on: of the trial with the fewest
  bool is_same_shape = true;  // they are of the trials' own shapes
  double spread = 0;          // the largest
};

// What a trial of a block takes at least and at most by itself, and what all of it do, done or not.
struct CostRange {
  double seconds_min = 0, seconds_max = 0;
  int64_t memory_bytes_min = 0, memory_bytes_max = 0;
  double memory_spread = 0;
  double slot_seconds = 0;
  double spread = 0;
  int64_t kept_bytes = 0;
  TimeBasis basis = TimeBasis::trials;
};

// What becomes of a trial when the sweep is submitted.
enum class Fate {
  done,           // it has its result
  evals,          // trained, and evals of its kept weights are new
  evals_lost,     // trained, and the weights that new evals ask for were not kept
  running,        // somebody runs it now
  stopped_early,  // by this sweep, whose file still says so: it is trained no further
  resumable,      // begun, with a checkpoint that nobody runs
  fresh,
};
// Returns: done, evals, evals_lost, running, stopped_early, resumable or new, for programs.
std::string word_of(Fate fate);
bool is_trained(Fate fate);  // whether nothing of it is trained any more

// Trials that are listed by the same blocks, cost alike, and of which the same becomes.
struct PlannedGroup {
  std::vector<std::string> blocks;
  int64_t trials = 0;
  int64_t scouts = 0;  // of these: trials of the first seed, where the sweep stops early
  Fate fate = Fate::fresh;
  bool left_less = false;  // completed, but they left less on disk than run.keep asks for now
  std::optional<TrialCost> cost{};
  int64_t costs_as = 0;       // raw index of the one of SweepPlan::samples that cost was worked out for
  TrialLength length{};       // of one
  double spared_seconds = 0;  // of one, in the mean of its block: what trunks train for several
  // Returns: what one takes in the mean, but for that, and with the rungs of those that scout. Requires: cost.
  double seconds() const;
};

// Trials that are resolved for what a step of theirs costs, some 0.2 ms each, and as many for their lengths.
inline constexpr int64_t kCostedMax = 4'000;

// A trial of the grid that the past knows.
struct KnownTrial {
  int64_t raw = 0;
  Fate fate = Fate::fresh;
  bool left_less = false;
};

struct SweepPlan {
  SweepSpec spec;
  std::vector<BlockCount> blocks;
  std::vector<PlannedGroup> groups;     // all trials, distinct, nearly in grid order
  std::vector<KnownTrial> known;        // by rising index
  std::vector<std::string> unreadable;  // inputs; run refuses while there are any
  std::vector<std::string> warnings;    // of what the file says and that does nothing
  std::vector<std::string> sharing;     // what budgets share, or why nothing
  std::map<std::string, Step> saved;    // steps that trunks save, by block
  EvalSizesRead eval_sizes;             // of the evals whose items were read
  // The trials that stand for groups, by raw index: one for all of which a step costs alike. How long trials
  // are is worked out by itself. Where either are more than costed_max, trials are drawn by a hash, half as
  // many, one of so many kinds that stand beside each other, and the others cost as it does, by their own
  // lengths where these are few: then it is an estimate, its spread says so, and plan does.
  std::map<int64_t, SweepTrial> samples;
  std::vector<size_t> drawn_from;  // of groups: where those begin that one drawn trial stands for
  int64_t costed_max = kCostedMax;
  int64_t kinds = 0;               // of trials that cost apart
  int64_t worked_out = 0;          // of these; the others are estimated
  bool are_lengths_exact = false;  // of the others too
  // Of predict():
  std::optional<Timing> timing;
  std::optional<SweepEstimate> estimate;  // nullopt: a trial's inputs are unread

  int64_t trials() const;
  int64_t count(Fate fate) const;
  // Returns: trials that are not trained yet.
  int64_t left() const;
  // Returns: trials of left_less.
  int64_t not_kept() const;
};

// One trial of a plan by itself.
struct PlannedTrial {
  SweepTrial trial;
  Fate fate = Fate::fresh;
  std::optional<TrialCost> cost{};
};
// Visits the plan's trials in grid order. Resolves every one: some 0.1 ms each. Requires: predict() was called,
// or plan_of made the plan.
void for_each_trial(const SweepPlan& plan, const std::function<void(const PlannedTrial&)>& visit);

// Costs stand on the guess of this machine, until predict() is told of its products.
SweepPlan plan_of(PreparedSweep sweep, const Past& past, int64_t costed_max = kCostedMax);

// Fills in what its trials cost on these slots. `table`, `threads`: as timing_of has them.
void predict(SweepPlan& plan, const Past& past, const std::optional<ProductTable>& table, int threads,
             const TimedSlots& slots = {});

// Leaves the trials of these raw indices, in the plan as in its spec. Requires: rising, and of the plan.
void take_only(SweepPlan& plan, const std::vector<int64_t>& raw);

// Returns: what the groups add up to; nullopt where one that is not trained has no cost.
std::optional<SweepEstimate> estimate_of(const std::vector<PlannedGroup>& groups);

// Returns: nullopt when a trial of the block cannot be costed, or it has none.
std::optional<CostRange> cost_range(const SweepPlan& plan, const std::string& block);

}  // namespace ranktide::cli
