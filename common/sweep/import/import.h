#pragma once
// Sweep and training files of other tools in our language: W&B sweep configurations, Hydra configurations with
// a sweeper, axolotl configurations. A translation of texts: nothing is looked up, run or downloaded. What has
// no twin here stays as a comment with the reason. Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "common/sweep/yaml_tree.h"

namespace ranktide {

enum class ForeignTool { wandb, hydra, axolotl };

struct Imported {
  std::string yaml;               // a sweep file with comments; lines to fill in begin with `#key:`
  std::vector<std::string> left;  // what a person has to do before it can be planned; empty: nothing
};

// `name` is the sweep's where the file gives it none. Throws: SpecError when the text is no YAML within the
// limits of yaml_tree.h, or not a file of that tool.
Imported import_sweep(ForeignTool tool, const SourceText& source, const std::string& name);

}  // namespace ranktide
