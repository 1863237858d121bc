#pragma once
// What a lease hands over: the work itself, and what the worker's trainer child says about it.
// The same structs travel coordinator -> worker (inside Grant) and worker -> trainer (over the child's pipe).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

enum class WorkKind { train, evaluate };
template <>
struct EnumTexts<WorkKind> {
  static constexpr std::array texts{"train", "evaluate"};
};

// A file that a work reads, by content. `path` is where the client found it: it names the file among the work's
// settings, and is the first place where a worker looks. It is equal to a path of the settings, or lies below
// one.
struct InputFile {
  std::string path;
  std::string sha256;
  int64_t bytes = 0;
};
template <class Ar>
void fields(Ar& ar, InputFile& f) {
  ar("path", f.path)("sha256", f.sha256)("bytes", f.bytes);
}

// A stage that begins with the steps of another: what computes these leaves it a checkpoint at `at`, as if the
// stage itself had come so far.
struct BranchOrder {
  StageId stage;
  Step at = 0;
};
template <class Ar>
void fields(Ar& ar, BranchOrder& b) {
  ar("stage", b.stage)("at", b.at);
}

// Returns: the trials whose artifacts lie beside whatever runs this, by the trial's id, for it starts from them
// or reads them; the base is not among them.
inline std::vector<TrialId> artifacts_needed(WorkKind kind, const Stage& stage) {
  std::vector<TrialId> out;
  if (kind == WorkKind::evaluate) out.push_back(stage.trial);
  if (!stage.start) return out;
  if (kind == WorkKind::train) out.push_back(stage.start->trial);
  if (stage.start->weights && *stage.start->weights != out.front()) out.push_back(*stage.start->weights);
  return out;
}

// train: compute `stage`, then the evals on its weights at the steps they name.
// evaluate: the evals alone, on the kept weights of `stage` or, without one, on the untouched base.
struct Work {
  WorkKind kind = WorkKind::train;
  std::optional<Stage> stage;
  BaseId base;
  std::string tokenizer_sha256;
  ModelSettings model;
  std::vector<EvalOrder> evals;
  Keep keep = Keep::adapters;
  int64_t checkpoint_every_ms = 300'000;
  int microbatch = 0;  // rows; 0: the trainer's own choice from shape and device class
  // Of the newest checkpoint that the coordinator heard of: a later one on the disk may be ahead of its points,
  // which a dead worker took along. Absent: any will do.
  std::optional<Step> resume_at_most{};
  std::vector<InputFile>
      inputs{};  // what it reads, as far as it was hashed; the rest is at its path or nowhere
  std::vector<BranchOrder> branches{};  // of a trunk (common/sweep/trunk.h)
  // run.require_exact: it rather begins anew than goes on from what ends the promise of equal bits.
  bool require_exact = false;
};
template <class Ar>
void fields(Ar& ar, Work& w) {
  ar("kind", w.kind)("stage", w.stage)("base", w.base)("tokenizer_sha256", w.tokenizer_sha256);
  ar("model", w.model)("evals", w.evals)("keep", w.keep);
  ar("checkpoint_every_ms", w.checkpoint_every_ms)("microbatch", w.microbatch);
  ar("resume_at_most", w.resume_at_most)("inputs", w.inputs)("branches", w.branches);
  ar("require_exact", w.require_exact);
}

template <class Ar>
void fields(Ar& ar, Lease& l) {
  ar("unit", l.unit)("attempt", l.attempt);
}

// What a running attempt has to tell, in order. Any part may be empty.
struct Findings {
  std::vector<Point> points;
  std::vector<EvalResult> evals;
  std::optional<Step> checkpoint;  // a resumable checkpoint of this step is safe on the worker's disk
};
template <class Ar>
void fields(Ar& ar, Findings& f) {
  ar("points", f.points)("evals", f.evals)("checkpoint", f.checkpoint);
}

// Where a running attempt stands; for eyes only, lost without harm.
struct Progress {
  Lease lease;
  std::string phase;  // "fetching", "loading", "training", "evaluating NAME"
  Step step = 0;
  Step steps = 0;
  double loss = 0;
  double tokens_per_second = 0;
  double tokens_per_step = 0;
};
template <class Ar>
void fields(Ar& ar, Progress& p) {
  ar("lease", p.lease)("phase", p.phase)("step", p.step)("steps", p.steps)("loss", p.loss);
  ar("tokens_per_second", p.tokens_per_second)("tokens_per_step", p.tokens_per_step);
}

}  // namespace ranktide
