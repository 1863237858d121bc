#pragma once
// What a sweep says once: version, name, seeds and the run.* policy. Read alike from a file and from an
// override.

#include <cstdint>
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

// Sets one run.* key to its canonical value. Requires: refusal() has nothing against it.
void set_run(RunPolicy& run, const std::string& key, const Json& value);

}  // namespace ranktide
