#pragma once
// Puts the places of what a sweep names by content where the names stand: in its settings and in the rules that
// speak of them. Not where the places are (named_models.h). Pure; any thread.

#include <map>
#include <string>

#include "common/sweep/sweep_spec.h"

namespace ranktide::cli {

using Places = std::map<std::string, std::string>;  // name as in the settings -> path

// In constants and axes, where `key` has one of the names. Labels stay.
void replace_in_settings(SweepSpec& spec, const char* key, const Places& places);

// In exclude, when and derive, where a quoted value is one of the names and is not compared with a label.
// Throws: SpecError when a rule cannot hold a place's path.
void replace_in_rules(SweepSpec& spec, const Places& places);

}  // namespace ranktide::cli
