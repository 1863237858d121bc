#pragma once
// A sweep file as read and not yet put together: its head, the levels of its top and of every block, each with
// the places of what it sets. Which level wins is decided when blocks are built (draft_blocks.h). Plain data.

#include <optional>
#include <string>
#include <vector>

#include "common/sweep/level_yaml.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide {

inline constexpr const char* kOnlyBlock = "all";  // the name of the block of a file without `blocks`

struct BlockDraft {
  std::string name;
  Place at;          // line 0: of a file without `blocks`
  std::string like;  // empty: none
  Level level;
  bool is_whole = true;  // false: it, or the block that it is like, has an error, so nothing follows from it
};

struct SweepDraft {
  SweepSpec head;  // without blocks
  FileLevels file;
  std::vector<BlockDraft> blocks;
  std::optional<Place> tune_at;
  std::optional<Place> stop_early_at;  // where run.stop_early names its eval, or else sets anything
  bool top_is_whole = true;            // false: an error at the file's top, so nothing follows for any block
};

// Requires: place.errors is set; what is wrong is added there. Throws: SpecError for what is no sweep file of
// this version at all.
SweepDraft read_draft(const YamlNode& root, const ReadingPlace& place);

// Returns: the block that this one is like; nullptr when there is none.
const BlockDraft* liked_by(const BlockDraft& draft, const SweepDraft& sweep);

// Returns: the levels that a block is made of, the lowest first.
std::vector<const Level*> levels_of(const BlockDraft& draft, const SweepDraft& sweep);

}  // namespace ranktide
