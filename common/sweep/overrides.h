#pragma once
// Changes to a sweep from the command line, as functions on the spec: the same as editing the file. Precedence:
// above every level of the file. Spellings are Hydra's: k=v, k=a,b, k=choice(a,b), k=range(0,3), ~k, block:k=v
// (+ is ignored).

#include <filesystem>
#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Where of a Rule that keep_only() adds: it may empty a block, and it removing nothing is no warning.
inline constexpr const char* kOnlyRule = "--only";

// What one override changes, as far as its text says.
struct OverrideChange {
  std::string block;  // empty: every block where the key means something
  std::string key;    // full where it is a setting's
  std::string value;  // as written
  bool drops = false;
  bool sets(const std::string& name, const std::string& of_block) const {
    return !drops && key == name && (block.empty() || block == of_block);
  }
};
// Throws: SpecError for what is no override.
OverrideChange change_of(const std::string& text);
// Returns: the changes of those that are overrides; the others are refused when they are applied.
std::vector<OverrideChange> changes_of(const std::vector<std::string>& texts);

// Applies one override to every block that it speaks of, whether the key has an effect there or not: an
// override that follows may give it one. Keys are full or a unique last part (rank, lr); also seeds, name,
// search, tune, run.* and the names of rows. Relative paths start at `folder`, the sweep file's. Does not
// validate: several overrides may only together make a whole. Throws: SpecError naming the override. `later`:
// what follows on the command line; of two that say an axis' labels the later one does.
void apply_override(SweepSpec& spec, const std::string& text, const std::filesystem::path& folder,
                    const std::vector<OverrideChange>& later = {});

// Returns: the overrides in the order in which they are applied: first those that name a rows or zip axis of
// the spec, since a key that is set may leave such an axis nothing to set, and so none.
std::vector<std::string> labels_first(std::vector<std::string> overrides, const SweepSpec& spec);

// Asked once all overrides are applied. Throws: SpecError naming the override where its key has an effect in no
// block that it speaks of.
void refuse_without_effect(const SweepSpec& spec, const std::string& text);

// --only: `block=lora,full` keeps those blocks, any other expression keeps the cells where it holds; a block
// that has not got a name that it speaks of keeps none. Throws: SpecError, also for a value or a label that no
// block has.
void keep_only(SweepSpec& spec, const std::string& text);

}  // namespace ranktide
