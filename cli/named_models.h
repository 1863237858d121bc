#pragma once
// Models and tokenizers that a sweep names by content (`sha256:HEX`), brought to folders. A model's hash is its
// base (base_identity.h): config.json and weights, not the tokenizer beside them, which has a hash of its own
// (tokenizer.h). Looked for among the folders whose files were hashed on this machine before, which holds what
// a worker with the same data folder fetched; no weights are hashed to find one. Then among those that sweeps
// of the coordinator named (model_elsewhere.h): no weights come over the network, and whoever trains with them
// checks them. From then on they are paths like any other. One thread.

#include <map>
#include <string>
#include <vector>

#include "cli/model_elsewhere.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide::cli {

struct PlacedModels {
  // For each that is nowhere or not clear: what, where it was looked for, what to do. Those names stay.
  std::vector<std::string> messages;
  std::map<std::string, FolderElsewhere> elsewhere;  // by the path that the settings have now
};

// Replaces the names in the settings, and in the rules that speak of them, by the folders. Where a trial takes
// the tokenizer beside the weights, all folders with these weights must have the same one, or none: else the
// name would not say what is trained. Throws: SpecError when a rule cannot hold a folder's path, or a name is
// no hash.
PlacedModels place_named_models(SweepSpec& spec, const ContentSources& sources);

}  // namespace ranktide::cli
