#pragma once
// Content ids: what a trial, cell, stage and eval are named by. A name is the SHA-256 of canonical JSON, so it
// must never change for the same work: tests/common/sweep/identity_test.cpp holds a frozen corpus.
// Paths, names, labels, policy and settings without effect are in no id. Pure functions.

#include <string>

#include "common/sweep/sweep_spec.h"
#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"
#include "common/vocabulary/wire.h"

namespace ranktide {

// Returns: JSON text with sorted keys and no spaces, numbers as short as they read back equal.
std::string canonical_json(const Json& value);

// Returns: what stands in an identity for a setting that names no content: its value, in the one spelling that
// it has.
Json identity_value(const std::string& key, const Json& value);

// What can change a training: effective settings by full key, with content hashes where a path stood.
struct TrialIdentity {
  Json settings;             // flat object, seed included
  bool provisional = false;  // an input is unknown, so its path stands in for its hash
};

// Requires: `values` is complete (resolve.h), or a part of that with all of model.* and data.* or with none.
TrialIdentity identity_of(const SettingValues& values, const Inputs& inputs);

TrialId trial_id(const TrialIdentity& identity);
// The same without the seed.
CellId cell_id(const TrialIdentity& identity);
// The stage [from, to) of a trial that starts at the base.
StageId stage_id(const TrialIdentity& identity, Step from, Step to);

// An identity written once for all of a trial's ids: `"key":value` of the settings before the seed and after
// it, in the order of keys, joined by commas.
struct IdentityText {
  std::string before;
  std::string after;
};
// Returns: the same ids as those of the identity that was written.
TrialId trial_id(const IdentityText& text, uint64_t seed);
CellId cell_id(const IdentityText& text);
StageId stage_id(const IdentityText& text, uint64_t seed, Step from, Step to);

// Returns: hash of what is evaluated and how, with data_sha256 in place of the path (the path when it is
// unknown). `read_as`: the kind of file where its name alone says it (Inputs::read_as); empty: its content
// does.
std::string eval_spec_id(const EvalSpec& spec, const std::string& read_as = "");
// Returns: the spec with its file's hash, where the inputs know it.
EvalSpec with_content(EvalSpec spec, const Inputs& inputs);
// The same where the inputs tell what kind of file it is. Requires: the spec is with_content().
std::string eval_spec_id(const EvalSpec& spec, const Inputs& inputs);
// Requires: `base` from base_subject (grid.h).
EvalId eval_id(const BaseId& base, const std::string& spec_id);
EvalId eval_id(const StageId& stage, Step at, const std::string& spec_id);

// Returns: the base as another tokenizer than its own reads it: to an eval that is another base.
BaseId base_read_by(const BaseId& base, const std::string& tokenizer_sha256);

// Returns: the same for an engine that a sweep asks for: what the base scored by another is not taken for it.
BaseId base_computed_by(const BaseId& base, const EngineSettings& engine);

// Returns: the key of Inputs::models: the path, and the tokenizer's where it is not the model's own.
std::string model_key(const ModelSettings& model);
// Returns: the path of the tokenizer that such a key of a model at `model_path` speaks of; empty for another
// key.
std::string tokenizer_path(const std::string& key, const std::string& model_path);

// Returns: the key of Inputs::data: everything that a data index depends on, by path.
std::string data_key(const DataSettings& data, const std::string& tokenizer_sha256);

}  // namespace ranktide
