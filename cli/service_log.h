#pragma once
// How a service writes its log: one JSON object a line on stderr when that is no terminal, text otherwise.

#include <cstdint>
#include <string>
#include <string_view>

namespace ranktide::cli {

// Makes spdlog's default logger one of a service. Requires: called before the first thread.
void log_as_service();

// Returns: {"at":"2026-01-01T00:00:00.000000Z","event":...,"level":...} with its newline; control characters
// are escaped, what is over 8 KB is cut.
std::string json_log_line(int64_t unix_us, std::string_view level, std::string_view event);

}  // namespace ranktide::cli
