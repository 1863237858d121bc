#pragma once
// What is trained and what comes out of it: settings, stages, evals, points, outcomes.
// Plain data with one field list per struct (`fields`), which serves MessagePack, JSON, printing and comparing
// (wire.h). Not the sweep language (common/sweep) and not identity (common/sweep/identity).
// Enum texts are on the wire, in the journal and in ids: they are permanent.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/vocabulary/ids.h"

namespace ranktide {

// Every enum here has its texts beside it; wire.h turns one into the other.
template <class E>
struct EnumTexts;

enum class Method { lora, full };
enum class Dtype { fp32, bf16 };  // of the products; masters, adapters and the residual stream are always fp32
enum class LoraScaling { alpha_over_r, alpha_over_sqrt_r };
enum class Optimizer { adamw, lion };
enum class DecayRule { times_lr, per_step };
enum class Schedule { constant, linear, cosine, wsd };
enum class DataFormat { automatic, text, prompt, messages };
enum class EvalKind { loss, choice, generate, code };
enum class EvalNorm { tokens, bytes, none };  // what a choice's log-likelihood is divided by
enum class EvalRole { learn, retain };
enum class Keep { none, adapters, weights, delta, checkpoints };

template <>
struct EnumTexts<Method> {
  static constexpr std::array texts{"lora", "full"};
};
template <>
struct EnumTexts<Dtype> {
  static constexpr std::array texts{"fp32", "bf16"};
};
template <>
struct EnumTexts<LoraScaling> {
  static constexpr std::array texts{"alpha/r", "alpha/sqrt(r)"};
};
template <>
struct EnumTexts<Optimizer> {
  static constexpr std::array texts{"adamw", "lion"};
};
template <>
struct EnumTexts<DecayRule> {
  static constexpr std::array texts{"times_lr", "per_step"};
};
template <>
struct EnumTexts<Schedule> {
  static constexpr std::array texts{"constant", "linear", "cosine", "wsd"};
};
template <>
struct EnumTexts<DataFormat> {
  static constexpr std::array texts{"auto", "text", "prompt", "messages"};
};
template <>
struct EnumTexts<EvalKind> {
  static constexpr std::array texts{"loss", "choice", "generate", "code"};
};
template <>
struct EnumTexts<EvalNorm> {
  static constexpr std::array texts{"tokens", "bytes", "none"};
};
template <>
struct EnumTexts<EvalRole> {
  static constexpr std::array texts{"learn", "retain"};
};
template <>
struct EnumTexts<Keep> {
  static constexpr std::array texts{"none", "adapters", "weights", "delta", "checkpoints"};
};

// A field that came to its struct later is written only where it says something: what has none of it is
// written as before, and so are the hashes that are taken of that.
template <class Ar, class T>
void later_field(Ar& ar, const char* name, T& value) {
  bool is_there = requires {
    Ar::kReads;
  };
  if constexpr (requires { value.has_value(); })
    is_there = is_there || value.has_value();
  else
    is_there = is_there || !value.empty();
  if (is_there) ar(name, value);
}

// A length given in steps or as a share of the whole budget.
struct StepsOrShare {
  std::optional<int64_t> steps;
  std::optional<double> share;  // 0..1
  // Returns: steps of a run of `total` steps; a share is rounded to the nearest step.
  Step of(Step total) const {
    return steps ? *steps : static_cast<Step>(share.value_or(0) * static_cast<double>(total) + 0.5);
  }
  friend bool operator==(const StepsOrShare&, const StepsOrShare&) = default;
};
template <class Ar>
void fields(Ar& ar, StepsOrShare& s) {
  ar("steps", s.steps)("share", s.share);
}

struct ModelSettings {
  std::string path;       // Hugging Face folder
  std::string tokenizer;  // folder; empty: the model's own
  Dtype dtype = Dtype::bf16;
  std::string from{};  // `trial:ID@STEP` to start from (common/sweep/warm_start.h); empty: the model itself
};
template <class Ar>
void fields(Ar& ar, ModelSettings& m) {
  ar("path", m.path)("tokenizer", m.tokenizer)("dtype", m.dtype);
  later_field(ar, "from", m.from);
}

struct LoraSettings {
  int rank = 0;
  double alpha = 0;
  std::vector<std::string>
      target;  // full module names, sorted: q_proj k_proj v_proj o_proj gate_proj up_proj down_proj
  double dropout = 0;
  LoraScaling scaling = LoraScaling::alpha_over_r;
};
template <class Ar>
void fields(Ar& ar, LoraSettings& l) {
  ar("rank", l.rank)("alpha", l.alpha)("target", l.target)("dropout", l.dropout)("scaling", l.scaling);
}

struct TrainSettings {
  Optimizer optimizer = Optimizer::adamw;
  double lr = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  DecayRule decay_rule = DecayRule::times_lr;
  double clip = 1.0;  // global gradient norm; 0: off
  double attention_dropout = 0;
  Schedule schedule = Schedule::cosine;
  StepsOrShare warmup{.steps = {}, .share = 0.1};
  StepsOrShare cooldown{.steps = {}, .share = 0.2};  // wsd only
  double final_lr = 0.01;                            // share of lr at the last step
  int batch = 16;                                    // sequences (packed rows) a step
};
template <class Ar>
void fields(Ar& ar, TrainSettings& t) {
  ar("optimizer", t.optimizer)("lr", t.lr)("beta1", t.beta1)("beta2", t.beta2)("eps", t.eps);
  ar("weight_decay", t.weight_decay)("decay_rule", t.decay_rule)("clip", t.clip);
  ar("attention_dropout", t.attention_dropout)("schedule", t.schedule)("warmup", t.warmup);
  ar("cooldown", t.cooldown)("final_lr", t.final_lr)("batch", t.batch);
}

struct Replay {
  std::string path;
  double share = 0;
};
template <class Ar>
void fields(Ar& ar, Replay& r) {
  ar("path", r.path)("share", r.share);
}

struct DataSource {
  std::string path;
  double weight = 1;
};
template <class Ar>
void fields(Ar& ar, DataSource& d) {
  ar("path", d.path)("weight", d.weight);
}

struct DataSettings {
  std::vector<DataSource> train;
  DataFormat format = DataFormat::automatic;
  std::map<std::string, std::string> fields;  // role (prompt, completion, text, messages) -> JSONL field name
  std::string form = "auto";                  // data.template: auto, chat, or text with {prompt} {completion}
  bool mask_prompt = true;
  int max_tokens = 1024;  // tokens a row
  bool packing = true;
  std::optional<Replay> replay;
};
template <class Ar>
void fields(Ar& ar, DataSettings& d) {
  ar("train", d.train)("format", d.format)("fields", d.fields)("template", d.form)("mask_prompt",
                                                                                   d.mask_prompt);
  ar("max_tokens", d.max_tokens)("packing", d.packing)("replay", d.replay);
}

struct Budget {  // exactly one is set
  std::optional<int64_t> steps;
  std::optional<int64_t> tokens;  // real tokens, not padding
  std::optional<double> epochs;
};
template <class Ar>
void fields(Ar& ar, Budget& b) {
  ar("steps", b.steps)("tokens", b.tokens)("epochs", b.epochs);
}

// What a file holds, whatever it is called.
struct FileContent {
  std::string sha256;
  int64_t bytes = 0;
  friend bool operator==(const FileContent&, const FileContent&) = default;
};
template <class Ar>
void fields(Ar& ar, FileContent& f) {
  ar("sha256", f.sha256)("bytes", f.bytes);
}

// One fully resolved configuration. Paths are absolute; content hashes stand in identity, not here.
// Of what computes it. Set only where results of another version are to be computed again.
struct EngineSettings {
  int numerics = 0;  // numerics.h
};
template <class Ar>
void fields(Ar& ar, EngineSettings& e) {
  ar("numerics", e.numerics);
}

struct TrialSettings {
  ModelSettings model;
  Method method = Method::lora;
  std::optional<LoraSettings> lora;  // set exactly when method is lora
  TrainSettings train;
  DataSettings data;
  Budget budget;
  uint64_t seed = 0;
  std::optional<EngineSettings> engine{};  // absent: whatever version there is
};
template <class Ar>
void fields(Ar& ar, TrialSettings& t) {
  ar("model", t.model)("method", t.method)("lora", t.lora)("train", t.train)("data", t.data);
  ar("budget", t.budget)("seed", t.seed);
  later_field(ar, "engine", t.engine);
}

// What is evaluated and how. Its name and role belong to the sweep, not to the spec.
struct EvalSpec {
  std::string data;         // absolute path
  std::string data_sha256;  // of the file; with the rest below it makes the spec's identity
  EvalKind kind = EvalKind::loss;
  int shots = 0;
  EvalNorm norm = EvalNorm::tokens;
  std::optional<int64_t> limit;               // items: rows of JSONL, windows of plain text
  std::string form = "auto";                  // template, as data.template
  std::map<std::string, std::string> fields;  // as data.fields
  // Of generated answers only:
  int samples = 1;         // answers to each item
  double temperature = 0;  // 0: the likeliest token each time
  double top_p = 1;        // tokens are drawn from the likeliest that make up this share
};
template <class Ar>
void fields(Ar& ar, EvalSpec& e) {
  ar("data", e.data)("data_sha256", e.data_sha256)("kind", e.kind)("shots", e.shots)("norm", e.norm);
  ar("limit", e.limit)("template", e.form)("fields", e.fields);
  ar("samples", e.samples)("temperature", e.temperature)("top_p", e.top_p);
}

// The same eval in a sweep's view: name, role.
struct EvalTask {
  std::string name;
  EvalRole role = EvalRole::learn;
  EvalSpec spec;
  std::string spec_id;  // hash of the spec without paths: common/sweep/identity
};
template <class Ar>
void fields(Ar& ar, EvalTask& e) {
  ar("name", e.name)("role", e.role)("spec", e.spec)("spec_id", e.spec_id);
}

// One eval that an attempt is asked to run: on its own weights at a step, or on the untouched base (step 0).
struct EvalOrder {
  EvalId id;
  Step at = 0;
  EvalSpec spec;
};
template <class Ar>
void fields(Ar& ar, EvalOrder& e) {
  ar("id", e.id)("at", e.at)("spec", e.spec);
}

// What another trial left at its end, for one that starts there and not at the base.
struct WarmStart {
  TrialId trial;
  StageId stage;                     // of that trial, to its end
  Step step = 0;                     // its last
  Method method = Method::lora;      // what it left: an adapter, or weights
  std::optional<TrialId> weights{};  // of an adapter: whose full weights it lies on; absent: the base's
};
template <class Ar>
void fields(Ar& ar, WarmStart& s) {
  ar("trial", s.trial)("stage", s.stage)("step", s.step)("method", s.method)("weights", s.weights);
}

// What a trainer computes at once for one trial: steps [from, to) of its settings, then evals.
// With no parent it starts at the base; today every trial is one stage from 0 to its last step.
struct Stage {
  StageId id;
  TrialId trial;
  BaseId base;
  std::string tokenizer_sha256;  // of the tokenizer that the sweep was planned with
  std::string data_sha256;       // of the training data's content (data_index.h), as planned
  Step from = 0;
  Step to = 0;
  TrialSettings settings;
  std::optional<WarmStart> start{};  // of step 0; absent: the base
};
template <class Ar>
void fields(Ar& ar, Stage& s) {
  ar("id", s.id)("trial", s.trial)("base", s.base)("tokenizer_sha256", s.tokenizer_sha256);
  ar("data_sha256", s.data_sha256)("from", s.from)("to", s.to)("settings", s.settings);
  later_field(ar, "start", s.start);
}

// One metric value at one step of a stage. NaN and Inf are legal values.
struct Point {
  Step step = 0;
  std::string name;
  double value = 0;
};
template <class Ar>
void fields(Ar& ar, Point& p) {
  ar("step", p.step)("name", p.name)("value", p.value);
}

// An eval's result. value is the metric as usually written (a loss is positive); sign -1 says that lower is
// better.
struct EvalResult {
  EvalId id;
  std::string metric;  // "loss" (nats per token) or "acc"
  double value = 0;
  int sign = 1;
  double stderr_ = 0;  // sampling error over items
  int64_t n = 0;       // items
};
template <class Ar>
void fields(Ar& ar, EvalResult& e) {
  ar("id", e.id)("metric", e.metric)("value", e.value)("sign", e.sign)("stderr", e.stderr_)("n", e.n);
}

enum class OutcomeKind { completed, diverged, failed, out_of_memory, stopped, refused };
template <>
struct EnumTexts<OutcomeKind> {
  static constexpr std::array texts{"completed", "diverged", "failed", "out_of_memory", "stopped", "refused"};
};

// How an attempt ended. diverged is a result, not an error; stopped means "checkpointed on request, not ended";
// refused means that this worker cannot begin it, as an input is nowhere to be had here or its engine is
// another.
struct Outcome {
  OutcomeKind kind = OutcomeKind::completed;
  Step step = 0;                  // steps done; for diverged the step whose loss or gradient was not finite
  std::string message;            // for people: what happened
  std::string log_tail;           // last lines of the trainer's output, for failures
  std::string weights_sha256;     // of the trained tensors; empty unless completed
  bool exact = true;              // false: not promised bit-equal (micro-batch, or two processors)
  int64_t tokens = 0;             // real tokens trained on
  double seconds = 0;             // wall time of the steps that count, those before a resume included
  int64_t memory_peak_bytes = 0;  // of the trainer processes that made them
  int numerics = 0;               // version of the engine's arithmetic (lm/engine.h); 0: not told
  bool lasting = false;           // of a failure: another attempt, here or elsewhere, would end the same way
  std::string device;             // class and kernels of what computed it ("cpu AVX512"); empty: not told
};
template <class Ar>
void fields(Ar& ar, Outcome& o) {
  ar("kind", o.kind)("step", o.step)("message", o.message)("log_tail", o.log_tail);
  ar("weights_sha256", o.weights_sha256)("exact", o.exact)("tokens", o.tokens)("seconds", o.seconds);
  ar("memory_peak_bytes", o.memory_peak_bytes)("numerics", o.numerics);
  ar("lasting", o.lasting)("device", o.device);
}

}  // namespace ranktide
