#pragma once
// `model.from: trial:ID[@STEP]`: a trial that starts from what a finished one left, and not from the base. What
// the words say, and which trial may start from which. Where the weights lie is the coordinator's, how a
// training begins with them the trainer's. Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "common/sweep/sweep_spec.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

inline constexpr const char* kSourceKey = "model.from";

struct SourceName {
  std::string id;            // lower-case hex digits: the trial's id, or how it begins
  std::optional<Step> step;  // absent: its last
};
// Returns: nullopt for what is not `trial:ID` or `trial:ID@STEP`.
std::optional<SourceName> source_name_of(std::string_view text);

// Returns: the one text that means this source at this step, whatever prefix it was found by: it stands in
// identities.
std::string source_text(const TrialId& trial, Step step);

// Returns: whether any cell of the block may start from another trial.
bool names_source(const Block& block);

// Returns: what a trial with these settings starts from; nullopt: the base, or the source is unread.
// Throws: SpecError with the reason when the source is not one for it. Of a model that is unread nothing is
// checked.
std::optional<WarmStart> start_of(const TrialSettings& settings, const Inputs& inputs);

}  // namespace ranktide
