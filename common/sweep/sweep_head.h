#pragma once
// What a sweep says once: version, name, seeds, how it is searched and tuned, and the run.* policy. Read alike
// from a file and from an override.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/sweep/setting_value.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

// Throws: SpecError unless it is version 1.
void check_version(const YamlNode& node, const ReadingPlace& place);

std::string read_sweep_name(const YamlNode& node, const ReadingPlace& place);

// `seeds: 3` is 0, 1, 2, so that 5 adds 3, 4 and repeats nothing; a list is taken as it is.
std::vector<uint64_t> read_seeds(const YamlNode& node, const ReadingPlace& place);

// `grid`, or {random: 40, seed: 7}. Returns: nullopt for the grid.
std::optional<RandomSearch> read_search(const YamlNode& node, const ReadingPlace& place);

// A name, a list of names, or {axes: [train.lr], by: valid_loss, extend: 2}. Whether the names are axes shows
// only in the whole sweep (tuning_check.h). Keys may be given by their last part.
Tuning read_tuning(const YamlNode& node, const ReadingPlace& place);

// Sets one run.* key to its canonical value. Requires: refusal() has nothing against it.
void set_run(RunPolicy& run, const std::string& key, const Json& value);

}  // namespace ranktide
