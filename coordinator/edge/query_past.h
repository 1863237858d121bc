#pragma once
// What the trials of a data folder have come to, whichever sweeps list them: what a plan of another sweep need
// not train again, and how fast training was. Not results (query.h). Reads only.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/trial.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

// That a sweep has stopped the trial's value early.
struct StandingVerdict {
  std::string by;               // stopped_by()
  int rung = 0;                 // where its scout was behind ...
  std::optional<double> score;  // ... with this; absent: no number, or it diverged
};
template <class Ar>
void fields(Ar& ar, StandingVerdict& v) {
  ar("by", v.by)("rung", v.rung)("score", v.score);
}

// What the trial has shown on its way.
struct StandingScore {
  std::string spec;  // the first kEvalDigits of it
  Step step = 0;     // below its last
  double score = 0;
};
template <class Ar>
void fields(Ar& ar, StandingScore& s) {
  ar("spec", s.spec)("step", s.step)("score", s.score);
}

struct TrialStanding {
  std::string trial;
  std::string state;            // of its stage: ready, running, completed, ...
  int64_t checkpoint_step = 0;  // of the newest resumable checkpoint; 0: none
  std::string keep;             // what its last attempt was told to leave, as Keep's texts; empty: no attempt
  // Of the weights at its end: the specs of evals that have a result, the first kEvalDigits of each.
  std::vector<std::string> evals{};
  std::optional<TrialSettings> settings{};  // where they were asked for
  std::vector<StandingVerdict> verdicts{};  // one for each sweep that has stopped it early
  std::vector<StandingScore> shown{};       // where any value of the folder was stopped early
};
template <class Ar>
void fields(Ar& ar, TrialStanding& t) {
  ar("trial", t.trial)("state", t.state)("checkpoint_step", t.checkpoint_step)("keep", t.keep);
  ar("evals", t.evals)("settings", t.settings);
  later_field(ar, "verdicts", t.verdicts);
  later_field(ar, "shown", t.shown);
}
// Returns: how StandingVerdict names a sweep and its early_stop_policy().
std::string stopped_by(const std::string& sweep, const std::string& policy);

inline constexpr size_t kEvalDigits = 16;  // of a spec's id: a page of trials with whole ones would be long

inline constexpr int64_t kTrialsPerPage = 5'000;

enum class Told { standing, settings };  // settings: those too, about a kilobyte a trial

// Returns: the trials whose ids come after `trial`, by id, at most `count`; from the first on after "".
std::vector<TrialStanding> trials_after(const Reader& reader, const std::string& trial,
                                        int64_t count = kTrialsPerPage, Told told = Told::standing);

// A training that went through in one attempt, as a measurement for those to come: of this engine's numerics
// version, and with the micro-batch that they will have (exact).
struct MeasuredTrial {
  TrialSettings settings;
  int64_t tokens = 0;
  double seconds = 0;
  std::string device = "cpu";     // of its slot: cpu, or a GPU's model; "gpu" where its maker gave none
  int64_t memory_peak_bytes = 0;  // 0: not told
  int threads = 0;                // of cores; 0: not told
  std::string processor{};        // of cores, as its Slot had it; empty: not told
};
template <class Ar>
void fields(Ar& ar, MeasuredTrial& m) {
  ar("settings", m.settings)("tokens", m.tokens)("seconds", m.seconds)("device", m.device);
  ar("memory_peak_bytes", m.memory_peak_bytes)("threads", m.threads)("processor", m.processor);
}

// Trials that tell of each other: of one model, dtype, method and length of rows, on one device; of cores with
// as many threads of one processor.
inline constexpr int64_t kMeasuredPerKind = 20;

// Returns: of each kind the newest, at most kMeasuredPerKind, each kind's newest first; of the 5,000 trainings
// that were listed last, and at most 1,000. A trial counts once, whichever sweeps list it. Those of a worker's
// life that the journal is too long to be searched for do not count, as nobody knows its slots.
std::vector<MeasuredTrial> measured_trials(const Reader& reader);

}  // namespace ranktide
