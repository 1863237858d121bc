#pragma once
// What stands after the `=` of a Hydra override: one value, several, or a range. Pure functions.

#include <optional>
#include <string>
#include <vector>

#include "common/sweep/import/translator.h"

namespace ranktide {

struct HydraValue {
  std::vector<YamlNode> values;         // one: no sweep
  bool is_sweep = false;                // choice(x) of one value is one, too
  std::optional<ForeignRange> range{};  // interval(a, b)
  std::string problem;                  // why it cannot be read; empty: it is read
};

// Reads `4,8,16`, `choice(a,b)`, `range(1,10,2)`, `interval(0,1)`, `tag(log, interval(..))`, `shuffle(..)`,
// `sort(..)`, `[a,b]` and plain values. `glob(..)` needs a folder of configurations, so it is a problem.
HydraValue read_hydra_value(const std::string& text);

}  // namespace ranktide
