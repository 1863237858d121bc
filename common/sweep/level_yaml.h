#pragma once
// One map of a sweep file -> Level: settings, axes, rows, zip, derive, exclude, include, pins. The same reader
// serves the file's top and every block, so that a key means the same wherever it stands. Does not merge levels
// (sweep_level.h).

#include <set>
#include <string>
#include <vector>

#include "common/sweep/setting_value.h"
#include "common/sweep/sweep_level.h"

namespace ranktide {

// The file's top has two levels: plain keys are below what varies.
struct FileLevels {
  Level plain;
  Level varying;
};

// Where `place` collects errors, what could be read comes back, and every reader below goes on after an error.
// Reads the top. Leaves version, name, seeds, search, tune and blocks to the caller. Throws: SpecError.
FileLevels read_file_levels(const YamlNode& root, const ReadingPlace& place);

// What a block stands on: the axes that it can pin or replace, and the names of those that could not be read.
struct Below {
  std::vector<Axis> axes;
  std::set<std::string> unread;  // kAnyName among them: nobody knows which
};
inline constexpr const char* kAnyName = "*";

// Reads a block. Leaves `like` to the caller. Throws: SpecError.
Level read_block_level(const std::string& name, const YamlNode& node, const Below& below,
                       const ReadingPlace& place);

// Returns: the axis for a list or axis map at one key, as a block or an override reads it; the constant
// otherwise. Throws: SpecError.
Level read_override_level(const Setting& setting, const YamlNode& node, const ReadingPlace& place);

}  // namespace ranktide
