#pragma once
// How the files of each tool are read: their outer shape, into a draft. The settings in them are the
// translator's. Pure functions.

#include "common/sweep/import/draft.h"
#include "common/sweep/yaml_tree.h"

namespace ranktide {

// A W&B sweep configuration: method, parameters, run_cap and the rest.
void read_wandb(const YamlNode& root, const SourceText& source, ImportDraft& draft);

// A Hydra configuration with or without hydra.sweeper.params, or a list of overrides ("lr=1e-4,2e-4").
void read_hydra(const YamlNode& root, const SourceText& source, ImportDraft& draft);

// An axolotl configuration, or a file for its --sweep: lists are axes, `_` holds settings that go together.
void read_axolotl(const YamlNode& root, const SourceText& source, ImportDraft& draft);

}  // namespace ranktide
