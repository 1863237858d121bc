#pragma once
// A trial as a sweep sees it. Plain data with one field list; how it comes out of a spec is grid.h's.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"
#include "common/vocabulary/wire.h"

namespace ranktide {

// A step at which early stopping compares trials. Rungs of different budgets are told by k, not by their step.
struct Rung {
  int k = 0;
  Step at = 0;  // below the trial's last step
};
template <class Ar>
void fields(Ar& ar, Rung& r) {
  ar("k", r.k)("at", r.at);
}

// How early stopping judges a trial on its way (early_stop.h): by this of its evals, run at the rungs too.
struct Race {
  std::vector<std::string> contests;  // one for each of the trial's blocks
  EvalTask task;
  std::vector<Rung> rungs;  // rising
};
template <class Ar>
void fields(Ar& ar, Race& r) {
  ar("contests", r.contests)("task", r.task)("rungs", r.rungs);
}

// One trial in one sweep's view.
struct SweepTrial {
  int64_t index = 0;  // raw
  TrialId id;
  StageId stage;  // from the base to its last step
  CellId cell;
  BaseId base;
  std::string tokenizer_sha256;  // empty, as base, while the model is unread
  std::string data_sha256;       // empty while the data is unread
  TrialSettings settings;
  std::vector<std::string> blocks;  // every block that names this cell, in file order
  std::map<std::string, std::string>
      labels;                   // axis -> text as written; always has "regime", with LoRA "lora.target"
  std::vector<EvalTask> evals;  // the union over its blocks
  std::vector<Step> eval_at;    // sorted, distinct, within 0..steps; 0 is the untouched base and always there
  Step steps = 0;               // 0 only while provisional: epochs or tokens of unread data
  bool provisional = false;     // an input is missing: ids will change when it is read
  std::optional<WarmStart> start{};  // absent: the base, or model.from is unread
  std::optional<Race> race{};        // absent: it is not judged on its way
};
template <class Ar>
void fields(Ar& ar, SweepTrial& t) {
  ar("index", t.index)("id", t.id)("stage", t.stage)("cell", t.cell)("base", t.base);
  ar("tokenizer_sha256", t.tokenizer_sha256)("data_sha256", t.data_sha256)("settings", t.settings);
  ar("blocks", t.blocks)("labels", t.labels)("evals", t.evals)("eval_at", t.eval_at)("steps", t.steps);
  ar("provisional", t.provisional);
  later_field(ar, "start", t.start);
  later_field(ar, "race", t.race);
}

// Returns: what the trial's evals at step 0 are of, and its scores are measured against: the untouched base;
// where model.tokenizer is set, the base as that tokenizer reads it.
BaseId base_subject(const SweepTrial& trial);

}  // namespace ranktide
