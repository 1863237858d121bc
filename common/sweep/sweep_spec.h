#pragma once
// A sweep as it travels: read from a file (sweep_yaml), changed by overrides, sent as canonical JSON, validated
// again where it arrives, expanded by Grid. Not the file's text and not its trials. Plain data; one thread at a
// time.
//
// Precedence between the levels of a file is already applied: every block is complete. Within a block a
// constant gives way to the axis point that sets the same key, and both to a derivation; no two axes set one
// key. Evals and their moments are settings like any other (eval.learn, eval.retain, eval.at).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/settings.h"
#include "common/sweep/spec_error.h"
#include "common/vocabulary/ids.h"
#include "common/vocabulary/model_shape.h"
#include "common/vocabulary/trial.h"
#include "common/vocabulary/wire.h"

namespace ranktide {

// What was found at a model's path: content hashes of its weights and of the tokenizer that is used with it,
// and its shape. Only the hashes enter ids: the shape is for predictions of memory.
struct ModelInput {
  std::string path;
  BaseId base;
  std::string tokenizer_sha256;
  std::optional<ModelShape> shape{};  // absent: submitted by an older client, nothing is predicted
};
template <class Ar>
void fields(Ar& ar, ModelInput& m) {
  ar("path", m.path)("base", m.base)("tokenizer_sha256", m.tokenizer_sha256)("shape", m.shape);
}

// Summary of a data index: what the steps of an epoch and a data set's identity are computed from.
struct DataInput {
  std::string sha256;
  int64_t documents = 0;
  int64_t tokens = 0;
  int64_t rows = 0;
  // Of the tokens, those that have a loss: only they cost the head. For predictions of time, in no id; absent:
  // counted by nobody, as by clients of before, and all may be.
  std::optional<int64_t> labels{};
};
template <class Ar>
void fields(Ar& ar, DataInput& d) {
  ar("sha256", d.sha256)("documents", d.documents)("tokens", d.tokens)("rows", d.rows);
  later_field(ar, "labels", d.labels);
}

// A finished trial that others may start from, as the folder or its coordinator knows it.
struct SourceInput {
  TrialId trial;
  StageId stage;
  Step step = 0;  // its last: the only one whose weights are kept
  BaseId base;
  std::string tokenizer_sha256;
  Dtype dtype = Dtype::bf16;
  Method method = Method::lora;
  std::optional<LoraSettings> lora{};  // set exactly when method is lora
  std::optional<TrialId> weights{};    // as WarmStart has it
};
template <class Ar>
void fields(Ar& ar, SourceInput& s) {
  ar("trial", s.trial)("stage", s.stage)("step", s.step)("base", s.base)("tokenizer_sha256",
                                                                         s.tokenizer_sha256);
  ar("dtype", s.dtype)("method", s.method)("lora", s.lora)("weights", s.weights);
}

// Everything outside the file that trials depend on. Filled by the client from wanted_inputs() (grid.h).
struct Inputs {
  std::map<std::string, ModelInput> models;  // by model_key (identity.h)
  std::map<std::string, DataInput> data;     // by data_key (identity.h)
  std::map<std::string, std::string> files;  // eval data: absolute path -> sha256
  // Every file behind the above, by absolute path or `hub:` name: what workers look for. A folder of more files
  // than kInputFilesMax is not in here: it is read at its path only.
  std::map<std::string, FileContent> contents{};
  std::map<std::string, SourceInput> sources{};  // by model.from as the spec has it
  // Of `files` those whose name's ending says another kind than their content does, with that kind.
  std::map<std::string, std::string> read_as{};
};
inline constexpr size_t kInputFilesMax = 1'000;  // of one folder
template <class Ar>
void fields(Ar& ar, Inputs& i) {
  ar("models", i.models)("data", i.data)("files", i.files)("contents", i.contents);
  later_field(ar, "sources", i.sources);
  later_field(ar, "read_as", i.read_as);
}

// One value of an axis: what people call it, and the settings that it brings. Labels are in no id.
struct AxisPoint {
  std::string label;
  SettingValues set;
};
template <class Ar>
void fields(Ar& ar, AxisPoint& p) {
  ar("label", p.label)("set", p.set);
}

// Where a random search draws an axis' values from: anywhere between its ends.
struct DrawnRange {
  double min = 0;
  double max = 0;
  bool log = false;  // evenly in the logarithm
};
template <class Ar>
void fields(Ar& ar, DrawnRange& r) {
  ar("min", r.min)("max", r.max)("log", r.log);
}

// What varies: a key's values, the labels of `rows`, or the positions of a `zip`.
struct Axis {
  std::string name;  // the full key, or the name under rows or zip
  std::vector<AxisPoint> points;
  std::string when;  // expression; where it is false the axis has one cell and sets nothing; empty: always
  std::optional<DrawnRange> drawn{};  // in place of points; only in a sweep that is searched at random
};
template <class Ar>
void fields(Ar& ar, Axis& a) {
  ar("name", a.name)("points", a.points)("when", a.when)("drawn", a.drawn);
}

// A rule that drops cells: an expression, with the place that messages speak of.
struct Rule {
  std::string text;
  std::string where;  // file:line:column
};
template <class Ar>
void fields(Ar& ar, Rule& r) {
  ar("text", r.text)("where", r.where);
}

// One cell more than the axes give: a point for every axis of its block, which may be none of the axis' own.
// Derivations hold for it, exclude rules do not.
struct IncludedCell {
  std::vector<AxisPoint> points;  // beside Block::axes
  std::string where;              // file:line:column; empty when no file says so
};
template <class Ar>
void fields(Ar& ar, IncludedCell& c) {
  ar("points", c.points)("where", c.where);
}

struct Block {
  std::string name;
  SettingValues constants;
  std::vector<Axis> axes;                     // crossed; the last varies fastest; one point: a pinned axis
  std::map<std::string, std::string> derive;  // key -> expression
  std::vector<Rule> exclude;
  std::vector<IncludedCell> include{};
};
template <class Ar>
void fields(Ar& ar, Block& b) {
  ar("name", b.name)("constants", b.constants)("axes", b.axes)("derive", b.derive)("exclude", b.exclude);
  ar("include", b.include);
}

struct RetryPolicy {
  int own = 3;     // failures of the trial itself
  int infra = 20;  // lost workers and preemptions
};
template <class Ar>
void fields(Ar& ar, RetryPolicy& r) {
  ar("own", r.own)("infra", r.infra);
}

// What a slot must have for anything of the sweep to be placed on it.
struct SlotNeeds {
  std::optional<int64_t> memory_bytes;  // unset: what is predicted for each trial
  std::vector<std::string> labels;      // all of them
  int gpus = 0;                         // 1: not on CPU cores
};
template <class Ar>
void fields(Ar& ar, SlotNeeds& n) {
  ar("memory_bytes", n.memory_bytes)("labels", n.labels)("gpus", n.gpus);
}

// How trials that fall behind are stopped (early_stop.h). Values are permanent.
enum class EarlyStopRule { asha };
template <>
struct EnumTexts<EarlyStopRule> {
  static constexpr std::array texts{"asha"};
};
struct EarlyStop {
  EarlyStopRule rule = EarlyStopRule::asha;
  std::string by;      // an eval, run at the rungs too
  int eta = 3;         // of those that came to a rung the best in so many go on
  double first = 0.1;  // the first rung's share of the budget; each other stands eta times as far
};
template <class Ar>
void fields(Ar& ar, EarlyStop& e) {
  ar("rule", e.rule)("by", e.by)("eta", e.eta)("first", e.first);
}

// How the sweep is run. Nothing here enters an id.
struct RunPolicy {
  int priority = 0;
  std::optional<int> max_parallel;
  std::optional<int> max_failures;
  RetryPolicy retry;
  Keep keep = Keep::adapters;
  int64_t checkpoint_every_ms = 300'000;
  int64_t lease_ms = 120'000;
  std::optional<int> microbatch;  // sequences; unset: a function of shape and device
  bool require_exact = false;
  SlotNeeds needs{};
  std::optional<EarlyStop> stop_early{};
};
template <class Ar>
void fields(Ar& ar, RunPolicy& r) {
  ar("priority", r.priority)("max_parallel", r.max_parallel)("max_failures", r.max_failures)("retry", r.retry);
  ar("keep", r.keep)("checkpoint_every_ms", r.checkpoint_every_ms)("lease_ms", r.lease_ms);
  ar("microbatch", r.microbatch)("require_exact", r.require_exact)("needs", r.needs);
  later_field(ar, "stop_early", r.stop_early);
}

// Cells drawn at random, the same number of every block, in place of all of them.
struct RandomSearch {
  int64_t cells = 0;
  uint64_t seed = 0;  // equal seeds draw equal cells
};
template <class Ar>
void fields(Ar& ar, RandomSearch& r) {
  ar("cells", r.cells)("seed", r.seed);
}

// Axes that results minimise out: of their values only the best counts, cell by cell. Enters no id.
struct Tuning {
  std::vector<std::string> axes;
  std::string by;  // the metric that says which value is best; empty: learning
  int extend = 0;  // steps that an axis may grow by where its best value stands at its end
};
template <class Ar>
void fields(Ar& ar, Tuning& t) {
  ar("axes", t.axes)("by", t.by)("extend", t.extend);
}

// Trials by their raw index (grid.h): first, ..., end - 1.
struct TrialRange {
  int64_t first = 0;
  int64_t end = 0;
};
template <class Ar>
void fields(Ar& ar, TrialRange& r) {
  ar("first", r.first)("end", r.end);
}

inline constexpr int64_t kTrialsMaxDefault = 1'000'000;
// Whatever a spec says of itself: every cell is looked at, and remembered for as long as that takes.
inline constexpr int64_t kTrialsMax = 50'000'000;

struct SweepSpec {
  int version = 1;
  std::string name;
  std::vector<Block> blocks;
  std::vector<uint64_t> seeds{0};
  RunPolicy run;
  int64_t max_trials = kTrialsMaxDefault;  // raw cells x seeds; raised by --max-trials, to kTrialsMax at most
  Inputs inputs;
  std::optional<RandomSearch> random{};  // absent: every cell of the grid
  std::optional<Tuning> tune{};
  // Of the grid's trials only these, rising and apart; a trial that is listed twice counts where it stands
  // first.
  std::optional<std::vector<TrialRange>> taken{};  // absent: all
  // Whether `taken` is all that two files list (--extend), of a grid that has more; absent: it is a part that
  // somebody chose (--budget).
  std::optional<bool> taken_unites{};
};
template <class Ar>
void fields(Ar& ar, SweepSpec& s) {
  ar("version", s.version)("name", s.name)("blocks", s.blocks)("seeds", s.seeds)("run", s.run);
  ar("max_trials", s.max_trials)("inputs", s.inputs)("random", s.random)("tune", s.tune);
  ar("taken", s.taken);
  later_field(ar, "taken_unites", s.taken_unites);
}

inline constexpr size_t kBlocksMax = 256;
inline constexpr size_t kAxesMax = 32;            // of one block
inline constexpr size_t kAxisPointsMax = 10'000;  // of one axis
inline constexpr size_t kSeedsMax = 100'000;

// Checks a spec that came over the wire as strictly as a file: known keys, types, ranges, names, limits, rules
// that parse, and that a cell along every axis resolves. Says nothing of missing inputs.
// Throws: SpecError naming block and key.
void validate(const SweepSpec& spec);
// The same for one block. Requires: raw_trials() accepts its sweep.
void validate(const Block& block);

// Returns: trials before exclusion and merging. Throws: SpecError when they are more than max_trials or
// kTrialsMax; the product is taken in 128 bits from the axes' lengths, before anything is expanded.
int64_t raw_trials(const SweepSpec& spec);

}  // namespace ranktide
