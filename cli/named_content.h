#pragma once
// Data files that a sweep names by content (`sha256:HEX`), brought to where they can be read: <cache>/content,
// under their hash, and with the ending that says their kind. Looked for, in this order: there; among the files
// that were hashed on this machine before, whatever they are called; among the files that the data folder's own
// coordinator keeps; and last they are fetched from the coordinator that the command is for. What is found is
// checked by hash. From then on they are paths like any other: identity is content, so the ids of trials are
// the same. Not for models (named_models.h). One thread.
//
// Policy at kContentBytesMax, of what lies there in all: nothing more is fetched.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/http_client.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide::cli {

inline constexpr int64_t kContentBytesMax = int64_t{20} << 30;

struct ContentSources {
  std::filesystem::path data;                              // the data folder
  std::function<std::optional<HttpClient>()> coordinator;  // asked when nothing nearer has it; empty: none is
  std::function<void(const std::string& line)> say;        // before what may take long
};

// Replaces the names in the settings by paths where the files lie now.
// Returns: a message for each that is nowhere: what, where it was looked for, what to do. Those names stay.
std::vector<std::string> place_named_content(SweepSpec& spec, const ContentSources& sources);

}  // namespace ranktide::cli
