#pragma once
// In what two sweeps differ, in the words of their files: settings, the values of axes, rules, seeds, policy
// and the content of files that keep their names. Not which trials: those are compared by id. Pure.

#include <string>
#include <vector>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

struct SpecChange {
  std::string what;                 // `lora.rank + 1024`, `train.lr 1e-4 -> 2e-4`
  std::vector<std::string> blocks;  // that it stands in; empty: the whole sweep
};
template <class Ar>
void fields(Ar& ar, SpecChange& c) {
  ar("what", c.what)("blocks", c.blocks);
}

// Returns: how `to` came from `from`, in the order of blocks and keys; the same change in several blocks is
// one.
std::vector<SpecChange> changes_between(const SweepSpec& from, const SweepSpec& to);

// Returns: `lora.rank + 1024 in blocks lora, targets`.
std::string text_of(const SpecChange& change);

// Returns: a canonical value, nearly as a file has it.
std::string value_text(const Json& value);

}  // namespace ranktide
