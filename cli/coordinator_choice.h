#pragma once
// Which coordinator a command is meant for, in this order: --coordinator URL, --context NAME,
// RANKTIDE_COORDINATOR, RANKTIDE_CONTEXT, and, unless --data-dir names a folder, the context in use. Without
// any of these it is the coordinator that serves this machine's data folder, if one does.

#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/http_client.h"

namespace ranktide::cli {

// Returns: the coordinator that was named; nullopt when none was, and the data folder answers.
// Throws: CommandError for a context or URL that is not understood, and for a token that others can read.
std::optional<HttpClient> named_coordinator(const GlobalOptions& globals);

// Returns: the coordinator that was named, or the one that serves the data folder; nullopt when there is none.
std::optional<HttpClient> chosen_coordinator(const GlobalOptions& globals);

// The same. Throws: CommandError of code kUnreachable when there is none.
HttpClient require_coordinator(const GlobalOptions& globals);

}  // namespace ranktide::cli
